"""What people say of a run in a review, as the review app writes it down, for tests of what is made of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.runs.score_events import append
from harness.schema import Score, ScoreEvent, Span

Findings = list[tuple[str, Score]]
"""Variant and finding."""


def answer(
    variant: str,
    accuracy: int,
    completeness: int = 3,
    marks: Sequence[tuple[int, int, str, str]] = (),
    missed: Sequence[str] | None = None,
) -> Findings:
    """What is said of one answer; a mark is start, end, quote, severity; `missed` None where no clause is listed."""
    spans = [Span(start=a, end=b, quote=q, kind=kind, verdict="invented") for a, b, q, kind in marks]
    counts = {s: sum(m[3] == s for m in marks) for s in ("minor", "major", "critical")}
    found = [
        Score(name="human_accuracy", value=float(accuracy)),
        Score(name="human_completeness", value=float(completeness)),
        Score(name="human_fabrication", value=float(len(spans)), counts=counts, spans=spans),
    ]
    if missed is not None:
        counts = {"listed": 4, "missed": len(missed)}
        found.append(
            Score(name="human_missed", value=float(len(missed)), counts=counts, extracted={"missed": list(missed)})
        )
    return [(variant, score) for score in found]


def compared(tuned: Findings, baseline: Findings, choice: str) -> Findings:
    """What is said of two answers side by side."""
    value = {"tuned": 1.0, "baseline": 0.0}.get(choice, 0.5)
    preference = Score(name="human_preference", value=value, extracted={"choice": [choice]})
    return [*baseline, *tuned, ("tuned", preference), ("tuned", seconds(60.0, "compare"))]


def both(choice: str, tuned: int = 3, baseline: int = 3) -> Findings:
    """Two answers with an accuracy each, and a choice."""
    return compared(answer("tuned", tuned), answer("baseline", baseline), choice)


def fixed(variant: str, active_s: float, edits: int = 5, length: int = 100, text: str = "corrected") -> Findings:
    """A draft that was made usable."""
    counts = {"edit_distance": edits, "draft_length": length}
    fix = Score(name="human_fix", value=float(edits), counts=counts, extracted={"text": [text]})
    return [(variant, fix), (variant, seconds(active_s, "fix"))]


def seconds(active_s: float, mode: str) -> Score:
    counts = {"active_ms": round(active_s * 1000), "wall_ms": round(active_s * 1500)}
    return Score(name="human_seconds", value=active_s, counts=counts, extracted={"mode": [mode]})


def skipped(findings: Findings, reason: str) -> Findings:
    """The same showing without a judgement."""
    return [(v, s if s.name == "human_seconds" else Score(name=s.name, value=None, reason=reason)) for v, s in findings]


def review(
    run: Path,
    suite: str,
    reviewer: str,
    said: Mapping[str, Findings],
    mode: str = "compare",
    rubric: str = "rubric-1",
    **about: Any,
) -> Path:
    """Append one reviewer's batch: findings by case id."""
    events = [
        ScoreEvent(
            suite=suite,
            case_id=case_id,
            variant=variant,
            repeat=1,
            kind="human",
            score=score,
            author=reviewer,
            rubric=rubric,
            at="2026-11-25T10:00:00Z",
        )
        for case_id, findings in said.items()
        for variant, score in findings
    ]
    shown = [
        {"suite": suite, "case_id": case_id, "side": {"A": "tuned", "B": "baseline"}, "position": position}
        for position, case_id in enumerate(said, 1)
    ]
    whole = {
        "kind": "review",
        "mode": mode,
        "reviewer": reviewer,
        "blind": True,
        "seed": 1,
        "items": len(said),
        "practice": 2,
        "shown": shown,
        "repeats": [],
        "guess": {"asked": 0, "said": 0, "right": 0},
        "not_reached": 0,
        "consented_at": "2026-11-25T09:00:00Z",
        "source": "server",
        "rubric": {"name": "A rubric"},
    }
    return append(run, "human", events, whole | about)
