"""Judge merged weights as in the runs that approved their adapter.

Merged weights are not identical to the adapter, so their own answers must pass, with the same suites, gates, baseline
and engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import structs

from harness.approval.approve import Approval, approve, suites_here
from harness.approval.evidence import Where
from harness.baseline.drift import gates_changed, parts_changed
from harness.checkpoints.resolve import resolve
from harness.engines.base import traits_of
from harness.engines.config import EngineConfig
from harness.errors import GateFailed, refuse_all
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunFolder, load_manifest
from harness.schema import ACCEPTED, BASELINE, Checkpoint, Manifest, SuiteInfo
from harness.suites.suite import Suite

UNJUDGED = "merged weights are not judged, because --ungated was given"


def approved_already(merged: Checkpoint, base: str, where: Where) -> Approval | None:
    """Return the approval of exactly the merged weights, or None; `base` is the content digest of their base model."""
    try:
        return approve(merged, where, None, "serve", base)
    except GateFailed:
        return None


def judge(
    merged: Path, base: str, approval: Approval, where: Where, progress: Progress, tensor_parallel: int = 1
) -> Approval:
    """Repeat the runs that approved the adapter on the merged weights.

    Raises GateFailed where a gate does not pass, UserError where the suites changed.
    """
    for folder, names in approval.runs.items():
        original = load_manifest(folder)
        job = job_like(original, names, merged, list(suites_here(names, where.suites).values()), where.bars)
        if traits_of(job.engine.name).splits_models:
            job.engine = structs.replace(job.engine, tensor_parallel=tensor_parallel)
        results = run(job, RunFolder.create(where.runs, "merged"), progress)
        unmet = [f"{v.suite} {v.gate}: {v.outcome}" for v in results.verdicts if v.outcome != "pass"]
        if unmet or not results.verdicts:
            raise GateFailed(
                "the merged weights do not pass, though their adapter did: "
                f"{'; '.join(unmet) or 'no gate was judged'}. Nothing is served. Read why with: "
                f"tunegate report {results.path}"
            )
    return approve(resolve(str(merged)), where, None, "serve", base)


def job_like(original: Manifest, names: Sequence[str], merged: Path, suites: Sequence[Suite], bars: Path | None) -> Job:
    """Return the original run's job on these suites, for the merged weights.

    Raises UserError for a changed suite or baseline. A server lacks the merged weights, so they are loaded here.
    """
    here = {suite.name: suite for suite in suites}
    infos = [info for info in original.suites if info.name in names]
    problems = [f"{i.name}: does not exist. Name its folder with --suite" for i in infos if i.name not in here]
    problems += [p for i in infos if i.name in here for p in _changed(i, here[i.name], bars)]
    accepted = any(info.accepted for info in infos)
    recorded = None if accepted else original.checkpoints.get(BASELINE)
    baseline = (recorded.path if recorded.kind == "endpoint" else recorded.name) if recorded else None
    if recorded and resolve(str(baseline)).digest != recorded.digest:
        problems.append(f"{recorded.name}: the baseline had other weights. Evaluate the adapter again")
    refuse_all(problems, f"what approved the adapter, run {original.run_id}, cannot be repeated on the merged weights")
    samples = {i.samples for i in infos if i.samples != here[i.name].samples}
    engine = original.engine.get("name")
    return Job(
        suites=[SuiteJob(suite=here[i.name], cases=here[i.name].cases) for i in infos],
        candidate=str(merged),
        baseline=ACCEPTED if accepted else baseline,
        engine=EngineConfig(name=None if traits_of(engine).needs_url else engine),
        repeats=samples.pop() if samples else None,
        seed=int(original.sampling.get("seed", 0)),
        bars=bars,
    )


def _changed(info: SuiteInfo, suite: Suite, bars: Path | None) -> list[str]:
    changed = [*parts_changed(info, suite), *(["gates"] if gates_changed(info, suite, bars) else [])]
    return [f"{suite.name}: {', '.join(changed)} changed since. Evaluate the adapter again"] if changed else []
