"""Earlier runs for readers: trends, the page of all runs, the listing, and the report's own section."""

import json
import re
import sys
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from harness.errors import UserError
from harness.runs.folder import RunFolder, load_manifest
from harness.runs.history import PastModel, PastRun, levels, past_runs
from harness.sanitize import is_hidden
from harness.schema import NO_MERGE, AcceptedInfo, Checkpoint, Estimate, Metric, Metrics
from reports.assemble import build
from reports.charts import history
from reports.history import page, terminal
from reports.history import trends as trend_module
from reports.history.trends import Trend, accepted_below, accepted_by, trends
from reports.model import Section, Text
from reports.render import html
from tests.reports.conftest import part
from tests.reports.render.test_accessible import Outline, check_outline
from tests.reports.render.test_hostile import OWN_ATTRIBUTES, OWN_TAGS, Page
from tests.support.hostile import ATTACKS
from tests.support.runs import SUITE, make_level, make_suite, make_verdict, name_of, write_run
from tests.support.sample import make_manifest


def found(root: Path) -> list[Trend]:
    runs = past_runs(root)
    suites = {suite.name for run in runs for suite in run.suites}
    return trends(runs, levels(root, suites), accepted_by(runs))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five evaluations: from the third on with other cases; the fifth was compared with the fourth, accepted."""
    made = tmp_path / "runs"
    for day, value in enumerate((0.5, 0.6, 0.7, 0.8, 0.9), 1):
        more = {"cases_hash": "9" * 64} if day > 2 else {}
        accepted = AcceptedInfo(digest="d", run_id=name_of(4)) if day == 5 else None
        outcomes = ("pass", "fail") if day < 4 else ("pass",)
        write_run(made, day, outcomes, value, suites=[make_suite(accepted=accepted, **more)])
    return made


def test_a_trend_holds_the_judged_levels_oldest_first(root: Path) -> None:
    (trend,) = found(root)
    assert (trend.suite, trend.metric, trend.is_share, trend.better) == (SUITE, "clause_recall", True, "higher")
    assert [point.estimate.value for point in trend.points] == [0.5, 0.6, 0.7, 0.8, 0.9]
    first = trend.points[0].estimate
    assert (first.low, first.high) == pytest.approx((0.45, 0.55))
    assert [point.model for point in trend.points] == [f"runs/adapter-{day}" for day in range(1, 6)]
    assert [point.outcome for point in trend.points] == ["fail", "fail", "fail", "pass", "pass"]
    assert [point.accepted for point in trend.points] == [False, False, False, True, False]
    assert [len(stretch) for stretch in trend.stretches] == [2, 3]


def test_unfinished_unsealed_and_partial_runs_are_no_points(root: Path) -> None:
    write_run(root, 6, status="failed")
    write_run(root, 7, seal=False)
    write_run(root, 8, suites=[make_suite(asked=3)])
    assert [point.run for point in found(root)[0].points] == [name_of(day) for day in range(1, 6)]


def test_only_metrics_that_gates_judge_have_a_trend_in_the_order_of_the_newest_gates(tmp_path: Path) -> None:
    for day, gated in ((1, ["clause_recall"]), (2, ["answer_words", "clause_recall"])):
        path = write_run(tmp_path, day, seal=False)
        RunFolder(path).write_verdicts([make_verdict(metric=name, gate=name) for name in gated])
        RunFolder(path).seal()
    assert [(t.metric, t.is_share) for t in found(tmp_path)] == [("answer_words", False), ("clause_recall", True)]


def test_of_very_many_runs_the_newest_are_points_and_the_others_are_counted(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trend_module, "MOST_POINTS", 2)
    (made,) = found(root)
    assert [point.run for point in made.points] == [name_of(4), name_of(5)] and made.left_out == 3
    assert "2 of 5 runs shown." in written(root)


def test_accepted_baselines_are_read_from_the_suites_and_a_broken_one_is_passed_over(tmp_path: Path) -> None:
    for name, text in (("a", '{"suite": "legal/a", "run_id": "r1", "more": 1}'), ("b", "{"), ("c", '{"suite": 1}')):
        (tmp_path / "legal" / name).mkdir(parents=True)
        (tmp_path / "legal" / name / "baseline.json").write_text(text)
    assert accepted_below(tmp_path) == {("legal/a", "r1")}
    assert accepted_below(tmp_path / "none") == set()


def test_accepted_baselines_of_the_project_are_marked_from_any_folder_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path / "runs", 1)
    (below := tmp_path / "evalsuites" / "legal" / "clauses").mkdir(parents=True)
    (below / "baseline.json").write_text(json.dumps({"suite": "legal/clauses", "run_id": name_of(1)}))
    for folder in (tmp_path, below):
        monkeypatch.chdir(folder)
        out = page.write(tmp_path / "runs", past_runs(tmp_path / "runs"), tmp_path / "page.html")
        assert ">accepted baseline<" in out.read_text("utf-8")


def test_a_broken_folder_without_a_time_leaves_the_days_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "run.json").write_text("{")
    assert "<h1>1 run; 1 folder cannot be read</h1>" in written(tmp_path)
    write_run(tmp_path, 1)
    write_run(tmp_path, 2)
    assert "<h1>3 runs, 2026-11-01 to 2026-11-02; 1 folder cannot be read</h1>" in written(tmp_path)


def test_a_point_has_the_outcome_of_its_own_metric_and_says_what_it_counts(tmp_path: Path) -> None:
    """A rate of 100% had been shown with FAIL, the outcome of another metric's gate, and "n 120"."""
    path = write_run(tmp_path, 1, seal=False)
    verdicts = [make_verdict(outcome="pass"), make_verdict(metric="answer_words", gate="short", outcome="fail")]
    RunFolder(path).write_verdicts(verdicts)
    RunFolder(path).seal()
    assert {trend.metric: trend.points[0].outcome for trend in found(tmp_path)} == {
        "clause_recall": "pass",
        "answer_words": "fail",
    }
    assert re.search(r"\d+ clauses in \d+ contracts", written(tmp_path)) and ">n " not in written(tmp_path)


