"""Says what a run will ask and about how long it will take, before anything is asked."""

from __future__ import annotations

from harness.clock import clock
from harness.embedded import EMBEDDED
from harness.plan import Job, SuiteJob
from harness.schema import BASELINE, CANDIDATE

TOKENS_A_SECOND = {"vllm": 1600, "transformers": 400}
"""Prompt and answer together, as measured with the embedded model on 2 cores."""
CHARACTERS_A_TOKEN = 4
TEMPLATE = 600
"""Characters around a case's own inputs."""
ANSWERED = 0.5
"""Share of the answer's limit that answers take."""
START_S = {"vllm": 45.0, "transformers": 15.0}


def forecast(job: Job) -> list[str]:
    """Two lines: the questions, and how long answers take that are not cached, where that was measured."""
    names = {BASELINE: job.asked_baseline, CANDIDATE: job.candidate}
    if job.servers:
        served = {BASELINE: job.servers.baseline, CANDIDATE: job.servers.model}
        names = {variant: name and (served[variant] or name) for variant, name in names.items()}
    asked = {v: n for v, n in names.items() if n is not None}
    answers = sum(len(part.cases) * job.samples(part.suite) for part in job.suites) * len(asked)
    who = " and ".join(f"{v} {n}" for v, n in asked.items())
    suites = ", ".join(f"{part.suite.name} ({len(part.cases)})" for part in job.suites)
    head = f"tunegate: {answers} answers for {who}: {suites}"
    if job.servers:
        return [head, f"tunegate: asked of {', '.join(job.servers.urls)}; how long that takes is up to them"]
    if job.engine == "ray":
        return [head, "tunegate: asked of vLLM engines on Ray; how long that takes is up to their devices"]
    if job.engine == "fake":
        return [head, "tunegate: the answers are scripted; no model is loaded"]
    engine = job.engine or "vllm"
    tokens = sum(_tokens(part) * job.samples(part.suite) for part in job.suites) * len(asked)
    if engine not in START_S or set(asked.values()) != {EMBEDDED}:
        amount = f"about {tokens:,.0f} tokens of prompts and answers"
        return [head, f"tunegate: {amount}; the time depends on model and device, and cached answers take none"]
    seconds = len(asked) * START_S[engine] + tokens / TOKENS_A_SECOND[engine]
    return [
        head,
        f"tunegate: about {clock(seconds)} on 2 CPU cores with the embedded model; cached answers take no time",
    ]


def _tokens(part: SuiteJob) -> float:
    """Tokens of one answer to every case of a suite, guessed from the length of its inputs."""
    told = sum(TEMPLATE + sum(map(len, case.input.values())) for case in part.cases)
    return told / CHARACTERS_A_TOKEN + len(part.cases) * part.suite.max_tokens * ANSWERED
