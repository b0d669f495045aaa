"""Merging and serving need a run whose every gate passed on exactly these weights, or a reason that is kept."""

import shutil
from pathlib import Path

import msgspec
import pytest

from harness.approval import approve, passing_run
from harness.checkpoints import resolve
from harness.errors import GateFailed, UserError
from harness.schema import Manifest, Verdict
from harness.store import RunFolder, now
from tests.conftest import save_tiny_model
from tests.harness.adapters import change_json, save_adapter


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_adapter(tiny_model, tmp_path_factory.mktemp("approval") / "adapter")


def write_run(root: Path, adapter: Path, *outcomes: str, seal: bool = True) -> Path:
    folder = RunFolder.create(root, "eval")
    folder.write_manifest(
        Manifest(
            run_id=folder.path.name,
            kind="eval",
            status="finished",
            started=now(),
            checkpoints={"tuned": resolve(str(adapter))},
        )
    )
    verdict = Verdict(
        suite="s", gate="g", metric="m", rule="at_least", outcome="pass", bar="at least 50%", reason="it is"
    )
    folder.write_verdicts([msgspec.structs.replace(verdict, outcome=o) for o in outcomes])
    if seal:
        folder.seal()
    return folder.path


def test_a_run_whose_gates_all_passed_approves(adapter: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path, adapter, "pass", "pass")
    assert passing_run(str(adapter), tmp_path, None) == f"approved by run {run.name}: 2 gates passed"


@pytest.mark.parametrize("other", ["fail", "inconclusive", "skipped", "error"])
def test_one_gate_that_did_not_pass_refuses(adapter: Path, tmp_path: Path, other: str) -> None:
    write_run(tmp_path, adapter, "pass", other)
    with pytest.raises(GateFailed, match=r"1 of 2 gates not passed.*--ungated REASON") as caught:
        passing_run(str(adapter), tmp_path, None)
    assert caught.value.exit_code == 1


def test_no_run_at_all_refuses(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(GateFailed, match="none of them evaluated these weights"):
        passing_run(str(adapter), tmp_path / "nowhere", None)


def test_another_adapters_run_does_not_count(adapter: Path, tiny_model: Path, tmp_path: Path) -> None:
    other = save_adapter(tiny_model, tmp_path / "other", seed=2)
    write_run(tmp_path / "runs", other, "pass")
    with pytest.raises(GateFailed):
        passing_run(str(adapter), tmp_path / "runs", None)


def test_a_run_without_gates_or_seal_or_with_a_changed_file_does_not_count(adapter: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "a", adapter)
    write_run(tmp_path / "b", adapter, "pass", seal=False)
    changed = write_run(tmp_path / "c", adapter, "fail") / "verdicts.json"
    changed.write_text(changed.read_text().replace('"fail"', '"pass"'))
    for name in "abc":
        with pytest.raises(GateFailed):
            passing_run(str(adapter), tmp_path / name, None)


def test_a_reason_overrides_and_an_empty_one_does_not(adapter: Path, tmp_path: Path) -> None:
    assert passing_run(str(adapter), tmp_path, " pilot ") == "merged without a passing verdict: pilot"
    with pytest.raises(UserError, match="needs a reason"):
        passing_run(str(adapter), tmp_path, " ")


def test_a_whole_model_is_no_adapter(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a whole model, not an adapter"):
        passing_run(str(tiny_model), tmp_path, None)


def test_a_model_asked_twice_neither_approves_nor_hides_the_run_that_does(adapter: Path, tmp_path: Path) -> None:
    run = write_run(tmp_path, adapter, "pass")
    twice = RunFolder(tmp_path / f"9{run.name}")
    twice.path.mkdir()
    same = resolve(str(adapter))
    manifest = Manifest(run_id=twice.path.name, kind="eval", status="finished", started=now())
    twice.write_manifest(msgspec.structs.replace(manifest, checkpoints={"baseline": same, "tuned": same}))
    twice.write_verdicts([])
    twice.seal()
    assert run.name in passing_run(str(adapter), tmp_path, None)


def test_an_adapter_put_onto_another_base_is_not_what_was_evaluated(adapter: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "runs", adapter, "pass")
    other = save_tiny_model(tmp_path / "other", seed=5)
    moved = shutil.copytree(adapter, tmp_path / "moved")
    change_json(moved / "adapter_config.json", base_model_name_or_path=str(other))
    assert resolve(str(moved)).adapter_digest == resolve(str(adapter)).adapter_digest
    with pytest.raises(GateFailed, match="none of them evaluated these weights"):
        passing_run(str(moved), tmp_path / "runs", None)


def test_a_whole_model_is_approved_for_serving_as_an_adapter_is(tiny_model: Path, tmp_path: Path) -> None:
    model = resolve(str(tiny_model))
    with pytest.raises(GateFailed, match="or serve with --ungated REASON"):
        approve(model, tmp_path, None, "serve")
    run = write_run(tmp_path, tiny_model, "pass")
    assert approve(model, tmp_path, None, "serve").run == run
    ungated = approve(model, tmp_path, "pilot", "serve")
    assert (ungated.says, ungated.run) == ("served without a passing verdict: pilot", None)
