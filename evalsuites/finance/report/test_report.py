"""Investment reports: every figure of a paragraph is in its fact sheet, rightly placed, and nothing is left out."""

from evalsuites.finance.report.cases import eval_cases
from evalsuites.finance.report.floor import first_row
from harness import Suite
from harness.scoring import checker, short_answer
from harness.scoring.finance import report

suite = Suite(
    cases=eval_cases,
    prompt="prompt.jinja",
    scorers=[report.report, short_answer.given, *checker.ready()],
    primary="report_clean_rate",
    cluster="fact sheet",
    slices=["kind"],
    shape="fact sheet",
    max_tokens=150,
    floor=first_row,
    licence="Apache-2.0; written for this project, with no real fund in it",
)


@suite.case
def test_gives_every_figure_asked_for_and_every_statement(record):
    assert record.scores.fact_sheets.missing == []
    assert record.scores.fact_sheets.undisclosed == []


@suite.case
def test_states_nothing_that_the_sheet_does_not_bear_out(record):
    assert record.scores.fact_sheets.fabricated == []
    assert record.scores.fact_sheets.invented == []


@suite.case(where={"kind": "not reported"})
def test_says_what_the_sheet_does_not_report(record):
    assert record.scores.fact_sheets.absence_said == 1
