"""Loads a shipped suite and judges its own gates on answers by rule: in this process, and as a user's pytest does."""

import json
import os
from collections.abc import Callable, Container, Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from msgspec import structs

from evalsuites.brand.voice.cases import right_answers
from harness.errors import Unavailable
from harness.gates.config import load_gates
from harness.gates.judge import judge
from harness.gates.rules import GATE_RULES
from harness.runs.folder import load_results
from harness.schema import CANDIDATE, Case, Estimate, Record, Verdict
from harness.stats.estimates import estimate
from harness.stats.observations import observations
from harness.suites.suite import Suite
from tests.support.answers import answer, scored_record
from tests.support.command import run_pytest

ROOT = Path(__file__).parents[2]

Answering = Callable[[Case], str]


def suite_of(name: str) -> Suite:
    """The shipped suite of a name such as `legal/clauses`."""
    return import_module(f"evalsuites.{name.replace('/', '.')}.test_{name.split('/')[1]}").suite


def available(name: str) -> Suite:
    """The shipped suite, or a skipped test where its public data is not on this machine."""
    suite = suite_of(name)
    try:
        suite.cases  # noqa: B018 - loading them is the check
    except Unavailable as missing:
        pytest.skip(str(missing))
    return suite


def cases_of(name: str) -> ModuleType:
    """The module that makes the suite's cases and training rows."""
    return import_module(f"evalsuites.{name.replace('/', '.')}.cases")


@cache
def training(name: str, split: str = "train") -> list[tuple[Case, str]]:
    """All training or validation cases with their right answers."""
    module = cases_of(name)
    return list(module.training_pairs(split, module.ROWS[split], 0))


RIGHT: dict[str, Answering] = {
    "brand/voice": lambda case: voice_answers()[case.id],
    "finance/report": lambda case: case.expected[0],
    "legal/citations": lambda case: case.tags["answer"],
    "legal/clauses_long": lambda case: case.input["places"] or "none",
    "legal/extraction": lambda case: "\n".join(case.expected) or "none",
    "policy/handbook": lambda case: case.input["answer"],
}
"""The right answer, as a person writes it, where it is not the list of what is expected."""
voice_answers = cache(right_answers)


def right(name: str) -> Answering:
    """The rule that gives every case of a suite its right answer."""
    return RIGHT.get(name, listed)


def listed(case: Case) -> str:
    """What is expected, as a list."""
    return "; ".join(case.expected) or "none"


def always(text: str) -> Answering:
    """The rule that gives one answer to every case."""
    return lambda case: text


def whole(case: Case) -> str:
    """The document itself as the answer."""
    return case.document


def answered(suite: Suite, answering: Answering, cases: Iterable[Case] | None = None) -> list[Record]:
    """A scored record a case, of the suite's own or of others that it scores."""
    asked = suite.cases if cases is None else cases
    return [scored_record(suite.scorers, case, answer(answering(case))) for case in asked]


@cache
def records(name: str, answering: Answering) -> list[Record]:
    """The scored records of a shipped suite."""
    return answered(suite_of(name), answering)


def levels(suite: Suite, records: list[Record]) -> dict[str, Estimate]:
    """Every metric of the suite by name."""
    return {metric.name: estimate(observations(records, metric), metric) for metric in suite.metrics}


def verdicts(suite: Suite, records: Mapping[str, list[Record]], rules: Container[str] = GATE_RULES) -> list[Verdict]:
    """Those of the suite's gates by some rules; without records of a baseline, comparisons are skipped."""
    gates = load_gates(suite.gates_path)
    return judge(
        suite.name,
        structs.replace(gates, gate=[gate for gate in gates.gate if gate.rule in rules]),
        suite.metrics,
        records,
        expected_cases=len(suite.cases),
        slices=suite.slice_values(),
    )


def outcomes(suite: Suite, records: list[Record]) -> dict[str, str]:
    """Outcome of every absolute gate by its id."""
    found = verdicts(suite, {CANDIDATE: records})
    return {verdict.gate: verdict.outcome for verdict in found if verdict.outcome != "skipped"}


def judged_by_pytest(suite: str, answers: dict[str, str], folder: Path) -> tuple[int, list[Verdict]]:
    """Exit code and verdicts of a shipped suite as a user runs it, with these answers by case id."""
    (folder / "script.json").write_text(json.dumps({"tuned": answers}))
    words = [f"evalsuites/{suite}", "-q", "-p", "no:cacheprovider", "--engine", "fake"]
    words += ["--script", str(folder / "script.json"), "--runs", str(folder / "runs")]
    settings = os.environ | {"TUNEGATE_CACHE": str(folder / "cache")}
    done = run_pytest(*words, cwd=ROOT, env=settings)
    return done.returncode, load_results(next((folder / "runs").iterdir())).verdicts
