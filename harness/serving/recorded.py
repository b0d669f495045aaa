"""Answers that a run recorded, and how like them a server answers. Asks no server.

Equal greedy answers cannot be demanded: sums are rounded by the batch, and one token that differs changes all that
follow. So openings are compared, which rounding seldom reaches, and the baseline's answers, to see whether it answered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from harness.asks import Ask
from harness.digest import digest
from harness.plan import Job, SuiteJob, make_plan
from harness.prompts import Renderer
from harness.schema import BASELINE, CANDIDATE, Case
from harness.serving.route import Route
from harness.store import load_manifest, stream
from harness.suite import Suite

OPENING = 32
"""Characters in which answers must begin alike to count as alike."""
LEAST_ALIKE = 0.5
"""Share of answers that must."""
LEAST_OTHER = 3
"""So many answers of the baseline are no matter of rounding."""
MOST_NAMED = 5


class Recorded(Struct, frozen=True, kw_only=True):
    """A question of the run, with its answers."""

    ask: Ask
    """The question, as the run asked it."""
    approved: str
    """What the approved weights answered."""
    baseline: str | None
    """What the baseline answered, where the run had one."""


class Likeness(Struct, frozen=True, kw_only=True):
    """Served answers against recorded ones."""

    compared: int
    """Answers compared."""
    equal: int
    """Of them, word for word the recorded ones."""
    alike: int
    """Of them, those that begin as the recorded ones do."""
    apart: int
    """Questions to which the baseline gave another answer than the approved weights."""
    as_approved: int
    """Of these, answered as the approved weights did."""
    as_baseline: int
    """Of these, answered as the baseline did."""
    differing: list[str]
    """Ids of the cases whose answers are not equal."""

    @property
    def unlike(self) -> bool:
        """Too few answers begin alike, or more are the baseline's than the approved weights'."""
        other = self.as_baseline >= LEAST_OTHER and self.as_baseline > self.as_approved
        return other or self.alike < LEAST_ALIKE * self.compared

    @property
    def says(self) -> str:
        """One sentence for people."""
        said = f"{self.equal} of {self.compared} answers equal the recorded ones, {self.alike} begin alike"
        if self.apart:
            said += (
                f"; where the baseline answered otherwise, {self.as_approved} of {self.apart} are the approved "
                f"weights' and {self.as_baseline} the baseline's"
            )
        named = self.differing[:MOST_NAMED]
        return f"{said}; not equal: {', '.join(named)}{' ...' if named < self.differing else ''}" if named else said


def recall(run: Path, suites: Sequence[Suite], route: Route, most: int) -> list[Recorded]:
    """Up to `most` greedy answers of the run, spread over its suites, to prompts that are still the run's."""
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
        if ask is None or record.variant not in texts or record.repeat > 1 or record.error:
            continue
        # A baseline with another tokenizer received other token ids for the same case.
        same_case = record.variant == BASELINE and record.case.input == ask.case.input
        if same_case or record.prompt_hash == digest(list(ask.ids)):
            texts[record.variant][key] = record.completion.text
    found = [key for key in asks if key in texts[CANDIDATE]][:most]
    return [Recorded(ask=asks[key], approved=texts[CANDIDATE][key], baseline=texts[BASELINE].get(key)) for key in found]


def _spread(cases: Sequence[Case], count: int) -> list[Case]:
    """So many cases, spread evenly."""
    count = min(count, len(cases))
    return [cases[place * len(cases) // count] for place in range(count)]


def likeness(recorded: Sequence[Recorded], answers: Mapping[int, str]) -> Likeness:
    """Compare; `answers` are the served texts by the place of their question."""
    pairs = [(one, answers[place]) for place, one in enumerate(recorded)]
    apart = [(one, text) for one, text in pairs if one.baseline not in (None, one.approved)]
    return Likeness(
        compared=len(pairs),
        equal=sum(text == one.approved for one, text in pairs),
        alike=sum(text[:OPENING] == one.approved[:OPENING] for one, text in pairs),
        apart=len(apart),
        as_approved=sum(text == one.approved for one, text in apart),
        as_baseline=sum(text == one.baseline for one, text in apart),
        differing=[one.ask.case.id for one, text in pairs if text != one.approved],
    )
