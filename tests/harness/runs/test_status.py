"""What a run may claim: its verdicts where it is finished, sealed and unchanged. Elsewhere every view says why not."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.runs import folder as runs_folder
from harness.runs.folder import RunFolder, check_seal, is_being_written, load_results, load_run, now
from harness.runs.history import past_runs
from harness.runs.status import standing
from harness.schema import Manifest
from tests.support.command import tunegate
from tests.support.mini import write_suite
from tests.support.runs import write_run

CHANGED = "No verdict: verdicts.json changed after the run was sealed."
INTERRUPTED = "No verdict: the run was interrupted before it finished."
NOT_SEALED = "No verdict: the run was not sealed, so nothing shows that its files are unchanged."


def tampered(root: Path) -> Path:
    """A run that failed, and whose verdict somebody turned into a pass, keeping the size and times of the file."""
    path = write_run(root, 1, ("fail",))
    file = path / "verdicts.json"
    times = file.stat()
    file.write_text(file.read_text().replace('"fail"', '"pass"'))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return path


def killed(root: Path) -> Path:
    """A run that had passed when the process that wrote it was killed."""
    return write_run(root, 1, seal=False, status="running", ended=None)


def unsealed(root: Path) -> Path:
    """A run that ended and was never sealed, or whose seal somebody deleted."""
    return write_run(root, 1, seal=False)


RUNS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "tampered": (tampered, CHANGED),
    "killed": (killed, INTERRUPTED),
    "unsealed": (unsealed, NOT_SEALED),
}
each = pytest.mark.parametrize(("make", "says"), RUNS.values(), ids=RUNS)


@pytest.mark.parametrize(
    ("status", "is_sealed", "changed", "is_being_written", "word"),
    [
        ("finished", True, [], False, "finished"),
        ("finished", True, ["run.json"], False, "changed"),
        ("running", True, ["run.json"], False, "changed"),
        ("finished", False, [], False, "not sealed"),
        ("running", False, [], True, "running"),
        ("running", False, [], False, "interrupted"),
        ("running", True, [], False, "interrupted"),
        ("interrupted", False, [], False, "interrupted"),
        ("failed", False, [], False, "failed"),
        ("failed", True, [], False, "failed"),
    ],
)
def test_one_function_decides_what_a_run_may_claim(
    status: str, is_sealed: bool, changed: list[str], is_being_written: bool, word: str
) -> None:
    found = standing(status, is_sealed=is_sealed, changed=changed, is_being_written=is_being_written)
    assert (found.word, found.is_claim, bool(found.says)) == (word, word == "finished", word != "finished")


@each
def test_a_run_that_may_claim_nothing_is_read_without_its_verdicts(
    make: Callable[[Path], Path], says: str, tmp_path: Path
) -> None:
    path = make(tmp_path)
    for found in (load_results(path), load_run(path), load_run(path, even_large=False)):
        (verdict,) = found.verdicts
        assert (verdict.outcome, verdict.seen, verdict.reason) == ("skipped", "", says)
        assert found.standing.says == says


@each
def test_a_report_of_it_says_why_and_no_pass(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    path = make(tmp_path / "runs")
    done = tunegate(tmp_path, "report", path.name)
    assert (done.returncode, says in done.stderr) == (6, True)
    report = json.loads((path / "report" / "report.json").read_text())
    assert report["outcome"] == "skipped"
    assert report["sections"][0]["lead"].startswith(says)
    signed = next(part for part in report["sections"] if part["id"] == "signoff")
    assert says.rstrip(".") in signed["blocks"][0]["caption"]
    for name in ("report.html", "report.md"):
        text = (path / "report" / name).read_text().replace("Only PASS allows a merge", "")
        assert "PASS" not in text and "Ready to merge" not in text and "NOT JUDGED" in text


@each
def test_a_comment_of_it_says_why_and_no_pass(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    path = make(tmp_path / "runs")
    exported = tmp_path / "verdicts.json"
    assert tunegate(tmp_path, "ci", "export", path.name, "--out", str(exported)).returncode == 0
    for source in (path.name, str(exported)):
        done = tunegate(tmp_path, "ci", "comment", source)
        assert done.returncode == 6
        assert "PASS" not in done.stdout and "NOT JUDGED" in done.stdout and says[:30] in done.stdout
    for words in (("ci", "summary", path.name), ("export", path.name, "--format", "markdown")):
        assert "PASS" not in tunegate(tmp_path, *words).stdout


@each
def test_a_listing_of_it_shows_no_pass(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    make(tmp_path / "runs")
    for words in ((), ("--json",), ("--html",)):
        done = tunegate(tmp_path, "runs", *words)
        assert "PASS" not in done.stdout and '"pass"' not in done.stdout
    assert "PASS" not in (tmp_path / "runs" / "index.html").read_text()
    assert past_runs(tmp_path / "runs")[0].outcome == "skipped"


EVIDENCE = ("regate RUN", "rescore RUN", "baseline accept RUN --reason r", "export RUN --format model-card",
            "review RUN --reviewer r1")  # fmt: skip


@pytest.mark.slow
@each
def test_no_command_takes_it_for_evidence(make: Callable[[Path], Path], says: str, tmp_path: Path) -> None:
    path = make(tmp_path / "runs")
    write_suite(tmp_path)
    for words in EVIDENCE:
        done = tunegate(tmp_path, *words.replace("RUN", path.name).split())
        assert done.returncode == 6, done.stderr
        assert says[len("No verdict: ") : -1] in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("is_own", [True, False])
def test_a_run_that_a_process_writes_is_running_until_that_process_is_killed(
    is_own: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import time
from pathlib import Path
from harness.schema import Manifest
from harness.runs.folder import RunFolder
folder = RunFolder.create(Path("runs"), "eval")
folder.write_manifest(Manifest(run_id="r", kind="eval", status="running", started="2026-11-01T08:00:00Z"))
print("written", flush=True)
time.sleep(600)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    if not is_own:  # Another user may read it.
        opened = os.open
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
        monkeypatch.setattr(os, "open", lambda file, flags: opened("" if flags & os.O_RDWR else file, flags))
    assert [run.status for run in past_runs(tmp_path / "runs")] == ["running"]
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert [run.status for run in past_runs(tmp_path / "runs")] == ["interrupted"]


def test_a_run_that_ended_is_no_longer_held_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path, "eval")
    manifest = Manifest(run_id=folder.path.name, kind="eval", status="running", started=now())
    folder.write_manifest(manifest)
    assert is_being_written(folder.path)
    folder.write_manifest(Manifest(run_id=folder.path.name, kind="eval", status="finished", started=now()))
    folder.seal()
    assert not is_being_written(folder.path) and check_seal(folder.path) == []
    assert sorted(file.name for file in folder.path.iterdir()) == ["MANIFEST.sha256", "run.json"]


def test_a_listing_reads_answers_again_only_where_they_were_written_after_the_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_run(tmp_path, 1)
    (path / "MANIFEST.sha256").unlink()
    (path / "records.jsonl").write_text("")
    RunFolder(path).seal()
    hashed: list[str] = []
    real = runs_folder.file_sha256
    monkeypatch.setattr(runs_folder, "file_sha256", lambda file: hashed.append(file.name) or real(file))
    assert past_runs(tmp_path)[0].status == "finished"
    assert sorted(hashed) == ["metrics.json", "run.json", "verdicts.json"]
    (path / "records.jsonl").write_text("\n")
    assert past_runs(tmp_path)[0].status == "changed"
