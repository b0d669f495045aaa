"""Section: what the change is worth to a reviewer, from measured shares and assumed minutes."""

from __future__ import annotations

from harness.schema import BASELINE, CANDIDATE, Estimate, SuiteInfo
from reports import business, degenerate, number_format, sentences, wording
from reports.assumptions import Assumptions
from reports.business import SuiteValue
from reports.model import Block, Cell, Facts, Section, Table, Text
from reports.run_data import RunView

LEAD = "What the change would save a reviewer, from measured shares of answers and assumed minutes."
ASSUMED = (
    "These minutes are assumptions, not measurements. State your own in a TOML file: "
    "tunegate report RUN --business FILE. The intervals cover the measured shares only, not the minutes."
)
TIMED = (
    "From the times of people who corrected drafts of these models, instead of assumed minutes: the baseline's median, "
    "and the ratio of tuned to baseline with its interval."
)
NO_METRIC = (
    "no gate judges a share of answers that need no fix, so no minutes are estimated. Name such a metric under "
    "metrics in the file that --business names"
)
DEGENERATE = "no minutes are estimated, for the reason at the top"


def section(evidence: RunView) -> Section | None:
    if evidence.run.manifest.asked_twice or not evidence.suites:
        return None
    assumed = evidence.assumptions or Assumptions()
    blocks: list[Block] = []
    without: dict[str, list[str]] = {}
    uses_assumptions = False
    for suite in evidence.suites:
        if scaled := business.scaled(evidence, suite):
            blocks.append(Text(text=f"{suite.name}: {scaled}"))
        if degenerate.warning(evidence, suite):
            without.setdefault(DEGENERATE, []).append(suite.name)
            continue
        suite_value = business.worth(evidence, suite, assumed)
        if suite_value is None:
            without.setdefault(NO_METRIC, []).append(suite.name)
            continue
        blocks.append(_table(suite_value, suite, assumed))
        uses_assumptions |= suite_value.metric is not None
    blocks += [Text(text=f"{wording.listing(names)}: {why}.", tone="muted") for why, names in without.items()]
    if uses_assumptions:
        blocks += [Facts(caption="Assumptions", pairs=_assumptions(assumed)), Text(text=ASSUMED)]
    return Section(id="business", title="Business estimate", lead=LEAD, blocks=blocks)


def _table(suite_value: SuiteValue, suite: SuiteInfo, assumed: Assumptions) -> Table:
    rows, basis = list[list[Cell]](), "correction, median active time"
    if suite_value.metric:
        by, basis = f"by {wording.phrase(suite_value.metric.name)}", "to read all of them and fix those"
        rows.append(_row("Answers to fix, per 100", by, suite_value.to_fix, suite_value.fewer, suite))
    rows.append(_row("Minutes for 100 answers", basis, suite_value.minutes, suite_value.saved, suite))
    if assumed.answers_per_month is not None:
        rows += _monthly(suite_value, suite, assumed, assumed.answers_per_month)
    return Table(
        rows=rows,
        caption=f"A reviewer's time: {suite.name}",
        columns=["", "Baseline", "Tuned", "Saved by the tuned model"],
        numeric=[1, 2, 3],
        note=_note(suite_value),
    )


def _note(suite_value: SuiteValue) -> str:
    if suite_value.metric is None:
        return TIMED
    if suite_value.change is None:
        return ""
    return f"Change in answers to fix: {sentences.reading(suite_value.change, suite_value.metric.better)[0]}."


def _monthly(suite_value: SuiteValue, suite: SuiteInfo, assumed: Assumptions, answers: int) -> list[list[Cell]]:
    hours = answers / business.HUNDRED / business.PER_MINUTE
    of = f"of {wording.count(answers, 'answer')}"
    parts = [("Hours per month", of, hours)]
    if assumed.cost_per_hour is not None:
        parts.append((f"Cost per month {assumed.currency}".rstrip(), of, hours * assumed.cost_per_hour))
    rows = []
    for title, note, by in parts:
        levels = {variant: business.rescaled(minutes, by) for variant, minutes in suite_value.minutes.items()}
        rows.append(_row(title, note, levels, business.rescaled(suite_value.saved, by), suite))
    return rows


def _row(title: str, note: str, by_variant: dict[str, Estimate], saved: Estimate, suite: SuiteInfo) -> list[Cell]:
    levels = [_cell(by_variant.get(variant), suite) for variant in (BASELINE, CANDIDATE)]
    return [Cell(text=title, note=note), *levels, _cell(saved, suite)]


def _cell(estimate: Estimate | None, suite: SuiteInfo) -> Cell:
    if estimate is None or estimate.value is None:
        return number_format.missing(estimate.reason or "" if estimate else "")
    return number_format.estimate_cell(estimate, "amount", number_format.basis(estimate, suite.cluster))


def _assumptions(stated: Assumptions) -> list[tuple[str, Cell]]:
    """List every assumption behind the numbers, and whether the reader stated it."""
    usual = Assumptions()
    names = {
        "Minutes to read one answer": "minutes_per_review",
        "Minutes to fix one answer": "minutes_per_fix",
        "Answers per month": "answers_per_month",
        f"Cost per hour {stated.currency}".rstrip(): "cost_per_hour",
    }
    pairs = []
    for name, key in names.items():
        if (value := getattr(stated, key)) is not None:
            note = "assumed, default" if value == getattr(usual, key) else "assumed, as stated"
            pairs.append((name, Cell(text=number_format.number(value), note=note)))
    return pairs
