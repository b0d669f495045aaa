"""Run folders: everything written is read back, a torn line is survived, a sealed run never changes."""

import os
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.runs.folder import RunFolder, check_seal, load_run, now
from harness.runs.project import find_run
from harness.schema import Case, Completion, Manifest, Record, Score
from tests.support.adapters import change_json
from tests.support.runs import name_of, write_run


def manifest(folder: RunFolder, **changes: object) -> Manifest:
    given = {"run_id": folder.path.name, "kind": "eval", "status": "finished", "started": now()} | changes
    return Manifest(**given)  # type: ignore[arg-type]


def record(case_id: str, variant: str = "tuned", text: str = "none") -> Record:
    return Record(
        case=Case(id=case_id, input={"document": "d"}, expected=[], cluster="c"),
        variant=variant,
        input_hash="i",
        prompt_hash="p",
        expected_hash="e",
        completion=Completion(key="k", text=text, finish_reason="stop", prompt_tokens=3, output_tokens=1),
        scores={"clauses": Score(name="clauses", value=1.0, extracted={"missing": ["x"]}, counts={"tp": 2})},
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder.create(tmp_path / "runs", "Demo run!")
    made.write_manifest(manifest(made))
    return made


def test_records_come_back_with_their_scores(folder: RunFolder) -> None:
    folder.append_records("legal/clauses", [record("a"), record("b", text="a😀b\u202e")])
    folder.append_records("general/basics", [record("a")])
    run = load_run(folder.path)
    assert [r.completion.text for r in run.records] == ["none", "a😀b\u202e", "none"]
    assert run.records[0].scores.clauses.missing == ["x"]
    assert run.records[0].scores.clauses.tp == 2
    assert [r.case.id for r in run.by_variant("legal/clauses")["tuned"]] == ["a", "b"]


def test_a_line_torn_by_a_crash_is_left_out(folder: RunFolder) -> None:
    folder.append_records("s", [record("a"), record("b")])
    file = folder.path / "records.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert [r.case.id for r in load_run(folder.path).records] == ["a"]


def test_a_damaged_line_in_the_middle_is_an_error_with_its_number(folder: RunFolder) -> None:
    folder.append_records("s", [record("a"), record("b")])
    file = folder.path / "records.jsonl"
    file.write_bytes(b"{oops\n" + file.read_bytes())
    with pytest.raises(UserError, match=r"records\.jsonl:1: cannot be read"):
        load_run(folder.path)


def test_a_sealed_run_refuses_every_write_and_shows_a_changed_byte(folder: RunFolder) -> None:
    folder.append_records("s", [record("a")])
    assert check_seal(folder.path) == ["MANIFEST.sha256"]
    folder.seal()
    assert check_seal(folder.path) == []
    with pytest.raises(UserError, match="sealed"):
        folder.append_records("s", [record("b")])
    with pytest.raises(UserError, match="sealed"):
        folder.write_manifest(manifest(folder))
    file = folder.path / "records.jsonl"
    file.write_bytes(file.read_bytes().replace(b"none", b"nine"))
    assert check_seal(folder.path) == ["records.jsonl"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"schema_version": 99}, r"newer tunegate \(schema 99, this one reads 1\)"),
        ({"schema_version": 99, "colour": "red"}, r"newer tunegate \(schema 99, this one reads 1\)"),
        ({"colour": "red"}, r"unknown field `colour`.*damaged"),
    ],
)
def test_unknown_fields_are_damage_except_in_a_newer_run(folder: RunFolder, more: dict[str, object], said: str) -> None:
    change_json(folder.path / "run.json", **more)
    with pytest.raises(UserError, match=said):
        load_run(folder.path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line_and_fatal(folder: RunFolder) -> None:
    (folder.path / "records.jsonl").symlink_to("/dev/full")
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        folder.append_records("s", [record("a")])


@pytest.mark.skipif(os.geteuid() != 0 and not os.access("/proc", os.R_OK), reason="needs /proc")
def test_a_folder_that_cannot_be_made_is_one_line() -> None:
    with pytest.raises(UserError, match="cannot be written"):
        RunFolder.create(Path("/proc/nowhere"), "x")


def test_runs_are_found_by_part_of_their_name(folder: RunFolder) -> None:
    root = folder.path.parent
    for part in (folder.path.name[:16], folder.path.name[17:-9], folder.path.name[-8:]):
        assert find_run(part, root) == folder.path
    assert find_run(str(folder.path), Path("/")) == folder.path
    with pytest.raises(UserError, match="no run has that name"):
        find_run("zzz", root)


def test_latest_is_the_run_of_its_kind_that_started_last(tmp_path: Path) -> None:
    for day in (9, 2, 4):
        write_run(tmp_path, day)
    write_run(tmp_path, 1, run_id="renamed", started="2026-11-12T08:00:00Z")
    write_run(tmp_path, 20, kind="train", suites=[], run_id="training")
    (tmp_path / name_of(30)).mkdir()
    (tmp_path / name_of(30) / "run.json").write_bytes(b"{")
    assert find_run("latest", tmp_path) == tmp_path / "renamed"
    assert find_run("latest", tmp_path, "train") == tmp_path / "training"
    with pytest.raises(UserError, match="no merge run in"):
        find_run("latest", tmp_path, "merge")


def test_of_two_runs_of_one_second_latest_is_the_one_that_was_written_last(tmp_path: Path) -> None:
    for ns, name in enumerate(("b", "a"), 1):
        write_run(tmp_path, 1, run_id=name)
        os.utime(tmp_path / name / "run.json", ns=(ns, ns))
    assert find_run("latest", tmp_path) == tmp_path / "a"


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        load_run(tmp_path)
