"""Test a new server: is it what was approved, and is it closed where it must be?"""

from __future__ import annotations

import json
import math
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from http.client import HTTPException
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.engines import canary
from harness.engines.base import open_engine
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai import config
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob, make_plan
from harness.evaluation.requests import PlannedRequest, longest
from harness.files import digest
from harness.runs.folder import load_manifest, stream
from harness.runs.redaction import default_redactor
from harness.schema import BASELINE, CANDIDATE, Case, Completion, Request
from harness.serving.platforms import Platform
from harness.serving.routing import Access, Route
from harness.suites.prompts import Renderer
from harness.suites.suite import Suite

OPENING = 32
"""Number of equal first characters of answers that count as alike."""
LEAST_ALIKE = 0.5
"""Smallest share of answers that must be alike."""
LEAST_OTHER = 3
"""Number of the baseline's answers that rounding does not explain."""
MOST_NAMED = 5


class Recorded(Struct, frozen=True, kw_only=True):
    """A question of the run, with its answers."""

    ask: PlannedRequest
    """The question, as in the run."""
    approved: str
    """Answer of the approved weights."""
    baseline: str | None
    """Answer of the baseline, where the run had one."""


class AnswerAgreement(Struct, frozen=True, kw_only=True):
    """Agreement of served with recorded answers."""

    compared: int
    """Answers compared."""
    equal: int
    """Of them, equal to the recorded ones."""
    alike: int
    """Of them, with the same start as the recorded ones."""
    apart: int
    """Questions that the baseline answered differently from the approved weights."""
    as_approved: int
    """Of these, answered like the approved weights."""
    as_baseline: int
    """Of these, answered like the baseline."""
    differing: list[str]
    """Ids of the cases whose answers are not equal."""

    @property
    def unlike(self) -> bool:
        """Whether too few answers are alike, or more equal the baseline's than the approved weights'."""
        other = self.as_baseline >= LEAST_OTHER and self.as_baseline > self.as_approved
        return other or self.alike < LEAST_ALIKE * self.compared

    @property
    def says(self) -> str:
        """One sentence for users."""
        sentence = f"{self.equal} of {self.compared} answers equal the recorded ones, {self.alike} begin alike"
        if self.apart:
            sentence += (
                f"; where the baseline answered differently, {self.as_approved} of {self.apart} are the approved "
                f"weights' and {self.as_baseline} the baseline's"
            )
        named = self.differing[:MOST_NAMED]
        return (
            f"{sentence}; not equal: {', '.join(named)}{' ...' if named < self.differing else ''}"
            if named
            else sentence
        )


def load_recorded(run: Path, suites: Sequence[Suite], route: Route, most: int) -> list[Recorded]:
    """Return up to `most` greedy answers of the run, spread over its suites, to prompts that are unchanged."""
    greedy = [suite for suite in suites if not suite.temperature]
    if not greedy or most < 1:
        return []
    each = math.ceil(most / len(greedy))
    job = Job(
        suites=[SuiteJob(suite=suite, cases=_spread(suite.cases, each)) for suite in greedy],
        candidate=route.checkpoint.name,
        repeats=1,
        seed=int(load_manifest(run).sampling.get("seed", 0)),
    )
    plan = make_plan(job, {CANDIDATE: Renderer(route.folder)})
    asks = {
        (greedy[ask.suite].name, ask.case.id): ask
        for ask in plan.asks
        if len(ask.ids) + ask.sampling.max_tokens <= route.max_model_len
    }
    texts: dict[str, dict[tuple[str, str], str]] = {BASELINE: {}, CANDIDATE: {}}
    for suite, record in stream(run):
        key = (suite, record.case.id)
        ask = asks.get(key)
        if ask is None or record.variant not in texts or record.repeat > 1 or record.error or not record.text_kept:
            continue
        # A baseline with another tokenizer received other token ids for the same case.
        same_case = record.variant == BASELINE and record.case.input == ask.case.input
        if same_case or record.prompt_hash == digest(list(ask.ids)):
            texts[record.variant][key] = record.completion.text
    compared_keys = [key for key in asks if key in texts[CANDIDATE]][:most]
    return [
        Recorded(ask=asks[key], approved=texts[CANDIDATE][key], baseline=texts[BASELINE].get(key))
        for key in compared_keys
    ]


