"""Says what a run will ask and about how long it will take, before anything is asked."""

from __future__ import annotations

from harness.plan import Job
from harness.progress import clock
from harness.schema import BASELINE, CANDIDATE

SECONDS_AN_ANSWER = {"fake": 0.0005, "vllm": 0.12, "transformers": 0.6}
START_S = {"fake": 0.0, "vllm": 45.0, "transformers": 15.0}


def forecast(job: Job) -> list[str]:
    """Two lines: the questions, and a rough time for answers that are not cached (2 cores, the embedded model)."""
    names = {BASELINE: job.baseline, CANDIDATE: job.candidate}
    asked = {v: n for v, n in names.items() if n is not None}
    answers = sum(len(part.cases) * job.samples(part.suite) for part in job.suites) * len(asked)
    who = " and ".join(f"{v} {n}" for v, n in asked.items())
    suites = ", ".join(f"{part.suite.name} ({len(part.cases)})" for part in job.suites)
    engine = job.engine or "vllm"
    seconds = len(asked) * START_S[engine] + answers * SECONDS_AN_ANSWER[engine]
    return [
        f"tunegate: {answers} answers for {who}: {suites}",
        f"tunegate: up to {clock(seconds)} on 2 CPU cores with the embedded model; cached answers take no time",
    ]
