"""Section: the verdict, with one sentence, the outcome and the deciding gates of each suite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from harness.errors import UserError
from harness.gates.sentences import gate_in_words
from harness.runs.folder import recorded_verdicts
from harness.runs.score_events import batches, scored_again
from harness.runs.status import no_merge
from harness.schema import BASELINE, CANDIDATE, FLOOR, NO_MERGE, Metric, Outcome, SuiteInfo, Verdict
from reports import business, degenerate, number_format, sentences, wording
from reports.cases.index import Joint
from reports.model import Block, Cell, Headline, Section, Text
from reports.run_data import TOO_FEW, RunView, overall
from reports.sections import human_review, models_compared, overview

LEADS = {
    "pass": "Every gate is met. The tuned model may be merged.",
    "fail": "At least one gate is not met. The tuned model must not be merged.",
    "inconclusive": "No gate failed, but not every gate could be decided. The tuned model must not be merged on this "
    "evidence.",
    "skipped": "No gate was judged. This report describes the results; it does not allow a merge.",
}


OTHER_TRAINING = "The training run shown here is not the one that the tuned model comes from."
NOTHING_GENERAL = (
    "No suite of this run is marked as one of general questions, so what the tuned model may have forgotten was not "
    "measured. Compare with one as well, such as general/facts (Suite(general=True) marks your own)."
)


def section(evidence: RunView) -> Section:
    blocks: list[Block] = [Text(text=text, tone="caution") for text in warnings(evidence)]
    headlines = [_headline(evidence, suite) for suite in evidence.suites]
    said = " ".join(headline.sentence for headline in headlines)
    blocks += headlines
    scaled = {suite.name: business.scaled(evidence, suite) for suite in evidence.suites}
    blocks += [Text(text=f"{name}: {sentence}", tone="muted") for name, sentence in scaled.items() if sentence]
    blocks += [Text(text=text, tone="muted") for term, text in sentences.TERMS.items() if term in said]
    return Section(id="verdict", title="Verdict", lead=lead(evidence), blocks=blocks)


def lead(evidence: RunView) -> str:
    """Say the combined outcome of all gates, or why the run may claim no verdict."""
    if says := evidence.run.standing.says:
        return f"{says} This report describes the results; it does not allow a merge."
    return lead_of(overall(evidence.run.verdicts), cautions(evidence))


def lead_of(outcome: Outcome, notes: Iterable[str]) -> str:
    """Say the combined outcome of the gates of a run with these cautions."""
    approves_none = any(note.endswith(NO_MERGE) for note in notes)
    return wording.MET_ALONE if outcome == "pass" and approves_none else LEADS[outcome]


def warnings(evidence: RunView, with_answers: bool = True, with_quotes: bool = True) -> list[str]:
    """Say what every view of a run says first: how its gates changed, then `cautions`."""
    changed = map(sentences.gates_changed, evidence.run.manifest.moved)
    return [*changed, *cautions(evidence, with_answers, with_quotes)]


def cautions(evidence: RunView, with_answers: bool = True, with_quotes: bool = True) -> list[str]:
    """List the warnings on the first screen; without `with_answers`, those that need no answer of the run.

    Without `with_quotes` they hold no text of a model.
    """
    training = evidence.training.standing.reason if evidence.training else ""
    texts = [evidence.run.standing.says, f"The training run is not valid evidence: {training}." if training else ""]
    texts += [OTHER_TRAINING if evidence.has_other_training else "", *models_compared.doubts(evidence)]
    try:
        texts += [rescored(evidence), *human_review.preferring_baseline(evidence)]
    except UserError as error:  # Findings that were added later, and cannot be read.
        texts.append(str(error))
    for suite in evidence.suites:
        texts += [degenerate.warning(evidence, suite, with_answers, with_quotes), below_floor(evidence, suite)]
        texts.append(says_less(evidence, suite))
    manifest, notes = evidence.run.manifest, evidence.run.manifest.notes
    is_any_met = any(verdict.outcome == "pass" for verdict in evidence.run.verdicts)
    why = no_merge(manifest, evidence.run.path.name if is_any_met else manifest.run_id)
    texts.append(f"The run {why}. {NO_MERGE}" if why and not any(n.endswith(NO_MERGE) for n in notes) else "")
    if overall(evidence.run.verdicts) == "pass":
        texts.append(NOTHING_GENERAL if all(suite.general is False for suite in evidence.suites) else "")
    return [*filter(None, texts), *notes]


def rescored(evidence: RunView) -> str:
    """Say how many of the shown scores differ from those of newer scorers, and whose outcomes; empty where none do."""
    again = [batch for batch in batches(evidence.run.path) if batch.about.get("kind") == "code"]
    latest: dict[str, list[Verdict]] = {}
    for batch in again:
        verdicts = msgspec.convert(batch.about["verdicts"], list[Verdict])
        latest |= {name: [v for v in verdicts if v.suite == name] for name in {v.suite for v in verdicts}}
    is_own = evidence.run.verdicts == recorded_verdicts(evidence.run.path)
    pairs = [(v, _newer(v, latest.get(v.suite, ()))) for v in evidence.run.verdicts if is_own]
    changed = [(v, newer) for v, newer in pairs if newer.outcome != v.outcome]
    scores = scored_again(evidence.run.path, ((suite, record) for _, suite, record in evidence.source))
    if not changed and not scores:
        return ""
    named = wording.listing(
        f"{gate_in_words(v)} ({f'now {newer.bar}: ' if newer.bar != v.bar else ''}{wording.outcome(newer.outcome)})"
        for v, newer in changed
    )
    differ = f"{wording.count(scores, 'score')} {'differs' if scores == 1 else 'differ'}"
    other = f", with another outcome of {named}" if named else ""
    return (
        f"Newer scorers scored these answers again: {differ}{other}. "
        "`tunegate rescore` prints the verdict by their scores."
    )


def _newer(verdict: Verdict, later: Sequence[Verdict]) -> Verdict:
    """Return the later verdict of a gate, of another threshold where none has the same."""
    same = [each for each in later if each.judges == verdict.judges]
    return next((each for each in same if each.gate == verdict.gate), (same or [verdict])[0])


def below_floor(evidence: RunView, suite: SuiteInfo) -> str:
    """Say that the keyword floor does better than the tuned model; empty where their intervals overlap."""
    metric = evidence.primary_metric(suite)
    if metric is None or not metric.better:
        return ""
    tuned, floor = (evidence.level(suite.name, variant, metric.name) for variant in (CANDIDATE, FLOOR))
    better, worse = (floor, tuned) if metric.better == "higher" else (tuned, floor)
    if better is None or worse is None or better.low is None or worse.high is None or better.low <= worse.high:
        return ""
    unit = evidence.unit(suite.name, metric)
    levels = f"{number_format.value(floor, unit)} against {number_format.value(tuned, unit)}"
    return (
        f"{suite.name}: The keyword floor, {sentences.KEYWORD_FLOOR}, does better than the tuned model: "
        f"{wording.phrase(metric.name)} {levels}."
    )


SAYS_LESS = 0.5
"""Share of the baseline's statements below which a rate over the tuned model's own may come from saying less."""


def says_less(evidence: RunView, suite: SuiteInfo) -> str:
    """Name gated rates over what an answer states, where the tuned model states far less than the baseline.

    A case in which it states nothing counts for no such rate. Empty where the baseline has fewer than ten statements.
    """
    gated = {verdict.metric for verdict in evidence.verdicts(suite.name)}
    found: list[str] = []
    for metric in suite.metrics:
        if metric.denominator is None or metric.name not in gated:
            continue
        tuned, baseline = (evidence.level(suite.name, variant, metric.name) for variant in (CANDIDATE, BASELINE))
        if tuned and baseline and baseline.n >= TOO_FEW and tuned.n < SAYS_LESS * baseline.n:
            counted = wording.count(tuned.n, wording.item(metric))
            found.append(f"{wording.phrase(metric.name)} of {counted} (baseline {number_format.number(baseline.n)})")
    if not found:
        return ""
    return (
        f"{suite.name}: The tuned model states much less than the baseline: {wording.listing(found)}. Such a rate may "
        "improve because the model leaves things out; a case in which it states nothing does not count."
    )


def sentence(evidence: RunView, suite: SuiteInfo) -> str:
    """Say in one sentence what changed; counts what the suite's first gate calls missed or wrong.

    Where each case has several answers, it says the levels: a count of cases would be of first answers only.
    """
    metric, joint = evidence.primary_metric(suite), evidence.joint(suite.name)
    if metric is None or not joint.cases:
        return "Nothing was measured."
    counted = suite.samples == 1 and (business.missed(evidence, suite, metric) or _short_of(suite, metric, joint))
    found = counted or _levels(evidence, suite, metric)
    both = recall_and_precision(evidence, suite)
    shortfall = wording.capital(both.removeprefix("; ") if found in both else found + both)
    if not joint.pairs:
        return f"{shortfall}."
    return f"{'; '.join(filter(None, [shortfall, _findings(evidence, suite)]))}."


def _short_of(suite: SuiteInfo, metric: Metric, joint: Joint) -> str:
    """Say how many answers are wrong; empty where an answer has a degree or amount instead."""
    is_part = metric.denominator is not None and metric.better == "higher" and metric.name not in wording.ITEMS
    is_degree = metric.unbounded or metric.kind == "mean" or (is_part and not metric.over_labels)
    if is_degree or not joint.measured:
        return ""
    before = joint.wrong_before if joint.pairs else None
    return sentences.wrong(joint.wrong, before, joint.measured, *_nouns(joint, suite.cluster), joint.failed)


def _findings(evidence: RunView, suite: SuiteInfo) -> str:
    """Say new and fixed findings; whether a suite looks for fabrications is read from its metrics' names."""
    if not evidence.joint(suite.name).both_texts:
        return sentences.NO_TEXT
    looked_for = any("fabricat" in metric.name for metric in suite.metrics)
    new, fixed = (evidence.index.findings(suite.name, what) for what in ("new", "fixed"))
    return sentences.findings(new, fixed, looked_for)


