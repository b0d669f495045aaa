"""What is said before a run: how many answers, and how long where that was measured."""

from pathlib import Path

import pytest

from harness.engines.config import EngineConfig
from harness.evaluation.plan import forecast
from tests.support.mini import job_of, write_suite

EMBEDDED = "smollm2-135m-instruct"
MEASURED = "2 CPU cores with the embedded model"
UNKNOWN = "the time depends on model and device"


@pytest.mark.parametrize(
    ("engine", "candidate", "baseline", "said"),
    [
        ("vllm", EMBEDDED, None, MEASURED),
        ("transformers", EMBEDDED, None, MEASURED),
        (None, EMBEDDED, None, MEASURED),
        (None, "org/large-70b", None, UNKNOWN),
        (None, EMBEDDED, "org/large-70b", UNKNOWN),
        (None, "runs/x", EMBEDDED, UNKNOWN),
        ("fake", EMBEDDED, None, "scripted"),
    ],
)
def test_only_a_time_that_was_measured_is_forecast(
    tmp_path: Path, engine: str | None, candidate: str, baseline: str | None, said: str
) -> None:
    write_suite(tmp_path)
    job = job_of(tmp_path, candidate=candidate, baseline=baseline, engine=EngineConfig(name=engine))
    head, how_long = forecast(job)
    assert f"{80 if baseline else 40} answers for " in head and f"tuned {candidate}" in head
    assert said in how_long and ("embedded" in how_long) == (said == MEASURED)
    assert said != UNKNOWN or "tokens of prompts and answers" in how_long
