"""Cases over pages: order, addresses, what is left out and where it is; the same from memory and from the disk."""

import csv
import re
from pathlib import Path

import msgspec
import pytest

import reports
from harness.runs.folder import load_run
from harness.schema import Metrics, Record, Score
from reports import assemble
from reports.cases import pages, read, select
from reports.cases.select import anchor
from reports.model import Exchange, Headline, ReportModel, Table
from reports.sentences import KINDS
from tests.reports.conftest import Writer, write_training
from tests.support.sample import SUITE, cite, make_manifest, make_record, make_records, make_suite

LINK = re.compile(r'href="([^"#]*)#([^"?]+)"')


def many(count: int = 60, fabricating: tuple[str, ...] = ("baseline", "tuned")) -> list[Record]:
    """Contracts by number: a third regresses, a third gains, a sixth fabricates, the rest is equal."""
    records = []
    for number in range(100, 100 + count):
        invented = f"See O.C.G.A. § 44-99-{number}."
        spans = (cite(invented, f"O.C.G.A. § 44-99-{number}"),)
        fabricates = number % 6 == 5
        for variant, found in (("baseline", number % 3 != 1), ("tuned", number % 3 != 0)):
            invents = fabricates and variant in fabricating
            text = invented if invents else f"Answer {number} of {variant}."
            records.append(make_record(number, variant, text, found, spans if invents else ()))
    return records


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "ROOM", 10 * select.FRAME)


def written(folder: Path, out: Path, *training: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in reports.publish([folder, *training], out)}


def anchors(page: bytes) -> list[str]:
    return re.findall(r'<div class="body" id="([^"]+)"', page.decode())


def pages_of(files: dict[str, bytes]) -> list[str]:
    return [name for name in files if name == "report.html" or name.startswith("cases-0")]


def exchanges(model: ReportModel) -> list[Exchange]:
    return [b for section in model.sections for b in section.blocks if isinstance(b, Exchange)]


@pytest.mark.usefixtures("small_pages")
def test_every_case_is_on_one_page_and_pages_begin_with_regressions_and_gains(
    write_run: Writer, tmp_path: Path
) -> None:
    files = written(write_run(records=many()), tmp_path / "out")
    names = pages_of(files)
    assert names[:2] == ["report.html", "cases-0001.html"] and len(names) > 5
    found = [a for name in names for a in anchors(files[name])]
    assert len(found) == len(set(found)) == 60
    by_page = [re.findall(r'<details class="exchange (\w+)"', files[name].decode()) for name in names]
    assert by_page == [sorted(kinds, key=select.ORDER.index) for kinds in by_page]
    assert [by_page[0].count(kind) for kind in ("regression", "gain", "fabrication")] == [3, 2, 1]
    kinds = [kind for page in by_page for kind in page]
    assert (kinds.count("regression"), kinds.count("gain"), kinds.count("fabrication")) == (20, 20, 10)


@pytest.mark.usefixtures("small_pages")
def test_every_link_between_the_pages_leads_to_its_place(write_run: Writer, tmp_path: Path) -> None:
    files = written(write_run(records=many(fabricating=("tuned",))), tmp_path / "out")
    ids = {name: set(re.findall(r' id="([^"]+)"', files[name].decode())) for name in pages_of(files)}
    followed = 0
    for name in ids:
        for file, place in LINK.findall(files[name].decode()):
            assert place in ids[file or name], (name, file, place)
            followed += bool(file)
        for file in re.findall(r'href="([^"#]+)"', files[name].decode()):
            assert file in files
    assert followed >= 4, "the table of fabrications leads to other pages"


@pytest.mark.usefixtures("small_pages")
def test_what_a_page_lacks_is_counted_with_its_place(write_run: Writer, tmp_path: Path) -> None:
    folder = write_run(records=many())
    model = reports.build([folder])
    said = msgspec.json.encode(model).decode()
    others = r"The others are on cases-0001.html to cases-000\d.html\."
    assert re.search(rf"legal/clauses: \d+ of 20 regressions shown\. {others}", said)
    table = next(
        b for s in model.sections for b in s.blocks if isinstance(b, Table) and b.caption == "Pages with further cases"
    )
    held = sum(int(row[1].text) for row in table.rows)
    assert held + len(exchanges(model)) == 60
    assert [row[0].link for row in table.rows] == pages_of(written(folder, tmp_path / "out"))[1:]