def _spread(cases: Sequence[Case], count: int) -> list[Case]:
    """Return `count` cases, spread evenly."""
    count = min(count, len(cases))
    return [cases[place * len(cases) // count] for place in range(count)]


def likeness(recorded: Sequence[Recorded], answers: Mapping[int, str]) -> AnswerAgreement:
    """Compare recorded and served answers; `answers` are texts by the position of their question."""
    pairs = [(one, answers[place]) for place, one in enumerate(recorded)]
    apart = [(one, text) for one, text in pairs if one.baseline not in (None, one.approved)]
    return AnswerAgreement(
        compared=len(pairs),
        equal=sum(text == one.approved for one, text in pairs),
        alike=sum(text[:OPENING] == one.approved[:OPENING] for one, text in pairs),
        apart=len(apart),
        as_approved=sum(text == one.approved for one, text in apart),
        as_baseline=sum(text == one.baseline for one, text in apart),
        differing=[one.ask.case.id for one, text in pairs if text != one.approved],
    )


PROBE_S = 120.0
"""Longest wait for one answer."""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def probe(url: str, key: str | None = None, body: Any = None, timeout_s: float = PROBE_S) -> tuple[int, Any]:
    """Return status and JSON of one request, a POST where there is a body; status 0 where nothing answers."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    sent = None if body is None else json.dumps(body).encode()
    try:
        with _direct.open(urllib.request.Request(url, sent, headers), timeout=timeout_s) as answer:
            return answer.status, _read(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _read(error.read())
    except (OSError, HTTPException):
        return 0, None


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


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


class SmokeCheck(Struct, frozen=True, kw_only=True):
    """One check of a server."""

    check: str
    """What was looked at."""
    ok: bool
    """It is as it must be."""
    says: str
    """What was found."""


def smoke(route: Route, access: Access, recorded: Sequence[Recorded], say: Callable[[str], None]) -> list[SmokeCheck]:
    """Every check, in order; one that fails does not keep the others from being made."""
    platform = access.platform
    checks: list[Callable[[], SmokeCheck]] = [
        lambda: models(route, access),
        lambda: unknown_model(access),
        lambda: no_model(route, access),
        lambda: without_key(access),
        lambda: closed_paths(access),
        *([lambda: platform_routes(route, access, platform)] if platform else []),
        lambda: chat(route, access),
        lambda: answers(route, access, recorded, say),
    ]
    return [check() for check in checks]


def models(route: Route, access: Access) -> SmokeCheck:
    """Check that the served names are the expected ones, each from the expected folder, the deployed model first."""
    status, reply = probe(f"{access.url}/v1/models", access.key)
    served = {str(card.get("id")): str(card.get("root")) for card in (reply or {}).get("data", [])}
    expected = {name: str(folder) for name, folder in route.served.items()}
    says = f"served: {', '.join(served) or f'nothing (HTTP {status})'}"
    wrong = [
        f"'{name}' is from {served[name]}" for name in expected if served.get(name, expected[name]) != expected[name]
    ]
    if served == expected and next(iter(served)) != route.name:
        wrong.append(f"'{route.name}' is not listed first")
    return SmokeCheck(check="models", ok=served == expected and not wrong, says="; ".join([says, *wrong]))


def unknown_model(access: Access) -> SmokeCheck:
    """Check that an unknown name is refused, and no other model answers in its place."""
    body = {"model": UNKNOWN, "prompt": [1], "max_tokens": 1}
    status, _ = probe(f"{access.url}/v1/completions", access.key, body)
    return SmokeCheck(check="unknown model", ok=status == 404, says=f"HTTP {status}, expected 404")


def no_model(route: Route, access: Access) -> SmokeCheck:
    """Check that the deployed model, and not its base, answers requests that name none."""
    chat = {"messages": [{"role": "user", "content": canary.TEXTS[0]}], "max_tokens": 1}
    asked = {"/v1/chat/completions": chat, "/v1/completions": {"prompt": [1], "max_tokens": 1, "model": ""}}
    by = {path: _model(probe(f"{access.url}{path}", access.key, body)) for path, body in asked.items()}
    says = ", ".join(f"{path} gives {found}" for path, found in by.items())
    expected = f"'{route.name}'"
    return SmokeCheck(check="no model", ok=set(by.values()) == {expected}, says=f"{says}, expected {expected}")


def _model(answer: tuple[int, Any]) -> str:
    """Name the model that gave an answer."""
    status, reply = answer
    return f"'{reply.get('model')}'" if status == 200 and isinstance(reply, dict) else f"HTTP {status}"


def without_key(access: Access) -> SmokeCheck:
    """Check that nothing is answered without the key or with another."""
    if access.key is None:
        return SmokeCheck(check="key", ok=True, says="none is set: anyone who reaches the port may use the model")
    statuses = [probe(f"{access.url}/v1/models", key)[0] for key in (None, f"not-{access.key}")]
    says = f"HTTP {statuses[0]} without it, HTTP {statuses[1]} with another, expected 401"
    return SmokeCheck(check="key", ok=statuses == [401, 401], says=says)


def closed_paths(access: Access) -> SmokeCheck:
    """Check that paths that the key does not guard are closed."""
    meant = (access.platform.predict, access.platform.health) if access.platform else ()
    closed = {path: body for path, body in CLOSED.items() if path not in meant}
    statuses = {path: probe(f"{access.url}{path}", None, body)[0] for path, body in closed.items()}
    there = [f"{path} (HTTP {status})" for path, status in statuses.items() if status != 404]
    says = f"not closed: {', '.join(there)}" if there else f"{', '.join(closed)} give HTTP 404"
    return SmokeCheck(check="closed paths", ok=not there, says=says)


def platform_routes(route: Route, access: Access, platform: Platform) -> SmokeCheck:
    """Check the platform's routes: health without the key, predictions with it unless the platform is trusted."""
    body = {"messages": [{"role": "user", "content": canary.TEXTS[0]}], "max_tokens": 1}
    health, _ = probe(f"{access.url}{platform.health}")
    status, reply = probe(f"{access.url}{platform.predict}", access.key, body)
    without, _ = probe(f"{access.url}{platform.predict}", None, body)
    expected = 200 if platform.is_trusted or access.key is None else 401
    model = reply.get("model") if isinstance(reply, dict) else None
    ok = (health, status, without, model) == (200, 200, expected, route.name)
    says = (
        f"{platform.health} gives HTTP {health}; {platform.predict} gives HTTP {status} by '{model}' with the key and "
        f"HTTP {without} without it, expected {expected}"
    )
    return SmokeCheck(check=f"routes of {platform.name}", ok=ok, says=says)


def chat(route: Route, access: Access) -> SmokeCheck:
    """Check that a chat becomes the same token ids as in the suites."""
    renderer = Renderer(route.folder)
    renderer.today = date.today()  # A server gives chat templates its own day.
    same = refused = 0
    for text in canary.TEXTS:
        turns = [{"role": "user", "content": text}]
        body = {"model": route.name, "messages": turns, "max_tokens": 1, "return_token_ids": True}
        status, reply = probe(f"{access.url}/v1/chat/completions", access.key, body)
        refused += status != 200
        same += status == 200 and reply.get("prompt_token_ids") == list(renderer.prompt(turns).ids)
    says = f"{same} of {len(canary.TEXTS)} chats become the token ids that were judged"
    return SmokeCheck(
        check="chat template",
        ok=same == len(canary.TEXTS),
        says=f"{says}; {refused} were refused" if refused else says,
    )


def answers(route: Route, access: Access, recorded: Sequence[Recorded], say: Callable[[str], None]) -> SmokeCheck:
    """Check the canary at the server, then questions of the run, with the engine for servers."""
    try:
        about, completions = ask(route, access, [one.ask for one in recorded], say)
    except UserError as error:
        return SmokeCheck(check="answers", ok=False, says=str(error))
    effects = [seen["effect"][route.name] for seen in about["canary"].values() if isinstance(seen.get("effect"), dict)]
    moved = f"the adapter moves log probabilities by up to {effects[0]:.3g}" if effects else "the canary answered"
    if not recorded:
        return SmokeCheck(check="answers", ok=True, says=f"{moved}; no recorded answers to compare with")
    failed = [one for one in completions.values() if one.error]
    if failed:
        says = f"{moved}; {len(failed)} of {len(recorded)} questions got no answer, the first: {failed[0].error}"
        return SmokeCheck(check="answers", ok=False, says=says)
    masked = default_redactor().mask([msgspec.json.encode(one.text) for one in completions.values()])  # As recorded.
    like = likeness(recorded, dict(zip(completions, map(_read, masked), strict=True)))
    return SmokeCheck(check="answers", ok=not like.unlike, says=f"{moved}; {like.says}")


def ask(
    route: Route, access: Access, asks: Sequence[Any], say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[int, Completion]]:
    """Return the engine's description of the server, and the answers by the position of their question."""
    local = str(route.adapter or route.folder)
    requests = [
        Request(key=str(place), ids=ask.ids, sampling=ask.sampling, variant=CANDIDATE) for place, ask in enumerate(asks)
    ]
    asking = EngineConfig(
        name="openai", servers=Servers(urls=(access.url,)), use_cache=False, patience_s=PATIENCE_S, say=say
    )
    with _asking(access):
        checkpoints = {CANDIDATE: config.endpoint(route.name, local)}
        engine = open_engine(asking, checkpoints, max_model_len=longest(requests))
        try:
            completions = {int(completion.key): completion for completion in engine.generate(requests)}
            return engine.describe(), completions
        finally:
            engine.close()


@contextmanager
def _asking(access: Access) -> Iterator[None]:
    """Give the engine for servers this server's key alone, and no proxy, until the block ends."""
    names = (*config.KEYS, *PROXIES)
    before = {name: os.environ.pop(name, None) for name in names}
    if access.key:
        os.environ[config.KEYS[0]] = access.key
    os.environ |= dict.fromkeys(PROXIES, "*")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
