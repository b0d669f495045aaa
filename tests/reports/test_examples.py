"""The scripts of docs/examples: small whole reports that name no folder of this machine, and their pictures."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.runs.folder import RunData
from reports.cases import pages
from tests.reports.conftest import Writer
from tests.reports.review.conftest import write_sealed
from tests.support.browser import NewContext
from tests.support.sample import make_record, make_records

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def load(name: str) -> Any:
    """A script of the examples' folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make = load("make")


@pytest.fixture(autouse=True)
def _settings_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The script sets how many cases a report shows; other tests want their own."""
    for name in ("ROOM", "MOST"):
        monkeypatch.setattr(pages, name, getattr(pages, name))


def run_of(write_run: Writer, cases: int, text: str = "None.") -> Path:
    more = [make_record(100 + i, variant, text) for i in range(cases) for variant in ("baseline", "tuned")]
    return write_run(records=[*make_records(), *more])


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["make.py", *map(str, arguments)])
    make.main()


@pytest.mark.slow
def test_an_example_is_a_whole_small_report_in_the_index(
    monkeypatch: pytest.MonkeyPatch, write_run: Writer, training_run: RunData, tmp_path: Path
) -> None:
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed", exc_type=OSError)
    run, out = run_of(write_run, 80), tmp_path / "examples"
    call(monkeypatch, "--out", out, f"clauses={run}+{training_run.path}", f"alone={run}")
    names = {file.name for file in (out / "clauses").iterdir()}
    assert names >= {"report.html", "report.md", "report.json", "report.pdf", "cases.csv"}
    assert sum(file.stat().st_size for file in (out / "clauses").iterdir()) < make.LIMIT
    html = "".join(file.read_text("utf-8") for file in (out / "clauses").glob("*.html"))
    assert html.count('<details class="exchange') == make.MOST
    assert "Loss by training step" in html and "are on no page" in html
    rows = (out / "README.md").read_text("utf-8").splitlines()[-2:]
    assert [row.split("]")[0] for row in rows] == ["| [alone", "| [clauses"]
    _, _, said, files, _ = rows[1].split("|")
    assert said.startswith(" **FAIL** legal/clauses: ") and "(clauses/report.pdf)" in files
    assert said.split(": ", 1)[1].strip() in (out / "clauses" / "report.md").read_text("utf-8")


@pytest.mark.slow
def test_an_example_that_is_too_large_is_refused_and_the_old_one_stays(
    monkeypatch: pytest.MonkeyPatch, write_run: Writer, tmp_path: Path
) -> None:
    pytest.importorskip("weasyprint", reason="WeasyPrint is not installed", exc_type=OSError)
    run, out = run_of(write_run, 1), tmp_path / "examples"
    make.write("clauses", [run], out)
    before = {file.name: file.read_bytes() for file in (out / "clauses").iterdir()}
    monkeypatch.setattr(make, "LIMIT", 1000)
    with pytest.raises(UserError, match=r"clauses: [\d,]+ bytes compressed, over 1,000 .*report\.html"):
        make.write("clauses", [run], out)
    assert {file.name: file.read_bytes() for file in (out / "clauses").iterdir()} == before


def test_an_example_that_names_a_folder_of_this_machine_is_refused(tmp_path: Path) -> None:
    clean, private = tmp_path / "report.md", tmp_path / "report.html"
    clean.write_text(f"models/base, {Path.home()}stead")
    private.write_text(f"Checkpoint {Path.home()}/models/base")
    make.refuse_private("clauses", [clean], [])
    with pytest.raises(UserError, match=r"clauses: report\.html name"):
        make.refuse_private("clauses", [clean, private], [])


def test_an_example_that_names_a_folder_of_the_machine_of_its_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"suites": ["/srv/team/evalsuites/letters"], "base": "org/base"}')
    page = tmp_path / "report.md"
    page.write_text("Suites: evalsuites/letters of org/base")
    make.refuse_private("clauses", [page], [tmp_path])
    page.write_text("Suites: /srv/team/evalsuites/letters")
    with pytest.raises(UserError, match=r"clauses: report\.md name"):
        make.refuse_private("clauses", [page], [tmp_path])


def test_an_example_without_a_run_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"make\.py: 'clauses' is no example"):
        call(monkeypatch, "--out", tmp_path, "clauses")


@pytest.mark.browser
@pytest.mark.slow
def test_pictures_are_of_the_report_in_their_sizes(
    new_context: NewContext, browser: Any, run: RunData, training_run: RunData, tmp_path: Path
) -> None:
    import reports

    image_of = pytest.importorskip("PIL.Image", reason="Pillow is not installed").open
    pictures = load("pictures")
    reports.publish([run, training_run], tmp_path / "report")
    sizes = {}
    for name, part in pictures.PICTURES.items():
        assert pictures.shoot(browser, tmp_path / "report" / "report.html", part, tmp_path / name), name
        with image_of(tmp_path / name) as image:
            sizes[name] = image.size
    assert sizes["report.png"] == (1280, 1500) and sizes["report-case.png"][0] <= 1280


@pytest.mark.browser
@pytest.mark.slow
def test_a_part_that_a_report_lacks_makes_no_picture(browser: Any, tmp_path: Path) -> None:
    pictures = load("pictures")
    (tmp_path / "report.html").write_text("<!doctype html><p>empty")
    assert pictures.shoot(browser, tmp_path / "report.html", "figure", tmp_path / "x.png") is None
    assert not (tmp_path / "x.png").exists()


@pytest.mark.browser
@pytest.mark.slow
def test_the_review_app_is_pictured_at_its_first_item_and_the_run_stays_as_it_was(browser: Any, tmp_path: Path) -> None:
    image_of = pytest.importorskip("PIL.Image", reason="Pillow is not installed").open
    run = write_sealed(tmp_path / "run")
    before = sorted(path.name for path in run.iterdir())
    command = [sys.executable, str(EXAMPLES / "review_picture.py"), str(run), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    with image_of(tmp_path / "review.png") as image:
        assert image.size == (1280, 900)
    assert sorted(path.name for path in run.iterdir()) == before
