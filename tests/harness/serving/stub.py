"""The stub server of the tests of servers, with a key, closed paths and chats, as `tunegate serve` starts one.

As a program it takes PORT, MODEL FOLDER and NAME, and the key from VLLM_API_KEY.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from harness.serving.platforms import Platform
from harness.suites.prompts import Renderer
from tests.harness.engines.openai.stub_server import Body, Response, Stub, as_json


class ServingStub(Stub):
    """`roots` are the folders that it says its models are from; what it does wrong is switched on by a test."""

    def __init__(
        self, models: dict[str, int], roots: dict[str, Path], folder: Path, key: str | None = None, at: int = 0
    ) -> None:
        self.roots, self.key = roots, key
        self.renderer = Renderer(folder)
        self.keyed = self.closed = True
        self.before_chat: tuple[int, ...] = ()
        self.stands_in = False
        self.nameless = next(iter(models))
        self.platform: Platform | None = None
        super().__init__(models, port=at)

    def respond(self, path: str, headers: dict[str, str], body: Body, life: int) -> Response | str:
        if path.startswith("/v1") and self.keyed and self.key and headers.get("Authorization") != f"Bearer {self.key}":
            return as_json(401, {"error": "Unauthorized"})
        if self.platform and path == self.platform.predict:
            if self.keyed and not self.platform.is_trusted and headers.get("Authorization") != f"Bearer {self.key}":
                return as_json(401, {})
            return as_json(200, {"model": next(iter(self.models))})
        if path.startswith("/v1") and body and not body.get("model"):
            return as_json(200, {"model": self.nameless})
        if path == "/v1/chat/completions":
            ids = [*self.before_chat, *self.renderer.prompt(body["messages"]).ids]
            return as_json(200, {"prompt_token_ids": ids})
        if path == "/v1/completions" and self.stands_in and body["model"] not in self.models:
            body = body | {"model": next(iter(self.models)), "seed": 0, "temperature": 0}
            return as_json(200, self._answer(body, False))
        if path == "/health" or (self.platform and path == self.platform.health):
            return as_json(200, {})
        if not path.startswith("/v1") and path != "/version":
            return as_json(404 if self.closed else 200, {})
        return super().respond(path, headers, body, life)

    def _card(self, name: str) -> dict[str, Any]:
        return super()._card(name) | {"root": str(self.roots[name])}


def main() -> None:
    port, folder, name = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    ServingStub({name: 2}, {name: folder}, folder, os.environ.get("VLLM_API_KEY"), port)
    print("the stub listens", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main()
