"""Decide whether weights may be merged or served, by the project's approval policy and its runs.

For every suite in the policy, the newest run on exactly these weights decides. Its stored verdicts are not trusted: its
answers are scored and judged again by the gates, cases, prompt and scorers of the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from msgspec import Struct

from harness.approval.evidence import Evidence, Passed, Refused, Where, evaluations
from harness.approval.policy import PROJECT, Policy, RequiredSuite, current_entry, load_policy, policy_path
from harness.checkpoints.resolve import resolve
from harness.errors import GateFailed, Unavailable, UserError
from harness.formatting import count
from harness.runs.folder import recorded_verdicts, standing_of
from harness.runs.project import project_of
from harness.schema import Checkpoint
from harness.suites.discovery import find_suites
from harness.suites.suite import Suite


class Approval(Struct, frozen=True, kw_only=True):
    """Why weights may be merged or served."""

    says: str
    """One sentence: which runs approved them, or the reason given instead."""
    digest: str
    """Content digest of the weights."""
    passed: tuple[Passed, ...] = ()
    """Every suite that had to pass; empty where a reason was given instead."""

    @property
    def runs(self) -> dict[Path, list[str]]:
        """Folders of the runs that approved, each with the names of the suites passed in it."""
        suites_by_run: dict[Path, list[str]] = {}
        for one in self.passed:
            suites_by_run.setdefault(one.run, []).append(one.suite)
        return suites_by_run


def may_merge(adapter: str, where: Where, ungated: str | None) -> Approval:
    """Approve the merge of an adapter.

    Raises GateFailed where the policy does not approve and no reason was given, UserError where `adapter` is not an
    adapter or there is no policy.
    """
    checkpoint = resolve(adapter)
    if checkpoint.kind != "adapter":
        raise UserError(f"{adapter}: is a whole model, not an adapter. Name a folder with adapter_config.json")
    return approve(checkpoint, where, ungated, "merge")


def approve(checkpoint: Checkpoint, where: Where, ungated: str | None, verb: str, base: str = "") -> Approval:
    """Require that exactly these weights passed every suite of the policy, or take the reason to `verb` without.

    `base` is the content digest of the model that merged weights come from. Raises GateFailed where a suite was not
    passed.
    """
    if ungated is not None:
        says = f"{verb}d without a passing verdict: {reason_of(ungated)}"
        return Approval(says=says, digest=checkpoint.digest)
    path = policy_path(where.bars)
    policy = load_policy(path)
    evidence = Evidence(checkpoint, where, policy, base)
    passed: list[Passed] = []
    missing: list[str] = []
    for one, suite in _required(policy, where):
        try:
            passed.append(evidence.require(one, suite))
        except (Refused, Unavailable) as refused:
            missing.append(f"{one.name}: {refused}")
    if missing:
        why = f"not approved by {_named(path)}: {'; '.join(missing)}"
        raise GateFailed(f"{checkpoint.name}: {why}. {ADVICE}, or {verb} with --ungated REASON")
    named = "; ".join(
        f"{each.suite} by run {each.run.name}, {count(len(each.gates), 'gate')} passed{each.but}" for each in passed
    )
    judged = {verdict.suite for each in passed for verdict in recorded_verdicts(each.run) if verdict.outcome != "pass"}
    if others := sorted(judged - {each.suite for each in passed}):
        named += f". Not in the policy, and not passed: {', '.join(others)}"
    return Approval(says=f"approved by {_named(path)}: {named}", digest=checkpoint.digest, passed=tuple(passed))


def _named(path: Path) -> str:
    """Name a policy; that of a folder within a project, whose runs it judges, from the root of the project."""
    here, project = Path.cwd(), project_of(Path.cwd())
    if project == here or path != policy_path():
        return str(path)
    own = " and not by that of the project around it" if (project / path).exists() else ""
    return f"{here.relative_to(project) / path}{own}"


def reason_of(ungated: str) -> str:
    """Return the reason for doing without a verdict. Raises UserError for an empty one."""
    if not ungated.strip():
        raise UserError("--ungated needs a reason. It is recorded with the result")
    return ungated.strip()


NOT_APPROVED = "Not approved"
"""Start of the sentence on a model that may not be used."""
ADVICE = "Run tunegate compare BASELINE TUNED first"
"""What to do where a model is not approved; a model card leaves it out."""


def verdict_on(checkpoint: Checkpoint, where: Where) -> str | None:
    """Write the sentence of a model card on exactly these weights; None where no run evaluated them."""
    try:
        if not was_evaluated(checkpoint, where.runs):
            return None
        approval = approve(checkpoint, where, None, "merge")
    except GateFailed as error:
        why = str(error).removeprefix(f"{checkpoint.name}: ").partition(f". {ADVICE}")[0]
        return f"{why[0].upper()}{why[1:]}."
    except UserError as error:
        return f"{NOT_APPROVED}: {error}."
    return "\n".join(
        [f"{approval.says[0].upper()}{approval.says[1:]}.", "", *(f"- {one.says}" for one in approval.passed)]
    )


def was_evaluated(checkpoint: Checkpoint, runs: Path) -> bool:
    """Whether any run evaluated exactly these weights."""
    return any(True for _ in evaluations(checkpoint, runs))


def newest_evaluation(checkpoint: Checkpoint, runs: Path) -> Path | None:
    """Return the run that evaluated exactly these weights last and may claim its verdicts; None without one."""
    found = [
        (manifest.started, folder)
        for folder, manifest in evaluations(checkpoint, runs)
        if standing_of(folder, manifest).is_claim
    ]
    return max(found)[1] if found else None


def suites_here(names: Iterable[str], folders: Iterable[str] = ()) -> dict[str, Suite]:
    """Find suites by name: the project's own first, then those below the folders."""
    wanted_names = list(names)
    own = [str(PROJECT / name) for name in wanted_names if (PROJECT / name).is_dir()]
    suites = {suite.name: suite for suite in find_suites(folders)} if folders else {}
    suites |= {suite.name: suite for suite in find_suites(own)}
    return {name: suites[name] for name in wanted_names if name in suites}


def _required(policy: Policy, where: Where) -> Iterator[tuple[RequiredSuite, Suite | None]]:
    """Yield what must have passed, with its suite where it exists: first the policy's, then further ones."""
    more = list(find_suites(where.suites)) if where.suites else []
    named = {one.name for one in policy.suite}
    here = suites_here(named, where.suites)
    yield from ((one, here.get(one.name)) for one in policy.suite)
    yield from ((current_entry(suite, where.bars), suite) for suite in more if suite.name not in named)