@pytest.mark.parametrize("narrow", [False, True])
def test_the_chart_shows_band_line_break_and_the_accepted_run(root: Path, narrow: bool) -> None:
    (trend,) = found(root)
    made, css = history.draw(trend, "t", narrow)
    assert made.startswith('<svg class="curve narrow"' if narrow else '<svg class="curve wide"')
    assert "style=" not in made and 'role="img"' in made
    label = "Clause recall, excerpt of legal/clauses over 5 runs, with 95% intervals. The same numbers are in the"
    assert f'aria-label="{label} table below"' in made
    assert "var(--good)" in css and "stroke-dasharray" in css and "opacity" in css
    assert "2026-11-05" in made
    points = [msgspec.structs.replace(point, accepted=False, questions="q") for point in trend.points]
    plain = msgspec.structs.replace(trend, points=points)
    _, other = history.draw(plain, "t", narrow)
    assert "var(--good)" not in other and "stroke-dasharray" not in other


def test_the_threshold_of_a_level_gate_is_drawn_and_in_the_table(tmp_path: Path) -> None:
    observed = Estimate(value=0.9, low=0.85, high=0.94, n=40, clusters=20)
    for day, (rule, margin) in enumerate((("at_least", 0.05), ("at_most", -0.0175), ("improves", 0.1)), 1):
        path = write_run(tmp_path, day, seal=False)
        verdict = make_verdict(rule=rule, observed=observed, margin=margin)
        RunFolder(path).write_verdicts([verdict])
        RunFolder(path).seal()
    (trend,) = found(tmp_path)
    assert [[round(at, 9) for at in point.thresholds] for point in trend.points] == [[0.8], [0.9225], []]
    assert "var(--caution)" in history.draw(trend, "t")[1]
    bare = msgspec.structs.replace(trend, points=[msgspec.structs.replace(p, thresholds=[]) for p in trend.points])
    assert "var(--caution)" not in history.draw(bare, "t")[1]
    text = written(tmp_path)
    assert "a horizontal dashed line is the threshold of a gate" in text and ">80.0%<" in text and ">92.25%<" in text


