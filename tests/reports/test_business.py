"""The business estimate: from measured shares and stated minutes, from people's times where there are some."""

import json
from pathlib import Path

import msgspec
import pytest

import reports
from harness.errors import UserError
from harness.schema import Metric, MetricRow, Metrics
from reports import assumptions
from reports.assemble import build, read
from reports.assumptions import Assumptions
from reports.model import Facts, Section, Table, Text
from reports.sections import business as shown
from tests.reports.conftest import Writer, facts, part, table
from tests.support import command
from tests.support.reviewed_run import fixed, review
from tests.support.sample import (
    METRICS,
    SUITE,
    interval,
    make_comparisons,
    make_manifest,
    make_metrics,
    make_suite,
    make_verdicts,
)

EXACT = Metric(name="clause_exact_set", scorer="clauses", numerator="exact")
PARSED = Metric(name="complete_rate", scorer="clauses", numerator="parsed")
ALARMS = Metric(name="invented_rate", scorer="clauses", numerator="invented", higher_is_better=False)


def parts(metric: Metric = EXACT, change: tuple[float, float, float] = (0.2, 0.1, 0.3)) -> dict[str, object]:
    """A run in which `metric` is a share of answers: baseline 60%, tuned 80%."""
    levels = [
        MetricRow(suite=SUITE, variant=variant, metric=metric.name, estimate=interval(value, value - 0.1, value + 0.1))
        for variant, value in (("baseline", 0.6), ("tuned", 0.8))
    ]
    row = make_comparisons()[0]
    compared = msgspec.structs.replace(row.comparison, metric=metric.name, difference=interval(*change))
    found = make_metrics()
    metrics = Metrics(
        metrics=[*found.metrics, *levels],
        comparisons=[*found.comparisons, msgspec.structs.replace(row, comparison=compared)],
    )
    judged = msgspec.structs.replace(make_verdicts()[0], metric=metric.name, gate=metric.name)
    suite = make_suite(metrics=[*METRICS, metric])
    return {"manifest": make_manifest(suites=[suite]), "metrics": metrics, "verdicts": [*make_verdicts(), judged]}


def estimate(path: Path, stated: Assumptions | None = None) -> Section:
    return part(build([path], stated), "business")


def cells(section: Section) -> dict[str, list[tuple[str, str]]]:
    return {row[0].text: [(c.text, c.note.split("\n")[0]) for c in row[1:]] for row in table(section).rows}


def test_minutes_follow_from_measured_shares_and_assumed_minutes(write_run: Writer) -> None:
    stated = Assumptions(minutes_per_review=4, minutes_per_fix=15)
    section = estimate(write_run(**parts()), stated)
    found = cells(section)
    # To fix: 40 and 20 of 100. Minutes: 400 + 15 * 40 and 400 + 15 * 20. Saved: 15 * 100 * (0.2, 0.1 to 0.3).
    assert found == {
        "Answers to fix, per 100": [("40", "30 to 50"), ("20", "10 to 30"), ("20", "10 to 30")],
        "Minutes for 100 answers": [("1,000", "850 to 1,150"), ("700", "550 to 850"), ("300", "150 to 450")],
    }
    assert table(section).rows[1][3].note.endswith("\n240 cases in 40 contracts")


def test_a_month_and_its_cost_are_shown_where_they_are_stated(write_run: Writer) -> None:
    stated = Assumptions(
        minutes_per_review=4, minutes_per_fix=15, answers_per_month=1200, cost_per_hour=50, currency="EUR"
    )
    found = cells(estimate(write_run(**parts()), stated))
    # 12 hundreds of 300 minutes are 60 hours.
    assert found["Hours per month"][-1] == ("60", "30 to 90")
    assert found["Cost per month EUR"] == [
        ("10,000", "8,500 to 11,500"),
        ("7,000", "5,500 to 8,500"),
        ("3,000", "1,500 to 4,500"),
    ]


def test_defaults_are_called_assumptions_and_no_money_is_named(write_run: Writer) -> None:
    section = estimate(write_run(**parts()))
    assert [(name, cell.text, cell.note) for name, cell in facts(section).items()] == [
        ("Minutes to read one answer", "5", "assumed, default"),
        ("Minutes to fix one answer", "10", "assumed, default"),
    ]
    assert isinstance(section.blocks[-1], Text)
    assert section.blocks[-1].text.startswith("These minutes are assumptions, not measurements.")
    assert set(cells(section)) == {"Answers to fix, per 100", "Minutes for 100 answers"}


def test_stated_assumptions_are_told_from_defaults(write_run: Writer) -> None:
    section = estimate(write_run(**parts()), Assumptions(minutes_per_fix=15, answers_per_month=7))
    notes = [cell.note.removeprefix("assumed, ") for cell in facts(section).values()]
    assert notes == ["default", "as stated", "as stated"]


def test_a_loss_is_shown_as_one_and_an_unclear_change_as_unclear(write_run: Writer) -> None:
    worse = estimate(write_run(**parts(change=(-0.2, -0.3, 0.1))))
    assert cells(worse)["Minutes for 100 answers"][-1] == ("−200", "−300 to 100")
    assert table(worse).note == "Change in answers to fix: no clear change."


def test_a_rate_of_which_less_is_better_is_the_share_to_fix_itself(write_run: Writer) -> None:
    stated = Assumptions(metrics={SUITE: "invented_rate"})
    found = cells(estimate(write_run(**parts(ALARMS, change=(-0.2, -0.3, -0.1))), stated))
    assert [text for text, _ in found["Answers to fix, per 100"]] == ["60", "80", "20"]


