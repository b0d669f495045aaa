"""Merging and serving need every suite of the project's policy passed by exactly these weights, or a reason.

What must not pass is in `tests/attacks`.
"""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from harness.approval.approve import Approval, approve, may_merge, verdict_on
from harness.approval.evidence import Where
from harness.checkpoints.resolve import resolve
from harness.errors import GateFailed, UserError
from harness.files import digest, file_sha256
from harness.runs.folder import RunFolder, now
from harness.schema import ACCEPTED, Manifest
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter
from tests.support.closed import close
from tests.support.gated import (
    GATES,
    PASS_ON_BOTH,
    approve_of,
    change,
    evaluate,
    later,
    write_project,
    write_run,
    wrong,
)
from tests.support.mini import right, rows


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tiny_model, tmp_path_factory.mktemp("approval") / "adapter")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the runs of a project, which is the working directory."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def merge(adapter: Path, runs: Path, **more: object) -> Approval:
    return may_merge(str(adapter), Where(runs=runs, **more), None)  # type: ignore[arg-type]


def second_suite(root: Path) -> Path:
    """A suite legal/other beside the first, with one gate."""
    made = shutil.copytree(root / "evalsuites" / "legal" / "mini", root / "evalsuites" / "legal" / "other")
    (made / "test_mini.py").rename(made / "test_other.py")
    (made / "gates.toml").write_text(PASS_ON_BOTH.rpartition("[[gate]]")[0])
    return made


def test_a_run_whose_gates_all_passed_approves_and_is_named_with_its_digests(adapter: Path, runs: Path) -> None:
    run = evaluate(runs, adapter)
    found = merge(adapter, runs)
    assert found.says == f"approved by evalsuites/approval.toml: legal/mini by run {run.name}, 2 gates passed"
    (one,) = found.passed
    assert (one.suite, one.run, one.gates) == ("legal/mini", run, GATES)
    gates = digest(Path("evalsuites/legal/mini/gates.toml").read_bytes())
    seal = file_sha256(run / "MANIFEST.sha256")
    assert one.says == (f"legal/mini: run {run.name} (seal {seal}) passed {GATES[0]}; {GATES[1]} (gates.toml {gates})")


