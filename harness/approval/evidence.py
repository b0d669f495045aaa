"""Find the runs that evaluated some weights, and judge their answers again as the approval policy requires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from harness.approval.policy import PROJECT, Policy, RequiredSuite, changed_parts, current_entry
from harness.baseline.compare import compare_with_baselines, prompt_hashes
from harness.errors import UserError
from harness.evaluation.noise_file import is_idle_noise, read_floors, with_floors
from harness.evaluation.run import estimate_and_judge
from harness.files import digest, file_sha256
from harness.formatting import count, first_few
from harness.gates.config import gate_ids, load_suite_gates
from harness.gates.rules import COMPARATIVE
from harness.gates.sentences import gate_in_words
from harness.runs.folder import SEAL, load_manifest, now, recorded_verdicts, standing_of, stream, was_missed
from harness.runs.status import no_merge
from harness.schema import ACCEPTED, BASELINE, CANDIDATE, Checkpoint, GateFile, Manifest, Record, SuiteInfo, Verdict
from harness.suites.suite import Suite

OR_ELSE = "make it readable, move it away, or name another folder with --runs"
MAY_DECIDE = f"and may be the newest run on these weights: {OR_ELSE}"


AHEAD_S = 24 * 3600
"""Seconds by which the clock of another machine may be ahead."""


class Where(Struct, frozen=True, kw_only=True):
    """Where to look for runs, policy and suites."""

    runs: Path
    """Folder of the run folders."""
    bars: Path | None = None
    """The copy of evalsuites whose policy, gates and accepted baselines decide; None takes the project's own."""
    suites: tuple[str, ...] = ()
    """Folders of further suites that must have passed, whether or not they are in the policy."""


class Passed(Struct, frozen=True, kw_only=True):
    """One suite that the weights passed, with its evidence."""

    suite: str
    """Suite name."""
    run: Path
    """Folder of the run."""
    seal: str
    """SHA-256 of the run's MANIFEST.sha256."""
    gates: list[str]
    """Its gates in words; every one passed."""
    gates_digest: str
    """Digest of its gates.toml."""
    but: str = ""
    """How many cases were left out as too long for the model, in which other runs the same weights did not pass,
    whether no margin uses noise.json, and what became easier since an earlier run, after a blank; empty for none."""

    @property
    def says(self) -> str:
        """One line for a model card or a record."""
        gates = "; ".join(self.gates) + self.but
        return f"{self.suite}: run {self.run.name} (seal {self.seal}) passed {gates} (gates.toml {self.gates_digest})"


class Refused(Exception):
    """Why a suite does not count as passed."""


def evaluations(checkpoint: Checkpoint, runs: Path) -> Iterator[tuple[Path, Manifest]]:
    """Yield every run that evaluated exactly these weights, with any result, except noise runs."""
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        try:
            raw = (folder / "run.json").read_bytes()
            if checkpoint.digest.encode() not in raw and _is_whole(raw):
                continue
            manifest = load_manifest(folder)
        except NotADirectoryError:
            continue
        except FileNotFoundError:
            if (folder / SEAL).exists() or (folder.is_symlink() and not folder.exists()):
                raise UserError(f"{folder}: run.json is missing, {MAY_DECIDE}") from None
            continue
        except OSError as error:
            raise UserError(f"{folder}: cannot be read ({error.strerror}), {MAY_DECIDE}") from None
        except UserError as error:
            if (folder / SEAL).exists():
                raise UserError(f"{error}. It may be the newest run on these weights: {OR_ELSE}") from None
            continue
        seen = manifest.checkpoints.get(CANDIDATE)
        if manifest.kind == "eval" and seen and seen.digest == checkpoint.digest and not manifest.asked_twice:
            yield folder, manifest


def _is_whole(raw: bytes) -> bool:
    """Whether these are the bytes of a JSON file to its end."""
    try:
        msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return False
    return True


