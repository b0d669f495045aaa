"""The verdict: per suite one plain sentence, the outcome and the gates that decided it."""

from __future__ import annotations

from collections.abc import Callable

from harness.schema import Record, SuiteInfo, Verdict
from harness.stats.values import is_wrong
from reports import words
from reports.evidence import Evidence, overall
from reports.model import Block, Headline, Section, Text
from reports.pairs import Pair, both_texts

LEADS = {
    "pass": "Every gate is met. The tuned model may be merged.",
    "fail": "At least one gate is not met. The tuned model must not be merged.",
    "inconclusive": "No gate is shown to be broken, but not every gate could be decided. The tuned model must not be "
    "merged on this evidence.",
    "skipped": "No gate was judged. This report describes; it allows no merge.",
}


def section(evidence: Evidence) -> Section:
    blocks: list[Block] = [Text(text=text, tone="caution") for text in cautions(evidence)]
    blocks += [_headline(evidence, suite) for suite in evidence.suites]
    return Section(id="verdict", title="Verdict", lead=LEADS[overall(evidence.run.verdicts)], blocks=blocks)


def cautions(evidence: Evidence) -> list[str]:
    """What a reader must know before believing anything below."""
    manifest = evidence.run.manifest
    found = list(manifest.notes)
    if manifest.status != "finished":
        found.insert(0, f"This run did not finish: it is {manifest.status}.")
    if evidence.changed_files:
        found.insert(0, f"Files of this run changed after it was sealed: {words.listing(evidence.changed_files)}.")
    return found


def sentence(evidence: Evidence, suite: SuiteInfo) -> str:
    """What changed for the business, in one line; counts answers that the suite's first gate calls wrong."""
    metric = evidence.headline_metric(suite)
    pairs = evidence.pairs(suite.name)
    alone = evidence.run.by_variant(suite.name).get("tuned", [])
    if metric is None or not (pairs or alone):
        return "Nothing was measured."
    if not pairs:
        wrong, of = _count([[r] for r in alone], lambda r: is_wrong(r, metric))
        contracts = {r.case.cluster for r in alone}
        return words.capital(words.wrong(wrong[0], None, of, *_nouns(of, len(contracts), suite.cluster))) + "."
    counted = [p for p in pairs if is_wrong(p.tuned, metric) is not None and is_wrong(p.baseline, metric) is not None]
    wrong, of = _count([[p.baseline, p.tuned] for p in counted], lambda r: is_wrong(r, metric))
    contracts = {p.case.cluster for p in counted}
    said = words.wrong(wrong[1], wrong[0], of, *_nouns(of, len(contracts), suite.cluster))
    fabricated = words.fabrications(*_fabricated(pairs)) if both_texts(pairs) else words.NO_TEXT
    return f"{words.capital(said)}; {fabricated}."


NAMED = 4
"""Gates that the verdict names; the table below it has all."""


def _headline(evidence: Evidence, suite: SuiteInfo) -> Headline:
    verdicts = evidence.verdicts(suite.name)
    return Headline(
        suite=suite.name,
        outcome=overall(verdicts),
        sentence=sentence(evidence, suite),
        reason=reason(verdicts, suite.shape),
        objective=suite.objective,
    )


def reason(verdicts: list[Verdict], shape: str) -> str:
    """Which gates are not met, or that all are."""
    if not verdicts:
        return "The suite has no gates, or none was judged."
    unmet = [v for v in verdicts if v.outcome != "pass"]
    if not unmet:
        return f"All {words.count(len(verdicts), 'gate')} met." if len(verdicts) > 1 else "Its one gate is met."
    unmet.sort(key=lambda v: v.outcome != "fail")
    named = "; ".join(f"{words.outcome(v.outcome)}: {words.gate(v, shape)}" for v in unmet[:NAMED])
    more = f"; and {words.number(len(unmet) - NAMED)} more below" if len(unmet) > NAMED else ""
    return f"{words.count(len(unmet), 'gate')} of {words.number(len(verdicts))} not met. {named}{more}."


def _count(rows: list[list[Record]], wrong: Callable[[Record], bool | None]) -> tuple[list[int], int]:
    columns = list(zip(*rows, strict=True)) or [(), ()]
    return [sum(wrong(record) is True for record in column) for column in columns], len(rows)


def _nouns(cases: int, clusters: int, cluster: str) -> tuple[str, str]:
    """The word for what is counted: contracts where each has one case, otherwise cases with the contracts named."""
    if cases == clusters:
        return cluster, ""
    return "case", f" from {words.count(clusters, cluster)}"


def _fabricated(pairs: list[Pair]) -> tuple[int, int]:
    return sum(len(p.new) for p in pairs), sum(len(p.fixed) for p in pairs)