def test_a_policy_of_a_folder_within_a_project_is_named_from_its_root(
    adapter: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs are those of the project, and its own policy may ask for more."""
    run = evaluate(runs, adapter)
    Path("pyproject.toml").touch()
    inner = Path(shutil.copytree("evalsuites", "tryout/evalsuites"))
    monkeypatch.chdir(inner.parent)
    said = "approved by tryout/evalsuites/approval.toml and not by that of the project around it: legal/mini by run "
    assert merge(adapter, runs).says.startswith(said + run.name)
    Path("../evalsuites/approval.toml").unlink()
    assert merge(adapter, runs).says.startswith("approved by tryout/evalsuites/approval.toml: legal/mini by run ")
    later(evaluate(runs, adapter, answers=wrong()), 1)
    with pytest.raises(GateFailed, match=r"not approved by tryout/evalsuites/approval[.]toml: legal/mini: "):
        merge(adapter, runs)


def test_cases_left_out_as_too_long_are_counted_in_the_approval(adapter: Path, runs: Path) -> None:
    test = Path("evalsuites/legal/mini/test_mini.py")
    test.write_text(test.read_text().replace("max_tokens=8", "max_tokens=8, leave_out_long=True"))
    cases = rows(400)
    Path("evalsuites/legal/mini/cases.jsonl").write_text("\n".join(map(json.dumps, cases)))
    approve_of(runs.parent)
    run = evaluate(runs, adapter, answers=right(cases))
    change(run, lambda manifest: left_out(manifest, 4))
    found = merge(adapter, runs)
    said = "without 4 of 400 cases (1%), too long for the model"
    assert found.says.endswith(f"2 gates passed {said}") and f"at least 50.0% {said} (gates" in found.passed[0].says
    change(run, lambda manifest: left_out(manifest, 5))
    with pytest.raises(GateFailed, match=r"its answers judged again, has 2 of 2 gates not passed .*inconclusive"):
        merge(adapter, runs)


def left_out(manifest: Manifest, cases: int) -> Manifest:
    (info,) = manifest.suites
    left = msgspec.structs.replace(info, left_out=[f"c{i}" for i in range(cases)])
    return msgspec.structs.replace(manifest, suites=[left])


def test_levels_need_no_accepted_baseline_where_the_run_asked_for_one(adapter: Path, runs: Path) -> None:
    evaluate(runs, adapter, baseline=ACCEPTED)
    assert merge(adapter, runs).passed


@pytest.mark.slow
@pytest.mark.parametrize("other", ["fail", "inconclusive", "skipped", "error"])
def test_one_gate_that_did_not_pass_refuses(adapter: Path, runs: Path, other: str) -> None:
    write_run(runs, adapter, "pass", other)  # type: ignore[arg-type]
    said = rf"1 of 2 gates not passed \({GATES[1]}: {other}\).*--ungated REASON"
    with pytest.raises(GateFailed, match=said) as caught:
        merge(adapter, runs)
    assert caught.value.exit_code == 1 and "\n" not in str(caught.value)


@pytest.mark.slow
def test_every_suite_of_the_policy_must_have_passed_each_in_its_newest_run(adapter: Path, runs: Path) -> None:
    second_suite(runs.parent)
    approve_of(runs.parent)
    first = evaluate(runs, adapter, suites=["legal/mini"])
    with pytest.raises(GateFailed, match=r"legal/other: no run in .* evaluated these weights on it"):
        merge(adapter, runs)
    second = later(evaluate(runs, adapter, suites=["legal/other"]), 1)
    assert merge(adapter, runs).runs == {first: ["legal/mini"], second: ["legal/other"]}


@pytest.mark.slow
def test_a_later_fail_revokes_and_a_later_pass_approves_again(adapter: Path, runs: Path) -> None:
    evaluate(runs, adapter)
    later(evaluate(runs, adapter, answers=wrong()), 1)
    with pytest.raises(GateFailed, match="2 of 2 gates not passed"):
        merge(adapter, runs)
    again = later(evaluate(runs, adapter), 2)
    assert merge(adapter, runs).passed[0].run == again


def test_an_approval_names_the_runs_that_the_same_weights_did_not_pass(adapter: Path, runs: Path) -> None:
    """One that is older by its clock may be newer in truth, and who repeats a run until it passes, passes by chance."""
    older = evaluate(runs, adapter, answers=wrong())
    evaluate(runs, adapter, answers=wrong(), asked=10)  # gates skip
    passed = later(evaluate(runs, adapter), 1)
    approval = merge(adapter, runs)
    said = f"2 gates passed (but not in 1 other run on these weights: {older.name})"
    assert approval.passed[0].run == passed and approval.says.endswith(said)
    assert f"other run on these weights: {older.name})" in approval.passed[0].says


def test_an_approval_says_which_gates_became_easier(adapter: Path, runs: Path) -> None:
    failed = evaluate(runs, adapter, answers=wrong())
    Path("evalsuites/legal/mini/gates.toml").write_text(PASS_ON_BOTH.rpartition("[[gate]]")[0])
    approve_of(runs.parent)
    later(evaluate(runs, adapter), 1)
    said = f"1 gate passed (since run {failed.name}: clause exact set, at least was removed)"
    assert merge(adapter, runs).says.endswith(said)


@pytest.mark.slow
def test_of_two_runs_that_started_in_one_second_both_must_pass(adapter: Path, runs: Path) -> None:
    for answers in (None, wrong(), None):
        later(evaluate(runs, adapter, answers=answers), 1)
    with pytest.raises(GateFailed, match="2 of 2 gates not passed"):
        merge(adapter, runs)


@pytest.mark.slow
def test_a_run_that_was_stopped_neither_approves_nor_revokes(adapter: Path, runs: Path) -> None:
    run = evaluate(runs, adapter)
    stopped = later(evaluate(runs, adapter, answers=wrong()), 1)
    change(stopped, lambda m: msgspec.structs.replace(m, status="interrupted"))
    (stopped / "MANIFEST.sha256").unlink()
    assert merge(adapter, runs).passed[0].run == run


def test_a_run_that_this_user_may_not_read_could_revoke(
    adapter: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = runs / "20260101T000000Z-theirs-00000000"
    closed.mkdir(parents=True)
    close(monkeypatch, closed)
    with pytest.raises(UserError, match=r"theirs-00000000: cannot be read \(Permission denied\), and may be"):
        merge(adapter, runs)


@pytest.mark.parametrize("damage", ["cut", "missing", "not mounted"])
def test_a_damaged_newest_run_could_revoke(damage: str, adapter: Path, runs: Path) -> None:
    evaluate(runs, adapter)
    failed = later(evaluate(runs, adapter, answers=wrong()), 1)
    if damage == "not mounted":
        failed.rename(runs.parent / "archive")
        failed.symlink_to(runs.parent / "elsewhere")
    elif damage == "missing":
        (failed / "run.json").unlink()
    else:
        (failed / "run.json").write_bytes((failed / "run.json").read_bytes()[:200])
    with pytest.raises(UserError, match=r"run\.json"):
        merge(adapter, runs)


def test_a_suite_that_failed_and_is_not_in_the_policy_is_named(adapter: Path, runs: Path) -> None:
    other = second_suite(runs.parent)
    (other / "cases.jsonl").write_text((other / "cases.jsonl").read_text().replace("holdover", "assignment"))
    evaluate(runs, adapter)
    says = merge(adapter, runs).says
    assert says.endswith("2 gates passed. Not in the policy, and not passed: legal/other")


@pytest.mark.slow
def test_a_run_of_some_cases_revokes_no_run_of_all(adapter: Path, runs: Path) -> None:
    run = evaluate(runs, adapter)
    later(evaluate(runs, adapter, asked=3), 1)
    assert merge(adapter, runs).passed[0].run == run
    later(evaluate(runs, adapter, answers=wrong()), 2)
    later(evaluate(runs, adapter, asked=3), 3)
    with pytest.raises(GateFailed, match="2 of 2 gates not passed"):
        merge(adapter, runs)


@pytest.mark.slow
def test_a_suite_that_is_asked_for_must_pass_besides_those_of_the_policy(adapter: Path, runs: Path) -> None:
    evaluate(runs, adapter)
    other = second_suite(runs.parent)
    with pytest.raises(GateFailed, match="legal/other: no run in"):
        merge(adapter, runs, suites=(str(other),))
    later(evaluate(runs, adapter, suites=["legal/other"]), 1)
    assert len(merge(adapter, runs, suites=(str(other),)).passed) == 2
    shutil.rmtree(runs)
    later(evaluate(runs, adapter, suites=["legal/other"]), 1)
    with pytest.raises(GateFailed, match="legal/mini: no run in"):
        merge(adapter, runs, suites=(str(other),))


@pytest.mark.slow
def test_policy_and_gates_of_the_target_branch_decide(adapter: Path, runs: Path) -> None:
    """A change lowers its threshold, renews its policy and passes; the copy of the target branch refuses it."""
    shutil.copytree("evalsuites", "bars")
    Path("evalsuites/legal/mini/gates.toml").write_text(PASS_ON_BOTH.replace("0.5", "0.1"))
    approve_of(runs.parent)
    evaluate(runs, adapter)
    assert merge(adapter, runs).passed
    with pytest.raises(GateFailed, match=r"not approved by bars/approval.toml: .* had other gates"):
        merge(adapter, runs, bars=Path("bars"))
    later(evaluate(runs, adapter, bars=Path("bars")), 1)
    assert merge(adapter, runs, bars=Path("bars")).passed


@pytest.mark.slow
def test_the_right_weights_under_another_name_are_approved(adapter: Path, runs: Path, tmp_path: Path) -> None:
    evaluate(runs, adapter)
    assert merge(shutil.copytree(adapter, tmp_path / "renamed"), runs).passed


def test_a_reason_overrides_and_an_empty_one_does_not(adapter: Path, tmp_path: Path) -> None:
    where = Where(runs=tmp_path)
    assert may_merge(str(adapter), where, " pilot ").says == "merged without a passing verdict: pilot"
    with pytest.raises(UserError, match="needs a reason"):
        may_merge(str(adapter), where, " ")


def test_a_whole_model_is_no_adapter(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a whole model, not an adapter"):
        may_merge(str(tiny_model), Where(runs=tmp_path), None)


@pytest.mark.slow
def test_a_model_asked_twice_neither_approves_nor_hides_the_run_that_does(adapter: Path, runs: Path) -> None:
    run = evaluate(runs, adapter)
    twice = RunFolder(runs / f"9{run.name}")
    twice.path.mkdir()
    same = resolve(str(adapter))
    manifest = Manifest(run_id=twice.path.name, kind="eval", status="finished", started=now())
    twice.write_manifest(msgspec.structs.replace(manifest, checkpoints={"baseline": same, "tuned": same}))
    twice.write_verdicts([])
    twice.seal()
    assert merge(adapter, runs).passed[0].run == run


@pytest.mark.slow
def test_a_whole_model_is_approved_for_serving_as_an_adapter_is(tiny_model: Path, runs: Path) -> None:
    model, where = resolve(str(tiny_model)), Where(runs=runs)
    with pytest.raises(GateFailed, match="or serve with --ungated REASON"):
        approve(model, where, None, "serve")
    run = evaluate(runs, tiny_model)
    assert list(approve(model, where, None, "serve").runs) == [run]
    ungated = approve(model, where, "pilot", "serve")
    assert (ungated.says, ungated.passed) == ("served without a passing verdict: pilot", ())


COMPARED = """[objective]
text = "Find more clauses than the base does."

[[gate]]
metric = "clause_recall"
rule = "improves"
margin = 0.1
"""


@pytest.mark.slow
def test_a_comparison_counts_only_with_the_base_or_a_baseline_that_the_policy_names(
    adapter: Path, tiny_model: Path, runs: Path, tmp_path: Path
) -> None:
    write_project(runs.parent, gates=COMPARED)
    assert merge_after(adapter, runs, tiny_model, 1).passed
    weak = save_tiny_model(tmp_path / "weak", seed=9)
    with pytest.raises(GateFailed, match=r"compared with .*weak \([0-9a-f]{64}\), which is neither the base"):
        merge_after(adapter, runs, weak, 2)
    policy = Path("evalsuites/approval.toml")
    policy.write_text(policy.read_text() + f'baselines = ["{resolve(str(weak)).digest}"]\n')
    assert merge(adapter, runs).passed
    approve_of(runs.parent)
    assert merge(adapter, runs).passed


def test_an_approval_says_that_the_measured_noise_was_not_used(adapter: Path, tiny_model: Path, runs: Path) -> None:
    """So no margin was compared with it, which would have been an error on the engine that it was measured with."""
    write_project(runs.parent, gates=COMPARED)
    texts = ("run_id", "measured_at", "checkpoint", "engine", "engine_version", "dtype", "device", "tokenizer_digest")
    measured = dict.fromkeys((*texts, "cases_hash", "prompt_hash", "scorers_hash"), "another")
    noise = {"schema_version": 1, "noise": [measured | {"passes": [], "samples": 1, "floors": []}]}
    (runs.parent / "evalsuites/legal/mini/noise.json").write_text(json.dumps(noise))
    approve_of(runs.parent)
    said = "1 gate passed (noise.json was measured with another engine"
    assert said in merge_after(adapter, runs, tiny_model, 1).says


def merge_after(adapter: Path, runs: Path, baseline: Path, day: int) -> Approval:
    later(evaluate(runs, adapter, baseline=baseline), day)
    return merge(adapter, runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pin", "allowed", "passes"),
    [
        ("digest", False, True),
        ("server process", False, True),
        ("trusted canary", False, False),
        ("trusted canary", True, True),
        ("name", True, False),
    ],
)
def test_a_server_that_is_only_trusted_approves_where_the_policy_allows_it(
    adapter: Path, runs: Path, pin: str, allowed: bool, passes: bool
) -> None:
    policy = Path("evalsuites/approval.toml")
    policy.write_text(policy.read_text().replace("trust_server = false", f"trust_server = {str(allowed).lower()}"))
    evaluate(runs, msgspec.structs.replace(resolve(str(adapter)), pinned_by=pin))
    if passes:
        assert merge(adapter, runs).passed
    else:
        with pytest.raises(GateFailed, match="server"):
            merge(adapter, runs)
    approve_of(runs.parent)
    assert f"trust_server = {str(allowed).lower()}" in policy.read_text()


@pytest.mark.slow
def test_a_card_says_which_suites_passed_or_why_not(adapter: Path, runs: Path) -> None:
    checkpoint, where = resolve(str(adapter)), Where(runs=runs)
    assert verdict_on(checkpoint, where) is None
    run = evaluate(runs, adapter)
    said = verdict_on(checkpoint, where) or ""
    assert said.splitlines()[0] == (
        f"Approved by evalsuites/approval.toml: legal/mini by run {run.name}, 2 gates passed."
    )
    assert said.splitlines()[-1].startswith(f"- legal/mini: run {run.name} (seal ")
    later(evaluate(runs, adapter, answers=wrong()), 1)
    said = verdict_on(checkpoint, where) or ""
    assert said.startswith("Not approved by evalsuites/approval.toml: legal/mini: ")
    assert said.endswith(").") and "--ungated" not in said
