"""May these weights be merged or served? Asks the project's approval policy, and run folders for the evidence.

For every suite that the policy names, the newest run on exactly these weights decides. Its stored verdicts are not
believed: its answers are scored and judged again by the gates, cases, prompt and scorers that the policy names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from harness.approval.policy import PROJECT, Policy, RequiredSuite, as_it_is, load_policy, moved, policy_path
from harness.baseline.compare import compare_with_baselines, prompt_hashes
from harness.checkpoints.resolve import resolve
from harness.errors import GateFailed, Unavailable, UserError
from harness.evaluation.noise_file import read_floors, with_floors
from harness.evaluation.run import estimate_and_judge
from harness.files import digest, file_sha256
from harness.gates.config import gate_ids, load_suite_gates
from harness.gates.rules import COMPARATIVE
from harness.runs.folder import SEAL, load_manifest, recorded_verdicts, standing_of, stream
from harness.schema import ACCEPTED, BASELINE, CANDIDATE, Checkpoint, GateFile, Manifest, Record, SuiteInfo, Verdict
from harness.scoring.base import run as score
from harness.suites.discovery import find_suites
from harness.suites.suite import Suite


class Where(Struct, frozen=True, kw_only=True):
    """Where a decision is looked for."""

    runs: Path
    """Folder of the run folders."""
    bars: Path | None = None
    """The copy of evalsuites whose policy, gates and accepted baselines decide; None takes the project's own."""
    suites: tuple[str, ...] = ()
    """Folders of suites that must have passed too, whether the policy names them or not."""


class Passed(Struct, frozen=True, kw_only=True):
    """One suite that the weights passed, and what shows it."""

    suite: str
    """Suite name."""
    run: Path
    """Folder of the run."""
    seal: str
    """SHA-256 of the run's MANIFEST.sha256."""
    gates: list[str]
    """Names of its gates; every one passed."""
    gates_digest: str
    """Digest of its gates.toml."""

    @property
    def says(self) -> str:
        """One line for a model card or a record."""
        gates = ", ".join(self.gates)
        return f"{self.suite}: run {self.run.name} (seal {self.seal}) passed {gates} (gates.toml {self.gates_digest})"


class Approval(Struct, frozen=True, kw_only=True):
    """Why weights may be merged or served."""

    says: str
    """One sentence: which runs approved them, or the reason that stands in their place."""
    passed: tuple[Passed, ...] = ()
    """Every suite that had to pass; none where a reason was given instead."""

    @property
    def runs(self) -> dict[Path, list[str]]:
        """Folders of the runs that approved, each with the names of the suites that it passed."""
        found: dict[Path, list[str]] = {}
        for one in self.passed:
            found.setdefault(one.run, []).append(one.suite)
        return found


def may_merge(adapter: str, where: Where, ungated: str | None) -> Approval:
    """Why the adapter may be merged.

    Raises GateFailed when the policy does not approve and no reason was given, UserError when `adapter` is not an
    adapter or there is no policy.
    """
    checkpoint = resolve(adapter)
    if checkpoint.kind != "adapter":
        raise UserError(f"{adapter}: is a whole model, not an adapter. Name a folder with adapter_config.json")
    return approve(checkpoint, where, ungated, "merge")


def approve(checkpoint: Checkpoint, where: Where, ungated: str | None, verb: str, base: str = "") -> Approval:
    """Every suite that the policy names, passed by exactly these weights, or the reason to `verb` without.

    `base` is the content digest of the model that merged weights come from. GateFailed where a suite was not passed.
    """
    if ungated is not None:
        return Approval(says=f"{verb}d without a passing verdict: {reason_of(ungated)}")
    path = policy_path(where.bars)
    policy = load_policy(path)
    judging = _Judging(checkpoint, where, policy, base)
    found = [judging.decide(one, suite) for one, suite in _required(policy, where)]
    if short := [one for one in found if isinstance(one, str)]:
        raise GateFailed(
            f"{checkpoint.name}: not approved by {path}: {'; '.join(short)}. Evaluate it with --baseline first, or "
            f"{verb} with --ungated REASON"
        )
    passed = tuple(one for one in found if isinstance(one, Passed))
    named = "; ".join(f"{one.suite} by run {one.run.name}, {len(one.gates)} gates passed" for one in passed)
    return Approval(says=f"approved by {path}: {named}", passed=passed)


def reason_of(ungated: str) -> str:
    """The reason that was given for doing without a verdict; an empty one is a UserError."""
    if not ungated.strip():
        raise UserError("--ungated needs a reason. It is kept with what is made without a verdict")
    return ungated.strip()


def verdict_on(checkpoint: Checkpoint, where: Where) -> str | None:
    """One sentence for the model card on exactly these weights; None where no run evaluated them."""
    if not was_evaluated(checkpoint, where.runs):
        return None
    try:
        found = approve(checkpoint, where, None, "merge")
    except GateFailed as error:
        return f"Not approved: {str(error).removeprefix(f'{checkpoint.name}: ').partition('. Evaluate it')[0]}."
    except UserError as error:
        return f"Not approved: {error}."
    return "\n".join([f"{found.says[0].upper()}{found.says[1:]}.", "", *(f"- {one.says}" for one in found.passed)])


