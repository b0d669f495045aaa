"""Exports made of literal numbers and of any text, and what a Markdown reader makes of a page."""

from __future__ import annotations

from typing import Any

from markdown_it import MarkdownIt

from harness.schema import Estimate, Outcome, Verdict
from reports.ci.export import Export, SuiteExport

SUITE = "legal/clauses"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def verdict(number: int = 0, outcome: Outcome = "fail", **more: Any) -> Verdict:
    """A gate on recall; `number` makes it unlike the others."""
    observed = Estimate(value=0.883, low=0.803, high=0.934, n=240, clusters=40, side="lower", method="wilson")
    fields: dict[str, Any] = {
        "suite": SUITE,
        "gate": f"clause_recall-at_least-0.95[instrument=kind {number}]",
        "metric": "clause_recall",
        "rule": "at_least",
        "slice": "instrument",
        "slice_value": f"kind {number}",
        "outcome": outcome,
        "observed": observed,
        "bar": "at least 95.0%",
        "margin": -0.147,
        "seen": "88.3% (95% confidence: at most 93.4%)",
        "reason": "88.3% (95% confidence: at most 93.4%); at least 95.0% was required.",
        "needed": None if outcome in ("pass", "fail") else "about 620 cases; has 240",
    }
    return Verdict(**{**fields, **more})


def suite(*verdicts: Verdict, **more: Any) -> SuiteExport:
    """A suite with these gates."""
    outcomes = [v.outcome for v in verdicts]
    fields: dict[str, Any] = {
        "name": SUITE,
        "shape": "excerpt",
        "cluster": "contract",
        "sentence": "Wrong on 3 fewer of 10 contracts (1, baseline 4); 1 new fabrication, 1 fixed.",
        "counts": {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
        "verdicts": list(verdicts),
    }
    return SuiteExport(**{**fields, **more})


def export(*suites: SuiteExport, **more: Any) -> Export:
    """A finished run with these suites."""
    fields: dict[str, Any] = {
        "run_id": "20261125T010000Z-clauses-0a1b2c3d",
        "status": "finished",
        "commit": COMMIT,
        "checkpoints": {"baseline": "org/small (111111111111)", "tuned": "runs/adapter (222222222222)"},
        "suites": list(suites),
    }
    return Export(**{**fields, **more})


def full_of(text: str) -> Export:
    """An export in which a text stands wherever foreign text can."""
    gates = [
        verdict(
            0, outcome, suite=text, gate=text, metric=text, slice=text, slice_value=text, bar=text, reason=text,
            needed=text, seen=text,
        )
        for outcome in ("fail", "inconclusive", "skipped", "error", "pass")
    ]  # fmt: skip
    named = [text]
    part = suite(
        *gates,
        name=text,
        shape=text,
        cluster=text,
        sentence=text,
        changes={text: text},
        worse=named,
        worse_total=len(named) + 7,
    )
    return export(part, run_id=text, checkpoints={text: text}, moved=[text], notes=[text])


def tokens(page: str) -> tuple[list[str], list[str]]:
    """Types of a page's block and inline tokens, as GitHub's dialect of Markdown has them."""
    found = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    return [token.type for token in found], [child.type for token in found for child in token.children or []]


def headings(page: str) -> list[str]:
    """Texts of a page's headings."""
    found = MarkdownIt("gfm-like", {"linkify": False}).parse(page)
    return [found[at + 1].content for at, token in enumerate(found) if token.type == "heading_open"]


def tables_are_whole(page: str) -> bool:
    """Every line that begins a table row belongs to a table with a head, and every row has all its cells."""
    block: list[str] = []
    for line in [*page.split("\n"), ""]:
        if line.startswith("|"):
            block.append(line)
        elif block:
            widths = {row.count("|") for row in block}
            if len(block) < 3 or len(widths) > 1 or not set(block[1]) <= set("|-: "):
                return False
            block = []
    return True