class Evidence:
    """The runs that evaluated exactly these weights, judged suite by suite."""

    def __init__(self, checkpoint: Checkpoint, where: Where, policy: Policy, base: str) -> None:
        self.where, self.policy = where, policy
        self.base = checkpoint.base_digest if checkpoint.kind == "adapter" else base
        self.evaluations = list(evaluations(checkpoint, where.runs))

    def require(self, one: RequiredSuite, suite: Suite | None) -> Passed:
        """Return the evidence that a suite was passed. Raises Refused where there is none."""
        if suite is None:
            raise Refused(
                f"its folder {PROJECT / one.name} does not exist; where that is meant, delete its table from the "
                "policy, and add suites in its place with `tunegate approval --suite`"
            )
        if changed := changed_parts(one, current_entry(suite, self.where.bars)):
            raise Refused(_changed(changed))
        gates = load_suite_gates(suite, self.where.bars)
        newest = self._newest(one.name)
        for folder, manifest in newest:
            info = self._as_required(folder, manifest, one, suite)
            passed = self._all_passed(folder, manifest, one, suite, gates, info)
        left, share = len(info.left_out), len(info.left_out) / info.cases
        but = f" without {left} of {info.cases} cases ({share:.0%}), too long for the model" if left else ""
        if missed := self._missed(info, {folder for folder, _ in newest}):
            but += f" (but not in {count(len(missed), 'other run')} on these weights: {first_few(missed, 3)})"
        if any(gate.rule in COMPARATIVE for gate in gates.gate):
            measured = with_floors(manifest, read_floors([suite], self.where.bars)).notes
            but += "".join(f" ({note.partition(': ')[2]})" for note in measured if is_idle_noise(note, one.name))
        since = f"{one.name}, since "
        but += "".join(f" ({text.removeprefix(f'{one.name}, ')})" for text in manifest.moved if text.startswith(since))
        return Passed(
            suite=one.name,
            run=folder,
            seal=file_sha256(folder / SEAL),
            gates=[gate_in_words(verdict) for verdict in passed],
            gates_digest=one.gates,
            but=but,
        )

    def _missed(self, info: SuiteInfo, newest: Set[Path]) -> list[str]:
        """Name other runs of the same gates, cases, prompt and scorers that did not pass.

        One may be the newest by a clock that was right, and a run that is repeated until it passes, passes by chance.
        """
        return [
            folder.name
            for folder, manifest in self.evaluations
            if folder not in newest
            and any(other.hash == info.hash and other.asked == other.cases for other in manifest.suites)
            and was_missed(folder, info.name)
        ]

    def _newest(self, name: str) -> list[tuple[Path, Manifest]]:
        """Find the newest run of the suite, or all that started in the same second.

        A run that was stopped before its end, or asked only some cases where another asked all, is no evidence.
        """
        finished = [
            (folder, manifest)
            for folder, manifest in self.evaluations
            if any(info.name == name for info in manifest.suites)
            and ((folder / SEAL).exists() or manifest.status == "finished")
        ]
        if not finished:
            raise Refused(f"no run in {self.where.runs.resolve()} evaluated these weights on it")
        whole = [(folder, manifest) for folder, manifest in finished if _asked_all(manifest, name)] or finished
        last = max(manifest.started for _, manifest in whole)
        if last > now(AHEAD_S):
            names = ", ".join(folder.name for folder, manifest in whole if manifest.started == last)
            raise Refused(
                f"{names}: the start, {last}, is in the future, so a clock was wrong, and it is not known which run is "
                "the newest. Move this one away and evaluate again"
            )
        return [(folder, manifest) for folder, manifest in whole if manifest.started == last]

    def _as_required(self, folder: Path, manifest: Manifest, one: RequiredSuite, suite: Suite) -> SuiteInfo:
        """Return the run's record of the suite. Raises Refused unless it is complete and fits the policy."""
        if why := no_merge(manifest, folder.name):
            raise Refused(f"{folder.name}: {why}")
        run_standing = standing_of(folder, manifest)
        if not run_standing.is_claim:
            raise Refused(f"{manifest.run_id} may claim no verdict: {run_standing.reason}")
        self._refuse_trusted(manifest, CANDIDATE)
        (info, *others) = [info for info in manifest.suites if info.name == one.name]
        recorded = {"gates": info.gates_hash, "cases": info.cases_hash, "prompt": info.prompt_hash}
        recorded["scorers"] = info.scorers_hash
        if other := [key for key, value in recorded.items() if value != getattr(one, key)]:
            raise Refused(f"{manifest.run_id} had other {' and '.join(other)} than the policy names")
        if others or info.asked != len(suite.cases) or info.cases != len(suite.cases):
            raise Refused(f"{manifest.run_id} ran {info.asked} of {len(suite.cases)} cases")
        if info.samples != suite.samples:
            answers = count(info.samples, "answer")
            raise Refused(f"{manifest.run_id} has {answers} per case, and the suite asks for {suite.samples}")
        if info.left_out and not suite.leave_out_long:
            raise Refused(f"{manifest.run_id} left out {len(info.left_out)} cases, which the suite does not allow")
        return info

    def _all_passed(
        self, folder: Path, manifest: Manifest, one: RequiredSuite, suite: Suite, gates: GateFile, info: SuiteInfo
    ) -> list[Verdict]:
        """Judge the answers again. Raises Refused unless every gate passed, by these and the run's own verdicts."""
        stored = [verdict for verdict in recorded_verdicts(folder) if verdict.suite == one.name]
        required = [str(gate.id) for gate in gate_ids(gates, suite.slice_values())]
        _refuse_unmet(manifest.run_id, required, stored)
        if any(gate.rule in COMPARATIVE for gate in gates.gate):
            self._compared_as_required(manifest, one, suite, info)
        again = _judged_again(folder, manifest, suite, gates, self.where.bars)
        masked = " as they are stored, with words of redact.toml masked" if manifest.redacted else ""
        _refuse_unmet(f"{manifest.run_id}, its answers judged again{masked},", required, again)
        return again

    def _compared_as_required(self, manifest: Manifest, one: RequiredSuite, suite: Suite, info: SuiteInfo) -> None:
        """Raise Refused unless the policy allows the run's baseline: against a weak one, any model looks better."""
        if info.accepted is not None:
            if info.accepted.digest != one.accepted:
                raise Refused(f"{manifest.run_id} had another accepted baseline than the policy names")
            if current_entry(suite, self.where.bars).accepted != one.accepted:
                raise Refused(_changed(["accepted baseline"]))
            return
        self._refuse_trusted(manifest, BASELINE)
        seen = manifest.checkpoints.get(BASELINE)
        same_prompts = not manifest.own_prompts(info)
        is_base = seen and seen.adapter_digest is None and bool(self.base) and seen.base_digest == self.base
        if seen is None or not ((is_base and same_prompts) or seen.digest in one.baselines):
            named = f"{seen.name} ({seen.digest})" if seen else "no model"
            if not self.base:
                raise Refused(
                    f"{manifest.run_id} compared with {named}, which is not among `baselines` of the suite in the "
                    "policy, and a whole model has no known base"
                )
            raise Refused(
                f"{manifest.run_id} compared with {named}, which is neither the base of these weights with the same "
                "tokenizer and chat template nor among `baselines` of the suite in the policy"
            )

    def _refuse_trusted(self, manifest: Manifest, variant: str) -> None:
        """Raise Refused where a server was trusted to have the recorded weights, unless the policy trusts it, too."""
        seen = manifest.checkpoints.get(variant)
        if seen is not None and seen.pin == "trusted canary" and not self.policy.trust_server:
            raise Refused(
                f"{manifest.run_id} trusted a server to have the weights of {seen.name}, and the policy does not allow "
                "that (trust_server = false)"
            )