def was_evaluated(checkpoint: Checkpoint, runs: Path) -> bool:
    """Any run evaluated exactly these weights."""
    return any(True for _ in _evaluations(checkpoint, runs))


def suites_here(names: Iterable[str], folders: Iterable[str] = ()) -> dict[str, Suite]:
    """Suites of these names: the project's own, and those below the folders that the project does not have."""
    wanted = list(names)
    own = [str(PROJECT / name) for name in wanted if (PROJECT / name).is_dir()]
    found = {suite.name: suite for suite in find_suites(folders)} if folders else {}
    found |= {suite.name: suite for suite in find_suites(own)}
    return {name: found[name] for name in wanted if name in found}


def _required(policy: Policy, where: Where) -> Iterator[tuple[RequiredSuite, Suite | None]]:
    """What must have passed, with its suite where it is here: what the policy names, then what was asked for."""
    more = list(find_suites(where.suites)) if where.suites else []
    named = {one.name for one in policy.suite}
    here = suites_here(named, where.suites)
    yield from ((one, here.get(one.name)) for one in policy.suite)
    yield from ((as_it_is(suite, where.bars), suite) for suite in more if suite.name not in named)


def _evaluations(checkpoint: Checkpoint, runs: Path) -> Iterator[tuple[Path, Manifest]]:
    """Every run that asked exactly these weights, whatever it came to; a model against itself is none."""
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        file = folder / "run.json"
        if not file.is_file() or checkpoint.digest.encode() not in file.read_bytes():
            continue
        try:
            manifest = load_manifest(folder)
        except UserError:
            if (folder / SEAL).exists():
                raise
            continue
        seen = manifest.checkpoints.get(CANDIDATE)
        if manifest.kind == "eval" and seen and seen.digest == checkpoint.digest and not manifest.asked_twice:
            yield folder, manifest


class _Judging:
    """Decides suite by suite for one checkpoint."""

    def __init__(self, checkpoint: Checkpoint, where: Where, policy: Policy, base: str) -> None:
        self.where, self.policy = where, policy
        self.base = checkpoint.base_digest if checkpoint.kind == "adapter" else base
        self.evaluations = list(_evaluations(checkpoint, where.runs))

    def decide(self, one: RequiredSuite, suite: Suite | None) -> Passed | str:
        """What shows that a suite was passed, or why nothing does."""
        try:
            return self._decide(one, suite)
        except (Refused, Unavailable) as refused:
            return f"{one.name}: {refused}"

    def _decide(self, one: RequiredSuite, suite: Suite | None) -> Passed:
        if suite is None:
            raise Refused(f"its folder {PROJECT / one.name} is not here")
        if changed := moved(one, as_it_is(suite, self.where.bars)):
            raise Refused(
                f"its {' and '.join(changed)} changed since the policy was written; where that is meant, renew it with "
                "`tunegate approval`"
            )
        gates = load_suite_gates(suite, self.where.bars)
        newest = self._newest(one.name)
        for folder, manifest in newest:
            info = self._as_required(folder, manifest, one, suite)
            self._all_passed(folder, manifest, one, suite, gates, info)
        folder, _ = newest[-1]
        return Passed(
            suite=one.name,
            run=folder,
            seal=file_sha256(folder / SEAL),
            gates=[str(gate.id) for gate in gate_ids(gates, suite.slice_values())],
            gates_digest=one.gates,
        )

    def _newest(self, name: str) -> list[tuple[Path, Manifest]]:
        """The newest run that asked the suite, or all that started in the same second.

        A run that was stopped before its end says nothing for or against the weights, and is passed over.
        """
        asked = [
            (folder, manifest)
            for folder, manifest in self.evaluations
            if any(info.name == name for info in manifest.suites)
            and ((folder / SEAL).exists() or manifest.status == "finished")
        ]
        if not asked:
            raise Refused(f"no run in {self.where.runs.resolve()} evaluated these weights on it")
        last = max(manifest.started for _, manifest in asked)
        return [(folder, manifest) for folder, manifest in asked if manifest.started == last]

    def _as_required(self, folder: Path, manifest: Manifest, one: RequiredSuite, suite: Suite) -> SuiteInfo:
        """The run's record of the suite, where it is whole, unchanged and asked what the policy names."""
        if folder.name != manifest.run_id:
            raise Refused(f"{folder.name} is a renamed copy of run {manifest.run_id}")
        found = standing_of(folder, manifest)
        if not found.is_claim:
            raise Refused(f"{manifest.run_id} may claim no verdict: {found.reason}")
        self._refuse_untrusted(manifest, CANDIDATE)
        (info, *others) = [info for info in manifest.suites if info.name == one.name]
        recorded = {"gates": info.gates_hash, "cases": info.cases_hash, "prompt": info.prompt_hash}
        recorded["scorers"] = info.scorers_hash
        if other := [key for key, value in recorded.items() if value != getattr(one, key)]:
            raise Refused(f"{manifest.run_id} had other {' and '.join(other)} than the policy names")
        if others or info.asked != len(suite.cases) or info.cases != len(suite.cases):
            raise Refused(f"{manifest.run_id} asked {info.asked} of {len(suite.cases)} cases")
        if info.left_out and not suite.leave_out_long:
            raise Refused(f"{manifest.run_id} left out {len(info.left_out)} cases, which the suite does not allow")
        return info

    def _all_passed(
        self, folder: Path, manifest: Manifest, one: RequiredSuite, suite: Suite, gates: GateFile, info: SuiteInfo
    ) -> None:
        """Every gate of the file passed, by the run's verdicts and by its answers judged again."""
        stored = [verdict for verdict in recorded_verdicts(folder) if verdict.suite == one.name]
        wanted = [str(gate.id) for gate in gate_ids(gates, suite.slice_values())]
        _refuse_unmet(manifest.run_id, wanted, stored)
        if any(gate.rule in COMPARATIVE for gate in gates.gate):
            self._compared_as_required(manifest, one, info)
        again = judged_again(folder, manifest, suite, gates, self.where.bars)
        _refuse_unmet(f"{manifest.run_id}, its answers judged again,", wanted, again)

    def _compared_as_required(self, manifest: Manifest, one: RequiredSuite, info: SuiteInfo) -> None:
        """The baseline of the comparative gates is one that counts: a weak one would make anything look better."""
        if info.accepted is not None:
            if info.accepted.digest != one.accepted:
                raise Refused(f"{manifest.run_id} had another accepted baseline than the policy names")
            return
        self._refuse_untrusted(manifest, BASELINE)
        seen = manifest.checkpoints.get(BASELINE)
        same_prompts = not manifest.own_prompts(info)
        if seen is None or not ((self._is_base(seen) and same_prompts) or seen.digest in one.baselines):
            named = f"{seen.name} ({seen.digest})" if seen else "no model"
            raise Refused(
                f"{manifest.run_id} compared with {named}, which is neither the base of these weights with the same "
                "tokenizer and chat template nor among `baselines` of the suite in the policy"
            )

    def _refuse_untrusted(self, manifest: Manifest, variant: str) -> None:
        """The weights that answered are known to be those whose digest is recorded, or the policy trusts the server."""
        seen = manifest.checkpoints.get(variant)
        if seen is not None and seen.pin == "name":
            raise Refused(f"{manifest.run_id} asked a server whose weights are not known ({seen.name})")
        if seen is not None and seen.pin == "trusted canary" and not self.policy.trust_server:
            raise Refused(
                f"{manifest.run_id} trusted a server to have the weights of {seen.name}, and the policy does not allow "
                "that (trust_server = false)"
            )

    def _is_base(self, seen: Checkpoint) -> bool:
        return seen.adapter_digest is None and bool(self.base) and seen.base_digest == self.base