def test_a_run_alone_and_a_level_without_an_interval_are_drawn(root: Path) -> None:
    (trend,) = found(root)
    bare = msgspec.structs.replace(trend.points[0], estimate=Estimate(value=61.5, n=3), accepted=True)
    made, _ = history.draw(msgspec.structs.replace(trend, points=[bare], is_share=False), "t")
    assert "<svg" in made


def written(root: Path, out: Path | None = None) -> str:
    return page.write(root, past_runs(root), out or root / "index.html").read_text("utf-8")


def test_the_page_shows_every_run_newest_first_and_links_to_reports_that_are_there(root: Path) -> None:
    (root / name_of(4) / "report").mkdir()
    (root / name_of(4) / "report" / "report.html").write_text("x")
    (root / name_of(9)).mkdir()
    text = written(root)
    rows = re.findall(r'<tr id="run-[^"]*">\n<th scope="row">.*?<code>([^<]*)</code>', text)
    assert rows == [name_of(9), *(name_of(day) for day in range(5, 0, -1))]
    links = [href for href in re.findall(r'<a class="main" href="([^"]*)"', text) if not href.startswith("#")]
    assert links == [f"{name_of(4)}/report/report.html"]
    assert "no run.json: the run was stopped before it wrote one" in text
    assert "6 runs, 2026-11-01 to 2026-11-09; 1 folder cannot be read" in text


def test_links_lead_from_where_the_page_is(root: Path, tmp_path: Path) -> None:
    strange = write_run(root, 6, run_id="javascript:alert(1)?#%\"'<b>")
    (strange / "report").mkdir()
    (strange / "report" / "report.html").write_text("x")
    text = written(root, tmp_path / "site" / "history.html")
    links = [href for href in re.findall(r'<a class="main" href="([^"]*)"', text) if not href.startswith("#")]
    assert links == ["../runs/javascript%3Aalert%281%29%3F%23%25%22%27%3Cb%3E/report/report.html"]


def test_the_page_marks_accepted_runs_and_other_questions_in_words(root: Path) -> None:
    text = written(root)
    assert text.count("accepted baseline</span>") == 1
    assert "Test set" in text and "Questions" not in text
    assert text.count(">different</span>") == 2 and text.count(">same as the newest run</span>") == 3
    assert (
        "a diamond marks an accepted baseline; a vertical dashed line marks where cases, prompt or scorers changed"
        in text
    )
    assert ">90.0%</span>" in text and "85.0% to 95.0%" in text


def test_the_page_has_one_style_no_script_and_is_the_same_twice(root: Path) -> None:
    text = written(root)
    assert text == written(root)
    assert "<script" not in text and "style=" not in text
    assert [to for to in re.findall(r'(?:href|src)="([^"]*)"', text) if not to.startswith("#")] == []
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert style is not None and policy is not None
    assert policy[1].replace("&#39;", "'") == html.policy(style[1])
    assert "script-src" not in policy[1]


def test_the_page_is_readable_without_seeing_it(root: Path) -> None:
    outline = Outline(written(root))
    assert len(outline.all("table")) == 2
    check_outline(outline)