@pytest.mark.parametrize("metric", [PARSED, ALARMS])
def test_no_minutes_are_estimated_from_what_does_not_say_that_an_answer_is_right(
    write_run: Writer, metric: Metric
) -> None:
    section = estimate(write_run(**parts(metric)))
    assert not [block for block in section.blocks if isinstance(block, (Table, Facts))]
    assert "no gate judges a share of answers that need no fix" in section.blocks[-1].text  # type: ignore[union-attr]


def test_a_metric_can_be_named_and_must_fit(write_run: Writer) -> None:
    path = write_run(**parts(PARSED))
    assert cells(estimate(path, Assumptions(metrics={SUITE: "complete_rate"})))
    with pytest.raises(UserError, match="'clause_recall' is not a share of this suite's answers"):
        estimate(path, Assumptions(metrics={SUITE: "clause_recall"}))


def test_without_a_baseline_nothing_is_saved(write_run: Writer) -> None:
    found = parts()
    metrics = found["metrics"]
    alone = Metrics(metrics=[row for row in metrics.metrics if row.variant == "tuned"])
    saved = cells(estimate(write_run(**{**found, "metrics": alone})))["Minutes for 100 answers"]
    assert saved[:2] == [("–", ""), ("700", "600 to 800")]
    assert saved[2] == ("–", "no baseline was run, so nothing is saved or lost")


def test_a_model_against_itself_saves_nothing_and_has_no_estimate(write_run: Writer) -> None:
    tuned = make_manifest().checkpoints["tuned"]
    found = parts()
    manifest = msgspec.structs.replace(found["manifest"], checkpoints={"baseline": tuned, "tuned": tuned})  # type: ignore[type-var]
    assert shown.section(read([write_run(**{**found, "manifest": manifest})])) is None


def add_times(path: Path, seconds: dict[str, float]) -> None:
    """A review in which one person made a draft of each of ten contracts usable, with either model."""
    for variant, spent in seconds.items():
        drafts = {f"lease-{number:03d}": fixed(variant, spent) for number in range(10)}
        review(path, SUITE, "reviewer-1", drafts, mode="fix")


def test_peoples_times_stand_in_the_place_of_assumed_minutes(write_run: Writer) -> None:
    path = write_run(**parts())
    add_times(path, {"baseline": 120.0, "tuned": 30.0})
    section = estimate(path, Assumptions(minutes_per_fix=99))
    found = cells(section)
    # Medians of 120 s and 30 s; every ratio is a quarter, so that 100 answers save 150 of 200 minutes.
    assert {title: [text for text, _ in row] for title, row in found.items()} == {
        "Minutes for 100 answers": ["200", "50", "150"]
    }
    assert table(section).note.startswith("From the times of people who corrected drafts of these models")
    assert not [block for block in section.blocks if isinstance(block, Facts)], "no assumption stands in it"


def test_times_of_one_model_alone_are_not_enough(write_run: Writer) -> None:
    path = write_run(**parts())
    add_times(path, {"tuned": 60.0})
    assert "Answers to fix, per 100" in cells(estimate(path))


def test_a_file_of_assumptions_is_read(tmp_path: Path) -> None:
    file = tmp_path / "business.toml"
    file.write_text('minutes_per_fix = 12\ncurrency = "EUR"\n[metrics]\n"legal/clauses" = "clause_exact_set"\n')
    assert assumptions.load(file) == Assumptions(
        minutes_per_fix=12, currency="EUR", metrics={"legal/clauses": "clause_exact_set"}
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("minutes = 3", "unknown key 'minutes'. Known: minutes_per_review, minutes_per_fix"),
        ("minutes_per_fix = -1", "'minutes_per_fix' is -1.*expected a number from 0"),
        ("minutes_per_fix = nan", "'minutes_per_fix' is nan"),
        ("minutes_per_fix = 'ten'", "'minutes_per_fix' is 'ten'"),
        ("answers_per_month = 1.5", "'answers_per_month' is 1.5"),
        ("minutes_per_fix =", "not valid TOML"),
    ],
)
def test_a_wrong_assumption_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "business.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=said):
        assumptions.load(file)


def test_every_wrong_assumption_is_named_at_once(tmp_path: Path) -> None:
    file = tmp_path / "business.toml"
    file.write_text("minutes = 3\ncost_per_hour = -5\n")
    with pytest.raises(UserError) as caught:
        assumptions.load(file)
    assert "unknown key 'minutes'" in str(caught.value) and "'cost_per_hour' is -5" in str(caught.value)
    with pytest.raises(UserError, match="cannot be read"):
        assumptions.load(tmp_path / "none.toml")


def test_the_report_command_takes_them(write_run: Writer, tmp_path: Path) -> None:
    path = write_run(**parts())
    (tmp_path / "b.toml").write_text("minutes_per_review = 4\nminutes_per_fix = 15\n")
    done = command.tunegate(tmp_path, "report", str(path), "--out", "out", "--business", "b.toml")
    assert done.returncode == 0, done.stderr
    model = msgspec.json.decode((tmp_path / "out" / "report.json").read_bytes(), type=reports.ReportModel)
    assert cells(part(model, "business"))["Minutes for 100 answers"][-1] == ("300", "150 to 450")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["run_id"]
