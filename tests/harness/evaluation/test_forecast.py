"""What is said before a run: how many answers, and how long where that was measured."""

from pathlib import Path

import pytest

from harness.engines.config import EngineConfig
from harness.evaluation.plan import Job, SuiteJob, forecast
from harness.suites.discovery import find_suites
from tests.support.mini import write_suite

EMBEDDED = "smollm2-135m-instruct"


@pytest.fixture
def parts(tmp_path: Path) -> list[SuiteJob]:
    (suite,) = find_suites([str(write_suite(tmp_path))])
    return [SuiteJob(suite=suite, cases=suite.cases)]


@pytest.mark.parametrize("engine", ["vllm", "transformers", None])
def test_the_embedded_model_has_a_time_that_was_measured(parts: list[SuiteJob], engine: str | None) -> None:
    head, how_long = forecast(Job(suites=parts, candidate=EMBEDDED, engine=EngineConfig(name=engine)))
    assert "40 answers for tuned smollm2-135m-instruct" in head
    assert "2 CPU cores with the embedded model" in how_long


@pytest.mark.parametrize(
    ("candidate", "baseline"), [("org/large-70b", None), (EMBEDDED, "org/large-70b"), ("runs/x", EMBEDDED)]
)
def test_another_checkpoint_is_not_forecast_by_the_embedded_model(
    parts: list[SuiteJob], candidate: str, baseline: str | None
) -> None:
    said = "\n".join(forecast(Job(suites=parts, candidate=candidate, baseline=baseline)))
    assert "embedded" not in said and "CPU" not in said
    assert "tokens of prompts and answers" in said and "depends on model and device" in said


def test_scripted_answers_need_no_model(parts: list[SuiteJob]) -> None:
    said = "\n".join(forecast(Job(suites=parts, candidate=EMBEDDED, engine=EngineConfig(name="fake"))))
    assert "embedded" not in said and "scripted" in said
