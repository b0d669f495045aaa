"""Say what earlier runs tell about a run: other tries on its cases, and gates, cases and scorers that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from harness.baseline.drift import MOST_NAMED, cases_moved, gates_eased, scorers_moved
from harness.errors import UserError
from harness.files import digest
from harness.formatting import count, first_few
from harness.runs.folder import recorded_verdicts, stream, was_missed
from harness.schema import CANDIDATE, Case, Manifest, SuiteInfo, Verdict, combine_outcomes
from harness.suites.suite import Suite

Judged = tuple[Path, Manifest, SuiteInfo]
"""An earlier run that asked all cases of a suite; sequences of them have the newest first."""


def looks(manifest: Manifest, verdicts: Sequence[Verdict], known: Sequence[Judged]) -> Iterator[str]:
    """Say of each suite how many other models and prompts earlier runs judged on its cases.

    Of k tries that all miss a threshold, one or more pass with at most k times the chance of one (Bonferroni). Of a
    suite that passed, say also in which runs the same model did not: its answers differ by rounding or another engine.
    """
    own, tuned = {model.digest for model in manifest.checkpoints.values()}, manifest.checkpoints[CANDIDATE].digest
    for info in manifest.suites:
        if info.asked < info.cases:
            continue
        same = [
            (run, earlier.checkpoints[CANDIDATE].digest, other)
            for run, earlier, other in known
            if other.cases_hash == info.cases_hash
        ]
        tries = {(model, other.prompt_hash) for _, model, other in same} - {(model, info.prompt_hash) for model in own}
        if tries:
            noun = "other model" if {prompt for _, prompt in tries} == {info.prompt_hash} else "other model-prompt pair"
            yield (
                f"{info.name}: earlier runs in this folder judged {count(len(tries), noun)} on these cases. "
                f"One of {len(tries) + 1} passes by chance up to {len(tries) + 1} times as often as one alone: confirm "
                "your choice on cases that chose nothing"
            )
        missed = [
            run.name
            for run, model, other in same
            if model == tuned and other.hash == info.hash and was_missed(run, info.name)
        ]
        if missed and all(verdict.outcome == "pass" for verdict in verdicts if verdict.suite == info.name):
            yield (
                f"{info.name}: the same model did not pass in {count(len(missed), 'earlier run')} with the same gates, "
                f"cases, prompt and scorers: {first_few(missed, 3)}. A pass that comes by repeating a run can be chance"
            )


def eased(
    suite: Suite, gates_hash: str, verdicts: Sequence[Verdict], known: Sequence[Judged], tuned: str = ""
) -> list[str]:
    """Say which gates became easier than in an earlier run; of cases and scorers, what changed since one was missed.

    Back to the newest run that approves another model than `tuned`, a digest: it said what changed before it. Of
    several such runs the oldest is named, because many small steps add up. No gate is compared without `verdicts`.
    """
    said: dict[str, str] = {}
    for run, earlier, info in known:
        if info.name != suite.name:
            continue
        before = _verdicts(run, suite.name)
        if before and verdicts and info.gates_hash != gates_hash and (moved := gates_eased(before, verdicts)):
            said["gates"] = f"{suite.name}, since run {run.name}: {_listed(moved)}"
        missed = f"{suite.name}, since run {run.name}, which did not pass"
        if info.cases_hash != suite.cases_hash and was_missed(run, suite.name):
            changed = _cases_changed(run, suite, with_tags=not earlier.redacted)
            if changed:
                said["cases"] = f"{missed}: {changed}"
        if info.scorers_hash != suite.scorers_hash and was_missed(run, suite.name):
            said["scorers"] = f"{missed}: {_listed(scorers_moved(info.scorers, suite.scorer_versions))}"
        is_other = earlier.checkpoints[CANDIDATE].digest != tuned
        if is_other and not earlier.no_merge and combine_outcomes({v.outcome for v in before}) == "pass":
            break
    return list(said.values())


def _listed(changes: Sequence[str]) -> str:
    more = f"; and {len(changes) - MOST_NAMED} more" if len(changes) > MOST_NAMED else ""
    return "; ".join(changes[:MOST_NAMED]) + more


def _verdicts(run: Path, suite: str) -> list[Verdict]:
    """Return a suite's verdicts of an earlier run; none where they cannot be read."""
    with suppress(UserError):
        return [verdict for verdict in recorded_verdicts(run) if verdict.suite == suite]
    return []


def _cases_changed(run: Path, suite: Suite, with_tags: bool) -> str:
    """Say which cases of an earlier run the suite lacks or has changed; a run's tags may be masked."""

    def hashes(case: Case, inputs: str, expected: str) -> tuple[str, str]:
        return digest([inputs, expected, *([case.cluster, case.tags] if with_tags else [])]), inputs

    before: dict[str, tuple[str, str]] = {}
    with suppress(UserError):
        for name, record in stream(run):
            if name == suite.name and record.variant == CANDIDATE:
                before[record.case.id] = hashes(record.case, record.input_hash, record.expected_hash)
    now = {c.id: hashes(c, digest(c.input), digest(c.expected)) for c in suite.cases if c.id in before}
    return "" if now == before else cases_moved(before, now)
