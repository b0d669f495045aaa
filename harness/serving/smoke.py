"""Asks a server that was just started whether it is what was approved, and closed where it must be. Starts nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from harness.asks import longest
from harness.engines import canary, endpoints
from harness.engines.base import Settings, open_engine
from harness.errors import UserError
from harness.prompts import Renderer
from harness.schema import CANDIDATE, Completion, Request
from harness.serving.access import Access
from harness.serving.platforms import Platform
from harness.serving.probe import probe
from harness.serving.recorded import Recorded, likeness
from harness.serving.route import Route

UNKNOWN = "no-such-model"
CLOSED: dict[str, Any] = {
    "/invocations": {},
    "/generative_scoring": {},
    "/tokenize": {},
    "/docs": None,
    "/openapi.json": None,
}
"""Paths of vLLM's server that its key would not guard, with what is sent there."""
PATIENCE_S = 60.0
"""Longest time without any answer before the server counts as dead."""
PROXIES = ("NO_PROXY", "no_proxy")


class Finding(Struct, frozen=True, kw_only=True):
    """One check of a server."""

    check: str
    """What was looked at."""
    ok: bool
    """It is as it must be."""
    says: str
    """What was found."""


def smoke(route: Route, access: Access, recorded: Sequence[Recorded], say: Callable[[str], None]) -> list[Finding]:
    """Every check, in order; one that fails does not keep the others from being made."""
    platform = access.platform
    checks: list[Callable[[], Finding]] = [
        lambda: models(route, access),
        lambda: unknown_model(access),
        lambda: without_key(access),
        lambda: closed_paths(access),
        *([lambda: platform_routes(route, access, platform)] if platform else []),
        lambda: chat(route, access),
        lambda: answers(route, access, recorded, say),
    ]
    return [check() for check in checks]


def models(route: Route, access: Access) -> Finding:
    """The served names are those meant, each from the folder meant."""
    status, said = probe(f"{access.url}/v1/models", access.key)
    found = {str(card.get("id")): str(card.get("root")) for card in (said or {}).get("data", [])}
    wanted = {name: str(folder) for name, folder in route.served.items()}
    says = f"served: {', '.join(found) or f'nothing (HTTP {status})'}"
    wrong = [f"'{name}' is from {found[name]}" for name in wanted if found.get(name, wanted[name]) != wanted[name]]
    return Finding(check="models", ok=found == wanted, says="; ".join([says, *wrong]))


def unknown_model(access: Access) -> Finding:
    """A name that is not served is refused, and no other model answers in its place."""
    body = {"model": UNKNOWN, "prompt": [1], "max_tokens": 1}
    status, _ = probe(f"{access.url}/v1/completions", access.key, body)
    return Finding(check="unknown model", ok=status == 404, says=f"HTTP {status}, expected 404")


def without_key(access: Access) -> Finding:
    """Where there is a key, nothing is answered without it or with another."""
    if access.key is None:
        return Finding(check="key", ok=True, says="none is set: whoever reaches the port may ask")
    found = [probe(f"{access.url}/v1/models", key)[0] for key in (None, f"not-{access.key}")]
    says = f"HTTP {found[0]} without it, HTTP {found[1]} with another, expected 401"
    return Finding(check="key", ok=found == [401, 401], says=says)


def closed_paths(access: Access) -> Finding:
    """What the key would not guard is not there."""
    meant = (access.platform.predict, access.platform.health) if access.platform else ()
    closed = {path: body for path, body in CLOSED.items() if path not in meant}
    found = {path: probe(f"{access.url}{path}", None, body)[0] for path, body in closed.items()}
    there = [f"{path} (HTTP {status})" for path, status in found.items() if status != 404]
    says = f"not closed: {', '.join(there)}" if there else f"{', '.join(closed)} give HTTP 404"
    return Finding(check="closed paths", ok=not there, says=says)


