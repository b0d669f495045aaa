"""A merge needs a run whose every gate passed on exactly this adapter, or a reason that is written down."""

from pathlib import Path

import msgspec
import pytest

from harness.approval import passing_run
from harness.checkpoints import resolve
from harness.errors import GateFailed, UserError
from harness.schema import Manifest, Verdict
from harness.store import RunFolder, now
from tests.harness.adapters import save_adapter


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
    with pytest.raises(GateFailed, match="none of them evaluated this adapter"):
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