def _asked_all(manifest: Manifest, suite: str) -> bool:
    return all(info.asked == info.cases for info in manifest.suites if info.name == suite)


def _changed(parts: Sequence[str]) -> str:
    """Say that parts of a suite are not those of the policy."""
    return (
        f"its {' and '.join(parts)} changed since the policy was written; where that is meant, renew it with "
        "`tunegate approval`"
    )


def _refuse_unmet(run: str, required: Sequence[str], verdicts: Sequence[Verdict]) -> None:
    judged = {verdict.gate: verdict.outcome for verdict in verdicts}
    unmet = [f"{gate_in_words(v)}: {v.outcome}" for v in verdicts if v.gate in required and v.outcome != "pass"]
    unmet += [f"{gate}: not judged" for gate in required if gate not in judged]
    unmet += [f"{gate}: {judged[gate]}, and no gate of the suite" for gate in judged if gate not in required]
    if unmet:
        raise Refused(f"{run} has {len(unmet)} of {len(required)} gates not passed ({', '.join(unmet)})")


def _judged_again(folder: Path, manifest: Manifest, suite: Suite, gates: GateFile, bars: Path | None) -> list[Verdict]:
    """Score a run's answers again with the suite's own cases, and judge them."""
    cases = {case.id: case for case in suite.cases}

    def answers() -> Iterator[tuple[str, Record]]:
        for name, record in stream(folder):
            if name != suite.name or record.variant not in (BASELINE, CANDIDATE) or not record.text_kept:
                continue
            case = cases.get(record.case.id)
            if case is None:
                raise Refused(f"{manifest.run_id} has an answer to {record.case.id}, which is no case of the suite")
            scores = suite.score(case, record.completion)
            yield name, structs.replace(record, case=case, input_hash=digest(case.input), scores=scores)

    records: Iterable[tuple[str, Record]] = answers()
    if any(info.name == suite.name and info.accepted for info in manifest.suites):
        prompts = prompt_hashes((n, r) for n, r in stream(folder) if n == suite.name and r.variant == CANDIDATE)
        tokenizer = manifest.checkpoints[CANDIDATE].tokenizer_digest
        comparison = compare_with_baselines([suite], {suite.name: gates}, ACCEPTED, bars, prompts, tokenizer)
        infos = [structs.replace(i, accepted=comparison.infos.get(i.name, i.accepted)) for i in manifest.suites]
        manifest = structs.replace(manifest, suites=infos)
        accepted = comparison.records.get(suite.name, ())  # None where the suite has no accepted baseline.
        records = [*((suite.name, record) for record in accepted), *records]
    manifest = with_floors(manifest, read_floors([suite], bars))
    return estimate_and_judge([suite], {suite.name: gates}, manifest, records)[1]