def test_hostile_names_are_inert_on_the_page_and_on_a_terminal(root: Path) -> None:
    for day, attack in enumerate(ATTACKS, 6):
        text = attack.encode("utf-8", "replace").decode()
        models = {"tuned": msgspec.structs.replace(manifest_model(root), name=text)}
        suite = make_suite(name=text, cluster=text, shape=text)
        write_run(root, day % 28 + 1, run_id=f"r{day}", checkpoints=models, suites=[suite])
    text = written(root)
    seen = Page(text)
    assert seen.tags - OWN_TAGS | seen.tags & {"script", "form"} == set() == seen.attributes - OWN_ATTRIBUTES
    assert not [link for link in seen.links if "script:" in link.lower()]
    assert not [c for c in text if is_hidden(c)]
    lines = terminal.lines(past_runs(root))
    assert len(lines) == len(ATTACKS) + 6
    assert not [c for line in lines for c in line if is_hidden(c) or c == "\t"]
    console = Console(width=200, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as printed:
        console.print(terminal.table(past_runs(root), 200))
    assert "\x1b" not in printed.get() and "[bold red]" in printed.get()


def manifest_model(root: Path) -> Checkpoint:
    return load_manifest(root / name_of(1)).checkpoints["tuned"]


def test_a_page_of_no_run_says_so(tmp_path: Path) -> None:
    text = page.render(tmp_path, [], [], tmp_path)
    assert "No runs." in text and "there is no trend yet" in text and "Nothing to show." in text


def test_a_page_that_cannot_be_written_is_one_line(root: Path) -> None:
    (root / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        page.write(root, past_runs(root), root / "file" / "index.html")


def test_without_matplotlib_the_numbers_stand_open(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = written(root)
    assert "The chart needs the package matplotlib" in text and "<details open>" in text and "90.0%" in text


def test_the_listing_is_aligned_and_says_what_is_wrong(root: Path) -> None:
    write_run(root, 6, seal=False)
    (root / name_of(7)).mkdir()
    lines = terminal.lines(past_runs(root))
    assert lines[0].split() == ["run", "kind", "status", "outcome", "gates", "checkpoints", "suites"]
    at = lines[0].index("outcome")
    assert [line[at:].split("  ")[0] for line in lines[1:]] == ["FAIL"] * 3 + ["PASS"] * 2 + ["NOT JUDGED", "–"]
    assert "1 fail, 1 pass" in lines[1] and "org/base vs runs/adapter-1" in lines[1] and lines[1].endswith(SUITE)
    assert "finished, not sealed" in lines[6]
    assert lines[7].endswith("no run.json: the run was stopped before it wrote one, or the file was removed")


@pytest.mark.parametrize("width", [80, 200])
def test_names_of_runs_checkpoints_and_suites_are_whole_at_any_width(root: Path, width: int) -> None:
    """At 80 columns, six had been left for both checkpoints, in a dozen lines a run."""
    console = Console(width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as seen:
        console.print(terminal.table(past_runs(root), width))
    text = seen.get()
    assert all(name_of(day) in text for day in range(1, 6))
    assert all(f"org/base vs runs/adapter-{day}" in text for day in range(1, 4)) and SUITE in text
    assert text.count("1 fail, 1 pass") == 3
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, ""),
        ({"kind": "scripted"}, "has the answers of a script, not of a model"),
        ({"kind": "imported", "unpinned_because": "imported from jsonl"}, "has answers that were imported from jsonl"),
        ({"kind": "endpoint"}, "used a server with unknown weights (m)"),
        ({"kind": "endpoint", "pinned_by": "server process"}, ""),
        ({"digest": "b" * 64}, "compared a model with itself"),
        ({"note": "legal/clauses: 3 answers per case. The run approves no merge."}, "clauses: 3 answers per case"),
        ({"copy": "best"}, f"is a renamed copy of run {name_of(1)}"),
    ],
)
def test_a_run_that_no_policy_lets_merge_says_why(tmp_path: Path, fields: dict[str, str], why: str) -> None:
    """Lists had shown PASS alone, and the page of trends too."""
    notes, copy = [note for note in [fields.pop("note", "")] if note], fields.pop("copy", name_of(1))
    tuned = Checkpoint(**({"name": "m", "kind": "model", "path": "/m", "digest": "a" * 64} | fields))  # type: ignore[arg-type]
    base = Checkpoint(name="b", kind="model", path="/b", digest="b" * 64)
    write_run(tmp_path, checkpoints={"tuned": tuned, "baseline": base}, notes=notes).rename(tmp_path / copy)
    (run,) = past_runs(tmp_path)
    assert run.outcome == "pass" and (why in run.no_merge if why else run.no_merge == "")
    assert terminal.outcome(run) == ("PASS, no merge" if why else "PASS")
    page = written(tmp_path)
    assert page.count(f"no merge: {run.no_merge}") == (2 if why else 0)
    assert page.count("PASS, no merge") == (2 if why else 0)


def test_a_note_on_one_suite_keeps_no_other_suite_of_the_run_from_a_merge() -> None:
    note = f"a/b: 3 answers per case. {NO_MERGE}"
    infos = [make_suite(name=name) for name in ("a/b", "c/d")]
    assert make_manifest(suites=infos, notes=[note]).no_merge == ""
    assert make_manifest(suites=infos[:1], notes=[note]).no_merge == "a/b: 3 answers per case"
    assert make_manifest(suites=infos, notes=[note, f"All of it. {NO_MERGE}"]).no_merge == "All of it"


def test_a_training_has_no_outcome() -> None:
    models = {"tuned": PastModel(name="t", digest="d")}
    run = PastRun(name="r", kind="train", status="finished", sealed=True, models=models)
    assert terminal.row(run) == ("r", "train", "finished", "–", "–", "t", "–")


def section(path: Path) -> Section:
    return part(build([path]), "history")


def test_the_report_shows_how_gated_metrics_moved_until_this_run(root: Path) -> None:
    curve = section(root / name_of(5)).blocks[0]
    assert [[cell.text for cell in row] for row in curve.twin.rows] == [
        [name_of(1), "runs/adapter-1", "different", "50.0%"],
        [name_of(2), "runs/adapter-2", "different", "60.0%"],
        [name_of(3), "runs/adapter-3", "the same", "70.0%"],
        [name_of(4), "runs/adapter-4", "the same", "80.0%"],
        [name_of(5), "runs/adapter-5", "–", "90.0%"],
    ]
    assert curve.twin.rows[-1][0].note == "this run" and curve.twin.rows[0][3].note == "45.0% to 55.0%"
    assert [(line.name, line.points) for line in curve.lines] == [
        ("Clause recall, excerpt", [(3.0, 0.7), (4.0, 0.8), (5.0, 0.9)])
    ]
    assert list(root.glob(".*")) == [], "a report makes no index"


def test_a_report_knows_nothing_of_what_came_later(root: Path) -> None:
    before = section(root / name_of(3))
    (root / name_of(4) / "run.json").unlink()
    assert section(root / name_of(3)) == before
    assert name_of(5) not in str(before)


@pytest.mark.parametrize("gated", ["clause_recall", "answer_words"])
def test_a_run_without_an_earlier_one_by_the_same_metrics_says_so(tmp_path: Path, gated: str) -> None:
    if gated == "answer_words":
        write_run(tmp_path, 1)
    path = write_run(tmp_path, 2, seal=False)
    folder = RunFolder(path)
    folder.write_verdicts([make_verdict(metric=gated)])
    folder.seal()
    (block,) = section(path).blocks
    said = "the folder has no earlier finished, sealed run of the whole suite whose gates judged the same metrics"
    assert block.text == f"{SUITE}: {said}."


def test_a_run_without_gates_has_no_metric_to_follow(tmp_path: Path) -> None:
    path = write_run(tmp_path, 1, outcomes=())
    (block,) = section(path).blocks
    assert isinstance(block, Text) and "no gate was judged" in block.text


def test_only_other_questions_before_give_a_table_without_a_chart(root: Path) -> None:
    block, _ = section(root / name_of(3)).blocks
    assert [row[2].text for row in block.rows] == ["different", "different", "–"]


def test_many_runs_and_metrics_are_shortened_and_it_is_said(tmp_path: Path) -> None:
    names = [f"m{at}" for at in range(5)]
    suite = make_suite(metrics=[Metric(name=name, scorer="s", numerator="n") for name in names])
    for day in range(1, 16):
        path = write_run(tmp_path, day, seal=False, suites=[suite])
        folder = RunFolder(path)
        folder.write_metrics(Metrics(metrics=[make_level(0.5, metric=name) for name in names]))
        folder.write_verdicts([make_verdict(metric=name, gate=name) for name in names])
        folder.seal()
    curve = section(path).blocks[0]
    assert len(curve.twin.rows) == 13 and len(curve.twin.columns) == 6
    assert curve.twin.rows[0][0].text == name_of(3)
    assert curve.twin.note.endswith("3 of 5 gated metrics shown. tunegate runs --html shows all.")