def recall_and_precision(evidence: RunView, suite: SuiteInfo) -> str:
    """Say recall and precision of what the answers find, since fewer misses alone may come from naming more.

    Empty where no scorer of the suite has both.
    """
    by_name = {metric.name: metric for metric in suite.metrics}
    for name, precision in by_name.items():
        recall = by_name.get(f"{name.removesuffix('_precision')}_recall")
        if name.endswith("_precision") and recall:
            return f"; {_levels(evidence, suite, recall)}, {_levels(evidence, suite, precision)}"
    return ""


def _levels(evidence: RunView, suite: SuiteInfo, metric: Metric) -> str:
    """Say a metric of both variants: `clause recall 72.0% (baseline 0%)`."""
    unit = evidence.unit(suite.name, metric)
    tuned, baseline = (evidence.level(suite.name, variant, metric.name) for variant in (CANDIDATE, BASELINE))
    before = f" (baseline {number_format.value(baseline, unit)})" if baseline else ""
    return f"{wording.phrase(metric.name)} {number_format.value(tuned, unit)}{before}"


NAMED = 6
"""Most gates that the verdict names; a table further down has all others."""


def _headline(evidence: RunView, suite: SuiteInfo) -> Headline:
    verdicts = evidence.verdicts(suite.name)
    return Headline(
        suite=suite.name,
        outcome=overall(verdicts),
        sentence=sentence(evidence, suite),
        reason=reason(verdicts),
        objective=suite.objective,
        size=_size(evidence, suite),
        glance=overview.glance(evidence, suite) if len(evidence.suites) > 1 else [],
        unmet=[_unmet(v, suite.shape) for v in _not_met(verdicts)[:NAMED]],
    )


