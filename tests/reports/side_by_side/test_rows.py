"""Cases are joined by ID and content, and runs that do not fit together say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.schema import Completion, Metric, Score, Scores
from reports import side_by_side
from reports.side_by_side.columns import metrics_of
from tests.reports.conftest import Writer, write_training
from tests.reports.side_by_side.conftest import MakeRun, answers, change, data_of, written
from tests.support.sample import METRICS, make_record, make_records, make_suite


def shown(page: str) -> dict[str, list[list[str | None]]]:
    """The first metric's values by case, a list for each row of this ID; None for a missing cell."""
    (suite,) = data_of(page)["suites"]
    texts = [text for _, text, *_ in suite["metrics"][0]["values"]]
    rows: dict[str, list[list[str | None]]] = {}
    for case_id, *_, cells in suite["cases"]:
        rows.setdefault(case_id, []).append([texts[cell[2]] if cell and cell[2] >= 0 else None for cell in cells])
    return rows


def test_a_case_with_another_input_has_its_own_row_and_a_missing_answer_an_empty_cell(
    three: list[str], tmp_path: Path
) -> None:
    page = written(three, tmp_path)
    rows = shown(page)
    assert rows["lease-003"] == [["100%", "0%", "100%"]]
    assert rows["lease-005"] == [["100%", None, "100%"]]
    assert sorted(rows["lease-004"], key=str) == [["100%", None, "100%"], [None, "100%", None]]
    assert "1 case ID of legal/clauses with another input or expected answer in some runs: lease-004." in page
    assert "C received other prompts than A for 1 of 6 cases of legal/clauses" in page


def test_rows_come_with_the_worst_change_first(three: list[str], tmp_path: Path) -> None:
    cases = [case[0] for case in data_of(written(three, tmp_path))["suites"][0]["cases"]]
    assert cases[:2] == ["lease-001", "lease-003"]


def test_columns_are_in_time_order_and_the_run_named_first_is_the_baseline(three: list[str], tmp_path: Path) -> None:
    data = data_of(written(three[::-1], tmp_path))
    assert [column["started"][:10] for column in data["columns"]] == ["2026-11-01", "2026-11-02", "2026-11-03"]
    assert data["baseline"] == 2


def test_a_baseline_model_is_a_column_of_its_own(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(1, make_records())
    rows = shown(written([f"{run}:baseline", run], tmp_path))
    assert rows["lease-000"] == [["0%", "100%"]] and rows["lease-003"] == [["0%", "0%"]]


def test_repeats_are_averaged(make_run: MakeRun, tmp_path: Path) -> None:
    repeated = [make_record(0, "tuned", "x", found, repeat=at) for at, found in ((1, True), (2, False))]
    assert shown(written([make_run(1, answers(cases=1)), make_run(2, repeated)], tmp_path)) == {
        "lease-000": [["100%", "50.0%"]]
    }


def test_a_failed_request_or_scorer_has_no_value_and_makes_no_other_run_better(
    make_run: MakeRun, tmp_path: Path
) -> None:
    records = answers(cases=3)
    lost = Completion(key="k", text="", finish_reason="error", prompt_tokens=1, output_tokens=0, error="engine died")
    failing = Scores(clauses=Score(name="clauses", value=None, reason="scorer raised", failed=True))
    first = change(change(records, 0, completion=lost), 1, scores=failing)
    page = written([make_run(1, first), make_run(2, records)], tmp_path)
    assert shown(page) == {
        "lease-000": [[None, "100%"]],
        "lease-001": [[None, "100%"]],
        "lease-002": [["100%", "100%"]],
    }


def test_runs_that_cannot_be_compared_are_one_line(make_run: MakeRun, write_run: Writer, tmp_path: Path) -> None:
    one, other = make_run(1, answers()), make_run(2, [change([record], 0, input_hash="x")[0] for record in answers()])
    for runs, problem in (
        ([one], "found 1 run, expected two or more"),
        ([one, one], "name one run twice"),
        ([one, f"{one}:large"], "no answers of 'large'. Its variants: baseline, tuned"),
        ([one, str(write_training(write_run))], "a train run has no answers to compare"),
    ):
        with pytest.raises(UserError, match=problem):
            side_by_side.open_columns(runs, tmp_path)
    with pytest.raises(UserError, match="no case is in two of these runs"):
        written([one, other], tmp_path)


def test_a_run_without_the_suite_leaves_its_column_empty(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(1, answers()), make_run(2, answers()), make_run(3, [], suites=[make_suite(name="legal/other")])]
    page = written(runs, tmp_path)
    assert "No answers to legal/clauses: C. The column is empty there." in page
    assert shown(page)["lease-000"] == [["100%", "100%", None]]


def test_metrics_that_gates_judge_come_first_also_those_of_an_older_run(make_run: MakeRun) -> None:
    """The gated rate of the older run had come after the newer run's count that no gate judges."""
    count = Metric(name="answer_words", scorer="given", numerator="words", higher_is_better=False)
    newer = make_suite(metrics=[count, METRICS[0]])
    runs = [make_run(1, answers()), make_run(2, answers(), suites=[newer])]
    columns, _ = side_by_side.open_columns(runs, Path("runs"))
    names = [metric.name for metric in metrics_of(columns, "legal/clauses")]
    assert names == ["clause_recall", "fabrication_rate", "answer_words"]
