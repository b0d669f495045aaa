"""What the change is worth: counts in 100, and a reviewer's minutes. Says what is measured and what is assumed."""

from __future__ import annotations

from harness.schema import BASELINE, CANDIDATE, Estimate, SuiteInfo
from reports import business, number_format, sentences, wording
from reports.assumptions import Assumptions
from reports.business import SuiteValue
from reports.model import Block, Cell, Facts, Section, Table, Text
from reports.run_data import RunView
from reports.sections import results

LEAD = "What the change would save a reviewer: measured shares of answers, and minutes that are assumed."
ASSUMED = (
    "These minutes are assumptions, not measurements. State your own in a TOML file: "
    "tunegate report RUN --business FILE. Intervals are those of the measured shares; they know nothing of the minutes."
)
TIMED = (
    "From the times of people who made drafts of these models usable, in the place of assumed minutes: the baseline's "
    "median, and the ratio of tuned to baseline with its interval."
)
NO_METRIC = (
    "no gate judges a share of answers that need no fix, so that no minutes are estimated. Name such a metric under "
    "metrics in the file of --business"
)


def section(evidence: RunView) -> Section | None:
    if evidence.run.manifest.asked_twice or not evidence.suites:
        return None
    assumed = evidence.assumptions or Assumptions()
    blocks: list[Block] = []
    uses_assumptions = False
    for suite in evidence.suites:
        if said := business.scaled(evidence, suite):
            blocks.append(Text(text=f"{suite.name}: {said}"))
        found = business.worth(evidence, suite, assumed)
        if found is None:
            blocks.append(Text(text=f"{suite.name}: {NO_METRIC}.", tone="muted"))
            continue
        blocks.append(_table(found, suite, assumed))
        uses_assumptions |= found.timed is None
    if uses_assumptions:
        blocks += [Facts(caption="Assumptions", pairs=_assumptions(evidence.assumptions)), Text(text=ASSUMED)]
    return Section(id="business", title="Business estimate", lead=LEAD, blocks=blocks)


def _table(found: SuiteValue, suite: SuiteInfo, assumed: Assumptions) -> Table:
    head = [_fixes(found, suite)] if found.metric else []
    rows = [*head, _row("Minutes for 100 answers", _made_of(found), found.minutes, found.saved, suite)]
    if assumed.answers_per_month is not None:
        rows += _monthly(found, suite, assumed, assumed.answers_per_month)
    return results.table(
        [(suite, row) for row in rows],
        caption=f"A reviewer's time: {suite.name}",
        columns=["", "Baseline", "Tuned", "Saved by the tuned model"],
        numeric=[1, 2, 3],
        note=_note(found),
    )


def _note(found: SuiteValue) -> str:
    if found.timed or not (found.change and found.metric):
        return TIMED if found.timed else ""
    said, _ = sentences.reading(found.change, found.metric.higher_is_better)
    return f"The change in answers to fix reads: {said}."


def _fixes(found: SuiteValue, suite: SuiteInfo) -> list[Cell]:
    assert found.metric is not None
    return _row("Answers to fix, in 100", f"by {wording.phrase(found.metric.name)}", found.to_fix, found.fewer, suite)


def _made_of(found: SuiteValue) -> str:
    return "made usable, median time in use" if found.timed else "reading all, fixing those"


def _monthly(found: SuiteValue, suite: SuiteInfo, assumed: Assumptions, answers: int) -> list[list[Cell]]:
    hours = answers / business.HUNDRED / business.PER_MINUTE
    of = f"of {wording.count(answers, 'answer')}"
    parts = [("Hours a month", of, hours)]
    if assumed.cost_per_hour is not None:
        parts.append((f"Cost a month {assumed.currency}".rstrip(), of, hours * assumed.cost_per_hour))
    rows = []
    for title, note, by in parts:
        levels = {variant: business.rescaled(minutes, by) for variant, minutes in found.minutes.items()}
        rows.append(_row(title, note, levels, business.rescaled(found.saved, by), suite))
    return rows


def _row(title: str, note: str, by_variant: dict[str, Estimate], saved: Estimate, suite: SuiteInfo) -> list[Cell]:
    levels = [_cell(by_variant.get(variant), suite) for variant in (BASELINE, CANDIDATE)]
    return [Cell(text=title, note=note), *levels, _cell(saved, suite)]


def _cell(found: Estimate | None, suite: SuiteInfo) -> Cell:
    if found is None or found.value is None:
        return Cell(text=number_format.DASH, note=found.reason or "" if found else "", tone="muted")
    size = f"n {number_format.number(found.n)}, {number_format.sources(found, suite.cluster)}"
    bounds = number_format.interval(found, "number")
    return Cell(text=number_format.number(found.value), note=f"{bounds}\n{size}".strip(), estimate=found)


def _assumptions(stated: Assumptions | None) -> list[tuple[str, Cell]]:
    """Every assumption that stands in the numbers, and whether the reader stated it."""
    assumed = stated or Assumptions()
    kept = {
        "Minutes to read one answer": assumed.minutes_per_review,
        "Minutes to fix one answer": assumed.minutes_per_fix,
        "Answers a month": assumed.answers_per_month,
        f"Cost of an hour {assumed.currency}".rstrip(): assumed.cost_per_hour,
    }
    usual = Assumptions()
    defaults = (usual.minutes_per_review, usual.minutes_per_fix, None, None)
    return [
        (
            name,
            Cell(
                text=number_format.number(value),
                note="assumed, the default" if value == default else "assumed, as stated",
            ),
        )
        for (name, value), default in zip(kept.items(), defaults, strict=True)
        if value is not None
    ]