class Refused(Exception):
    """Why a suite does not count as passed."""


def _refuse_unmet(run: str, wanted: Sequence[str], verdicts: Sequence[Verdict]) -> None:
    outcomes: Mapping[str, str] = {verdict.gate: verdict.outcome for verdict in verdicts}
    short = [f"{gate}: {outcomes.get(gate, 'not judged')}" for gate in wanted if outcomes.get(gate) != "pass"]
    short += [f"{verdict.gate}: {verdict.outcome}" for verdict in verdicts if verdict.gate not in wanted]
    if short:
        raise Refused(f"{run} has {len(short)} of {len(wanted)} gates not passed ({', '.join(short)})")


def judged_again(folder: Path, manifest: Manifest, suite: Suite, gates: GateFile, bars: Path | None) -> list[Verdict]:
    """A suite's verdicts from the run's answers alone: scored again against the suite's own cases, then judged."""
    cases = {case.id: case for case in suite.cases}

    def answers() -> Iterator[tuple[str, Record]]:
        for name, record in stream(folder):
            if name != suite.name or record.variant not in (BASELINE, CANDIDATE) or not record.text_kept:
                continue
            case = cases.get(record.case.id)
            if case is None:
                raise Refused(f"{manifest.run_id} has an answer to {record.case.id}, which is no case of the suite")
            found = score(suite.scorers, case, record.completion)
            yield name, structs.replace(record, case=case, input_hash=digest(case.input), scores=found)

    records: Iterable[tuple[str, Record]] = answers()
    if any(info.name == suite.name and info.accepted for info in manifest.suites):
        prompts = prompt_hashes((n, r) for n, r in stream(folder) if n == suite.name and r.variant == CANDIDATE)
        tokenizer = manifest.checkpoints[CANDIDATE].tokenizer_digest
        kept = compare_with_baselines([suite], {suite.name: gates}, ACCEPTED, bars, prompts, tokenizer)
        infos = [structs.replace(i, accepted=kept.infos.get(i.name, i.accepted)) for i in manifest.suites]
        manifest = structs.replace(manifest, suites=infos)
        records = [*((suite.name, record) for record in kept.records[suite.name]), *records]
    manifest = with_floors(manifest, read_floors([suite], bars))
    return estimate_and_judge([suite], {suite.name: gates}, manifest, records)[1]