def test_cases_beyond_the_most_are_in_the_table_of_all_and_said_to_be(
    write_run: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MOST", 25)
    files = written(write_run(records=many()), tmp_path / "out")
    assert sum(len(anchors(files[name])) for name in pages_of(files)) == 25
    page = files["report.html"].decode()
    assert "35 cases are on no page: cases.csv has a row for each" in page
    assert "2 of 20 gains shown. The others are on cases-0001.html. 8 of them are only in cases.csv." in page
    rows = list(csv.DictReader(files["cases.csv"].decode().splitlines()))
    assert [len(rows), sum(not row["shown_in"] for row in rows)] == [60, 35]


@pytest.mark.usefixtures("small_pages")
def test_the_table_of_all_cases_has_scores_and_places(write_run: Writer, tmp_path: Path) -> None:
    files = written(write_run(records=many()), tmp_path / "out")
    text = files["cases.csv"].decode()
    rows = {row["case_id"]: row for row in csv.DictReader(text.removeprefix("\ufeff").splitlines())}
    assert text[0] == "\ufeff"  # Excel knows UTF-8 by it.
    lost = rows["lease-102"]
    assert (lost["shown_for"], lost["improvement"]) == ("regression wrong", "-1.0")
    assert rows["lease-101"]["shown_for"].split()[0] == "unsupported"
    assert (lost["baseline clause_recall"], lost["tuned clause_recall"]) == ("1.0", "0.0")
    assert (lost["suite"], lost["source"], lost["slices"]) == (SUITE, "contract-102", "instrument: deed")
    for row in rows.values():
        name, place = row["shown_in"].split("#")
        assert place in anchors(files[name])


@pytest.mark.slow
@pytest.mark.usefixtures("small_pages")
def test_two_reports_of_one_run_give_equal_bytes_and_pages_of_an_older_one_go(
    write_run: Writer, tmp_path: Path
) -> None:
    folder, training = write_run(records=many()), write_training(write_run)
    first = written(folder, tmp_path / "a", training)
    assert first == written(folder, tmp_path / "b", training)
    written(write_run(records=make_records()[:9]), tmp_path / "a")
    assert [file.name for file in (tmp_path / "a").glob("cases-*.html")] == []


@pytest.mark.slow
@pytest.mark.usefixtures("small_pages")
def test_a_run_on_the_disk_gives_the_report_of_a_run_in_memory(
    write_run: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(records=[*many(), *make_records()])
    held = written(folder, tmp_path / "held")
    monkeypatch.setattr("harness.files.MEMORY_BYTES", 0)
    assert assemble.read([folder]).run.records == []
    assert written(folder, tmp_path / "streamed") == held


def test_repeats_are_told_from_the_disk_too(write_run: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [make_record(n, "tuned", "x", found=n != 2 or r == 1, repeat=r) for n in range(3) for r in (1, 2)]
    folder = write_run(manifest=make_manifest(suites=[make_suite(samples=2)]), records=records)
    held = reports.build([folder])
    monkeypatch.setattr("harness.files.MEMORY_BYTES", 0)
    assert reports.build([folder]) == held
    assert "flip between repeats" in msgspec.json.encode(held).decode()


def test_an_answer_on_the_disk_is_found_by_its_number(write_run: Writer) -> None:
    folder = write_run(records=[*many(), *make_records()])
    run, disk = load_run(folder), read.OnDisk(folder)
    found = list(disk)
    assert [suite for _, suite, _ in found] == run.suite_of
    for (number, _, streamed), record in reversed(list(zip(found, run.records, strict=True))):
        assert disk.read(number) == streamed == record


@pytest.mark.slow
def test_a_report_of_two_thousand_long_cases_is_one_file_under_three_megabytes(
    write_run: Writer, tmp_path: Path
) -> None:
    answer = " ".join(f"word{i % 97}" for i in range(230))
    records = []
    for number in range(2000):
        base = make_record(number, "baseline", answer, number % 10 != 0)
        case = msgspec.structs.replace(base.case, input={"document": "§ " * 4000})
        records.append(msgspec.structs.replace(base, case=case))
        tuned = make_record(number, "tuned", answer.replace("word5 ", "other "), number % 10 != 1)
        records.append(msgspec.structs.replace(tuned, case=case))
    files = written(write_run(records=records), tmp_path / "out")
    assert 30_000 < len(files["report.html"]) < 3_000_000
    assert max(len(files[name]) for name in pages_of(files)) < 3_000_000
    assert sum(len(anchors(files[name])) for name in pages_of(files)) == 2000


@pytest.mark.parametrize("case_id", ["a/b c", "A\u202eB", "\ud800", "x" * 300, "§", "#?&'\"<", "case"])
def test_an_address_is_safe_and_tells_cases_apart(case_id: str) -> None:
    found = anchor("s", case_id)
    assert re.fullmatch(r"case-[a-z0-9-]*[0-9a-f]{8}", found) and len(found) < 60
    assert found != anchor("s", case_id + " ") != anchor("t", case_id + " ")


def test_a_run_without_a_baseline_shows_its_answers_alone(write_run: Writer) -> None:
    records = [r for r in many(12) if r.variant == "tuned"]
    manifest = make_manifest(checkpoints={"tuned": make_manifest().checkpoints["tuned"]})
    model = reports.build([write_run(records=records, manifest=manifest, verdicts=[])])
    shown = exchanges(model)
    assert [e.kind for e in shown] == ["fabrication"] * 2 + ["wrong"] * 4 + ["other"] * 6
    assert {len(e.answers) for e in shown} == {1}
    assert "6 other cases" in str(model.sections) and "nchanged" not in str(model.sections)
    assert {p.change for e in shown for a in e.answers for p in a.pieces} == {"same"}


def test_an_answer_without_a_score_is_neither_wrong_nor_right(write_run: Writer) -> None:
    """Of a model alone: of ten answers, the last six have no score."""
    records = [make_record(number, "tuned", "x") for number in range(10)]
    for record in records[4:]:
        record.scores["clauses"] = Score(name="clauses", value=None, reason="the answer cannot be read")
    model = reports.build([load_run(write_run(records=records, metrics=Metrics(), verdicts=[]))])
    (headline,) = (b for b in model.sections[0].blocks if isinstance(b, Headline))
    assert headline.sentence == "Wrong on 0 of 4 contracts."
    assert [e.why for e in exchanges(model)] == ["Not wrong"] * 4 + ["Not measured"] * 6
    assert "Not wrong" not in KINDS["other"]
