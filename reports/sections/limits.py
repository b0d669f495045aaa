"""Section: what was not measured, and what the numbers do not show."""

from __future__ import annotations

from harness.gates.rules import COMPARATIVE
from harness.runs.score_events import batches
from harness.schema import FLOOR, SuiteInfo
from reports import number_format, wording
from reports.model import Block, Cell, Section, Table, Text
from reports.run_data import RunView

STANDING = [
    "Scores come from rules that compare text with an expected answer or with the source; they judge neither style nor "
    "legal soundness.",
    "The cases are a sample. Intervals describe variation among cases like these, not cases of other kinds.",
    "Latency, load and cost in production are not measured.",
]


def section(evidence: RunView) -> Section:
    blocks: list[Block] = []
    rows = [row for suite in evidence.suites for row in _unmeasured(evidence, suite)]
    if rows:
        blocks.append(Table(caption="Not measured", columns=["What", "Why"], rows=rows))
    blocks += [
        Text(text=text) for text in [*_noise(evidence), *_shapes(evidence), *_missing_scorers(evidence), *STANDING]
    ]
    lead = "What this report does not show. It supports a decision; it does not make it."
    return Section(id="limits", title="Limits", lead=lead, blocks=blocks)


def _unmeasured(evidence: RunView, suite: SuiteInfo) -> list[list[Cell]]:
    """Name the metrics without a value, in one row for each variant and reason."""
    unmeasured: dict[tuple[str, str], list[str]] = {}
    for variant in evidence.variants:
        for metric in suite.metrics:
            level = evidence.level(suite.name, variant, metric.name)
            if level is not None and level.value is None:
                unmeasured.setdefault((variant, level.reason or ""), []).append(wording.phrase(metric.name))
    rows = [
        [
            Cell(text=wording.capital(wording.listing(names)), note=f"{wording.variant(variant)}, {suite.name}"),
            Cell(text=why),
        ]
        for (variant, why), names in unmeasured.items()
    ]
    if FLOOR not in evidence.tallies[suite.name]:
        rows.append([Cell(text="Keyword floor", note=suite.name), Cell(text="the suite defines no keyword floor")])
    return rows


def _noise(evidence: RunView) -> list[str]:
    """Say how much the compared metrics vary between two runs of one model, where that was measured."""
    texts, unmeasured = list[str](), list[str]()
    for suite in evidence.suites:
        compared = {v.metric for v in evidence.verdicts(suite.name) if v.rule in COMPARATIVE}
        if not compared or evidence.run.manifest.asked_twice:
            continue
        noise = suite.noise
        floors = {floor.metric: floor.floor for floor in noise.floors if floor.slice is None} if noise else {}
        moves = [
            f"{wording.phrase(metric.name)} by up to "
            f"{number_format.floor(floors[metric.name], evidence.unit_of_change(suite.name, metric))}"
            for metric in suite.metrics
            if metric.name in compared and floors.get(metric.name) is not None
        ]
        if noise is None or not moves:
            unmeasured.append(suite.name)
            continue
        texts.append(
            f"{suite.name}: running {noise.checkpoint} twice changed {wording.listing(moves)} (run {noise.run_id}). "
            "Gates do not judge smaller margins."
        )
    whose = "its" if len(unmeasured) == 1 else "their"
    said = f"{wording.listing(unmeasured)}: the run-to-run variation of {whose} metrics was not measured."
    return [said, *texts] if unmeasured else texts


def _missing_scorers(evidence: RunView) -> list[str]:
    """Say who did not score the answers: a judge model, people, or both."""
    events = (event for batch in batches(evidence.run.path) for event in batch.events)
    kinds = {e.kind for e in events if e.score.value is not None and e.score.name != "human_seconds"}
    missing = [who for kind, who in (("judge", "no judge model"), ("human", "no person")) if kind not in kinds]
    return [wording.capital(f"{wording.listing(missing)} scored these answers.")] if missing else []


def _shapes(evidence: RunView) -> list[str]:
    by_shape: dict[str, list[str]] = {}
    for suite in evidence.suites:
        by_shape.setdefault(suite.shape, []).append(suite.name)
    named = "; ".join(f"{shape} ({wording.listing(names)})" for shape, names in by_shape.items() if shape)
    if not named:
        return []
    return [
        f"The word behind the name of a metric says what each case is: {named}. Do not compare numbers of different "
        "kinds of case."
    ]
