"""Corrections become training rows, and no contract of an evaluation is ever among them."""

import shutil
from pathlib import Path

import msgspec
import pytest

from harness.engines.config import EngineConfig
from harness.errors import UserError
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.progress.progress import Progress
from harness.runs.folder import RunData, RunFolder, load_run
from harness.suites.discovery import find_suites
from tests.support import command
from tests.support.mini import write_script, write_suite
from tests.support.reviewed_run import fixed, review, skipped
from tests.training.curation.conftest import TEST, case, edited, prose
from training.data.from_reviews import export
from training.data.rows import load_rows

GATES = '[objective]\ntext = "Read."\n\n[[gate]]\nmetric = "accuracy"\nrule = "at_least"\nvalue = 0.1\n'


def write_drafts(root: Path, cases: list[dict[str, object]], name: str = "drafts/leases") -> Path:
    """A suite of these cases below `root`, in any folder."""
    made = write_suite(root / "made", cases, TEST, GATES)
    folder = root / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(made, folder)
    return folder


def answered(root: Path, folder: str) -> RunData:
    """A run of the suites below a folder, by scripted models."""
    found = list(find_suites([str(root / folder)]))
    script = write_script(root, tuned={}, baseline={})
    job = Job(
        suites=[SuiteJob(suite=s, cases=s.cases) for s in found],
        candidate="new",
        baseline="old",
        engine=EngineConfig(name="fake", script=script, use_cache=False),
    )
    return load_run(run(job, RunFolder.create(root / "runs", "test"), Progress(quiet=True)).path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one evaluation of four contracts."""
    write_suite(tmp_path, [case(i, f"<p>{prose(i, 80)}</p>") for i in range(4)], TEST, GATES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drafts(project: Path, cases: list[dict[str, object]]) -> Path:
    """A run over cases of the drafting suite, every draft of the tuned model corrected by r1."""
    write_drafts(project, cases)
    path = answered(project, "drafts").path
    answers = {str(c["id"]): fixed("tuned", 60.0, edits=i, text=f"Correction {i}.") for i, c in enumerate(cases)}
    review(path, "drafts/leases", "r1", answers, mode="fix")
    return path


@pytest.mark.slow
def test_a_correction_is_a_row_with_the_suites_prompt_the_contract_and_its_provenance(project: Path) -> None:
    path = drafts(project, [case(10, prose(10), cluster="lease 10"), case(11, prose(11), cluster="lease 11")])
    found = export(path, project / "rows.jsonl")
    assert (found.rows, found.unchanged, found.refused, found.not_judged) == (2, 1, [], 0)
    rows = load_rows([str(project / "rows.jsonl")])
    assert [turn.content for turn in rows[1].messages] == [f"Which clauses? {prose(11)}", "Correction 1."]
    assert [row.document for row in rows] == ["lease 10", "lease 11"]
    line = msgspec.json.decode((project / "rows.jsonl").read_bytes().splitlines()[1])
    assert line["source"] == f"run {path.name}, drafts/leases c11, draft of tuned, corrected by r1, 2026-11-25"
    assert found.lines[0].endswith("rows: 2, of which unchanged drafts: 1")


@pytest.mark.slow
def test_what_an_evaluation_asks_about_is_refused_counted_and_named(project: Path) -> None:
    same_words = edited(prose(2, 80), 30)
    cases = [
        case(20, prose(20), cluster="k1"),
        case(21, f"<p>{prose(0, 80)}</p>", cluster="another name"),
        case(22, same_words, cluster="a third name"),
        case(23, prose(23), cluster="free"),
    ]
    found = export(drafts(project, cases), project / "rows.jsonl")
    assert [row.document for row in load_rows([str(project / "rows.jsonl")])] == ["free"]
    assert [one.name for one in found.refused] == [f"drafts/leases c{i}" for i in (20, 21, 22)]
    assert found.refused[0].reason == "k1 is a cluster of suite legal/mini, case c1"
    assert found.refused[1].reason == "its input is that of suite legal/mini, case c0"
    assert "suite legal/mini, case c2" in found.refused[2].reason
    assert "refused, because an evaluation uses their case: 3" in found.lines


@pytest.mark.slow
def test_a_correction_whose_answer_repeats_a_contract_of_an_evaluation_is_refused(project: Path) -> None:
    write_drafts(project, [case(30, prose(30), cluster="free")])
    path = answered(project, "drafts").path
    review(path, "drafts/leases", "r1", {"c30": fixed("tuned", 60.0, text=prose(3, 80))}, mode="fix")
    found = export(path, project / "rows.jsonl")
    assert found.rows == 0 and "suite legal/mini, case c3" in found.refused[0].reason


@pytest.mark.parametrize(("folder", "suite"), [("evalsuites", "legal/mini"), ("own", "own/leases")])
def test_the_corrections_of_an_evaluation_train_nothing_wherever_it_is(project: Path, folder: str, suite: str) -> None:
    write_drafts(project, [case(i, prose(i)) for i in range(4)], "own/leases")
    path = answered(project, folder).path
    review(path, suite, "r1", {f"c{i}": fixed("tuned", 60.0) for i in range(4)}, mode="fix")
    found = export(path, project / "rows.jsonl")
    assert found.rows == 0 and len(found.refused) == 4
    assert "it belongs to an evaluation" in found.refused[0].reason
    assert not (project / "rows.jsonl").exists()
    assert found.lines[0].startswith("no row is left")


@pytest.mark.slow
def test_drafts_that_were_not_judged_are_counted_and_left_out(project: Path) -> None:
    cases = [case(i, prose(i), cluster=f"lease {i}") for i in (50, 51)]
    write_drafts(project, cases)
    path = answered(project, "drafts").path
    answers = {"c50": fixed("baseline", 60.0), "c51": skipped(fixed("tuned", 9.0), "skipped: not my field")}
    review(path, "drafts/leases", "r1", answers, mode="fix")
    found = export(path, project / "rows.jsonl")
    assert (found.rows, found.not_judged) == (1, 1)


@pytest.mark.slow
def test_a_changed_or_absent_prompt_is_refused(project: Path) -> None:
    path = drafts(project, [case(60, prose(60), cluster="free")])
    (project / "drafts" / "leases" / "prompt.jinja").write_text("Other words: {{ document }}")
    with pytest.raises(UserError, match="its prompt is not the one of the run"):
        export(path, project / "rows.jsonl")
    shutil.rmtree(project / "drafts" / "leases")
    write_drafts(project, [case(60, prose(60))], "drafts/others")
    with pytest.raises(UserError, match="no such suite in drafts"):
        export(path, project / "rows.jsonl")


def test_a_run_without_corrections_says_how_to_make_some(project: Path) -> None:
    path = answered(project, "evalsuites").path
    with pytest.raises(UserError, match="nobody has corrected a draft"):
        export(path, project / "rows.jsonl")


def test_a_changed_run_exports_nothing(project: Path) -> None:
    path = drafts(project, [case(70, prose(70), cluster="free")])
    with (path / "records.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(UserError, match="changed after the run was sealed"):
        export(path, project / "rows.jsonl")


@pytest.mark.slow
def test_the_command_says_what_it_wrote_and_what_it_refused(project: Path) -> None:
    path = drafts(project, [case(80, prose(80), cluster="free"), case(81, prose(81), cluster="k2")])
    done = command.tunegate(project, "review", "export", path.name, "--out", "rows.jsonl")
    assert done.returncode == 0, done.stderr
    assert "written: rows.jsonl, rows: 1, of which unchanged drafts: 1" in done.stdout
    assert "drafts/leases c81: k2 is a cluster of suite legal/mini, case c2" in done.stdout
    assert [row.document for row in load_rows([str(project / "rows.jsonl")])] == ["free"]