def platform_routes(route: Route, access: Access, platform: Platform) -> Finding:
    """The platform's health check passes without the key, and its predictions need the key unless they are open."""
    body = {"messages": [{"role": "user", "content": canary.TEXTS[0]}], "max_tokens": 1}
    health, _ = probe(f"{access.url}{platform.health}")
    status, said = probe(f"{access.url}{platform.predict}", access.key, body)
    without, _ = probe(f"{access.url}{platform.predict}", None, body)
    expected = 200 if platform.is_trusted or access.key is None else 401
    model = said.get("model") if isinstance(said, dict) else None
    ok = (health, status, without, model) == (200, 200, expected, route.name)
    says = (
        f"{platform.health} gives HTTP {health}; {platform.predict} gives HTTP {status} by '{model}' with the key and "
        f"HTTP {without} without it, expected {expected}"
    )
    return Finding(check=f"routes of {platform.name}", ok=ok, says=says)


def chat(route: Route, access: Access) -> Finding:
    """A chat becomes the token ids that the suites' prompts become."""
    renderer = Renderer(route.folder)
    same = refused = 0
    for text in canary.TEXTS:
        turns = [{"role": "user", "content": text}]
        body = {"model": route.name, "messages": turns, "max_tokens": 1, "return_token_ids": True}
        status, said = probe(f"{access.url}/v1/chat/completions", access.key, body)
        refused += status != 200
        same += status == 200 and said.get("prompt_token_ids") == list(renderer.prompt(turns).ids)
    says = f"{same} of {len(canary.TEXTS)} chats become the token ids that were judged"
    return Finding(
        check="chat template",
        ok=same == len(canary.TEXTS),
        says=f"{says}; {refused} were refused" if refused else says,
    )


def answers(route: Route, access: Access, recorded: Sequence[Recorded], say: Callable[[str], None]) -> Finding:
    """The canary at the server, then questions of the run, by the engine that asks servers."""
    try:
        about, found = ask(route, access, [one.ask for one in recorded], say)
    except UserError as error:
        return Finding(check="answers", ok=False, says=str(error))
    effects = [seen["effect"][route.name] for seen in about["canary"].values() if isinstance(seen.get("effect"), dict)]
    moved = f"the adapter moves log probabilities by up to {effects[0]:.3g}" if effects else "the canary answered"
    if not recorded:
        return Finding(check="answers", ok=True, says=f"{moved}; no recorded answers to compare with")
    failed = [one for one in found.values() if one.error]
    if failed:
        says = f"{moved}; {len(failed)} of {len(recorded)} questions got no answer, the first: {failed[0].error}"
        return Finding(check="answers", ok=False, says=says)
    like = likeness(recorded, {place: completion.text for place, completion in found.items()})
    return Finding(check="answers", ok=not like.unlike, says=f"{moved}; {like.says}")


def ask(
    route: Route, access: Access, asks: Sequence[Any], say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[int, Completion]]:
    """What the engine says of the server, and the answers by the place of their question."""
    local = str(route.adapter or route.folder)
    requests = [
        Request(key=str(place), ids=ask.ids, sampling=ask.sampling, variant=CANDIDATE) for place, ask in enumerate(asks)
    ]
    settings = Settings(urls=(access.url,), keep=False, patience_s=PATIENCE_S, say=say)
    with _asking(access):
        checkpoints = {CANDIDATE: endpoints.endpoint(route.name, local)}
        engine = open_engine("openai", checkpoints, max_model_len=longest(requests), settings=settings)
        try:
            found = {int(completion.key): completion for completion in engine.generate(requests)}
            return engine.describe(), found
        finally:
            engine.close()


@contextmanager
def _asking(access: Access) -> Iterator[None]:
    """Inside, the engine that asks servers has this server's key, no other, and takes no proxy to it."""
    names = (*endpoints.KEYS, *PROXIES)
    before = {name: os.environ.pop(name, None) for name in names}
    if access.key:
        os.environ[endpoints.KEYS[0]] = access.key
    os.environ |= dict.fromkeys(PROXIES, "*")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
