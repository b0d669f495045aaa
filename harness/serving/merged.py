"""Judges merged weights as the run that approved their adapter was judged. Merges nothing and serves nothing.

A merge is not identical to its adapter, so its own answers must pass: the same suites, bars, baseline and engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.approval import Approval, approve
from harness.checkpoints import resolve
from harness.digest import digest
from harness.errors import GateFailed, Unavailable, UserError, refuse_all
from harness.plan import Job, SuiteJob, gates_path
from harness.progress import Progress
from harness.runner import find_suites, run
from harness.schema import ACCEPTED, BASELINE, Checkpoint, Manifest, SuiteInfo
from harness.store import RunFolder, load_manifest
from harness.suite import Suite

UNJUDGED = "merged weights are not judged, because --ungated was given"


def suites_of(manifest: Manifest, folders: Iterable[str]) -> list[Suite]:
    """The run's suites that are below the folders, their data at hand; none at all is a UserError."""
    wanted = {info.name for info in manifest.suites}
    found = [suite for suite in find_suites(folders) if suite.name in wanted]
    here = [suite for suite in found if _has_cases(suite)]
    if not here:
        raise UserError(
            f"none of the suites of run {manifest.run_id} is here with its data: {', '.join(sorted(wanted))}. Name "
            "their folder with --suite"
        )
    return here


def _has_cases(suite: Suite) -> bool:
    try:
        suite.cases  # noqa: B018 - loading them is the check
    except Unavailable:
        return False
    return True


def approved_already(merged: Checkpoint, original: Manifest, root: Path) -> Approval | None:
    """A passing run on exactly the merged weights that judged at least what the original one did."""
    try:
        found = approve(merged, root, None, "serve")
    except GateFailed:
        return None
    assert found.run is not None
    judged = {info.name: _version(info) for info in load_manifest(found.run).suites}
    return found if all(judged.get(info.name) == _version(info) for info in original.suites) else None


def _version(info: SuiteInfo) -> list[str]:
    accepted = info.accepted.digest if info.accepted else ""
    return [info.cases_hash, info.prompt_hash, info.scorers_hash, info.gates_hash, accepted]


def judge(
    merged: Path, original: Manifest, suites: Sequence[Suite], bars: Path | None, root: Path, progress: Progress
) -> Approval:
    """Ask and judge the merged weights; GateFailed where a gate does not pass, UserError where the suites changed."""
    job = job_like(original, merged, suites, bars)
    made = run(job, RunFolder.create(root, "merged"), progress)
    short = [f"{v.suite} {v.gate}: {v.outcome}" for v in made.verdicts if v.outcome != "pass"]
    if short or not made.verdicts:
        raise GateFailed(
            f"the merged weights do not pass, though their adapter did: {'; '.join(short) or 'no gate was judged'}. "
            f"Nothing is served. Read why with: tunegate report {made.path}"
        )
    return approve(resolve(str(merged)), root, None, "serve")


def job_like(original: Manifest, merged: Path, suites: Sequence[Suite], bars: Path | None) -> Job:
    """What the original run asked, of the merged weights. A suite or baseline that is another now is a UserError."""
    here = {suite.name: suite for suite in suites}
    problems = [f"{i.name}: is not here. Name its folder with --suite" for i in original.suites if i.name not in here]
    problems += [p for i in original.suites if i.name in here for p in _changed(i, here[i.name], bars)]
    accepted = any(info.accepted for info in original.suites)
    asked = None if accepted else original.checkpoints.get(BASELINE)
    if asked and resolve(asked.name).digest != asked.digest:
        problems.append(f"{asked.name}: the baseline had other weights. Evaluate the adapter again")
    refuse_all(problems, f"what approved the adapter, run {original.run_id}, cannot be repeated on the merged weights")
    samples = {i.samples for i in original.suites if i.samples != here[i.name].samples}
    return Job(
        suites=[SuiteJob(suite=here[i.name], cases=here[i.name].cases) for i in original.suites],
        candidate=str(merged),
        baseline=ACCEPTED if accepted else asked.name if asked else None,
        engine=original.engine.get("name"),
        repeats=samples.pop() if samples else None,
        seed=int(original.sampling.get("seed", 0)),
        bars=bars,
    )


def _changed(info: SuiteInfo, suite: Suite, bars: Path | None) -> list[str]:
    pairs = {
        "cases": (info.cases_hash, suite.cases_hash),
        "prompt": (info.prompt_hash, suite.prompt_hash),
        "scorers": (info.scorers_hash, suite.scorers_hash),
        "gates": (info.gates_hash, digest(gates_path(suite, bars).read_bytes())),
    }
    changed = [what for what, (then, now) in pairs.items() if then != now]
    return [f"{suite.name}: {', '.join(changed)} changed since. Evaluate the adapter again"] if changed else []