def _size(evidence: RunView, suite: SuiteInfo) -> str:
    """Say how many cases from how many clusters were run."""
    clusters = evidence.joint(suite.name).contracts
    if clusters in (0, suite.asked):
        return wording.count(suite.asked, suite.cluster if clusters else "case")
    return f"{wording.count(suite.asked, 'case')} from {wording.count(clusters, suite.cluster)}"


def _unmet(verdict: Verdict, shape: str) -> Cell:
    note = f"{wording.metric_and_slice(verdict, shape)}: {wording.finding(verdict)}"
    return Cell(text=wording.outcome(verdict.outcome), badge=verdict.outcome, note=note)


def reason(verdicts: list[Verdict]) -> str:
    """Say how many gates are not met, or that all are."""
    if not verdicts:
        return "The suite has no gates, or none was judged."
    unmet = len(_not_met(verdicts))
    if not unmet:
        return f"All {wording.count(len(verdicts), 'gate')} met." if len(verdicts) > 1 else "Its one gate is met."
    if len(verdicts) == 1:
        return "Its one gate was not judged." if verdicts[0].outcome == "skipped" else "Its one gate is not met."
    more = f" {number_format.number(unmet - NAMED)} more under “Other gates”." if unmet > NAMED else ""
    return f"{unmet_of(verdicts, wording.count(len(verdicts), 'gate'))}.{more}"


def unmet_of(verdicts: list[Verdict], whole: str) -> str:
    """Say how many gates of the whole are not met or were not judged: `2 of 4 gates not met, 1 not judged`."""
    skipped = sum(v.outcome == "skipped" for v in verdicts)
    counts = ((len(_not_met(verdicts)) - skipped, "not met"), (skipped, "not judged"))
    (first, what), *rest = [part for part in counts if part[0]]
    more = [f"{number_format.number(n)} {word}" for n, word in rest]
    return ", ".join([f"{number_format.number(first)} of {whole} {what}", *more])


def named(verdicts: list[Verdict]) -> list[Verdict]:
    """Return the unmet gates that the verdict names."""
    return _not_met(verdicts)[:NAMED]


def _not_met(verdicts: list[Verdict]) -> list[Verdict]:
    """Return the gates that are not met, failed ones first."""
    return sorted((v for v in verdicts if v.outcome != "pass"), key=lambda v: v.outcome != "fail")


def _nouns(joint: Joint, cluster: str) -> tuple[str, str]:
    """Return the noun for what is counted: the cluster where each has one case, else `case` with the cluster count."""
    if joint.measured == joint.measured_contracts:
        return cluster, ""
    return "case", f" from {wording.count(joint.measured_contracts, cluster)}"
