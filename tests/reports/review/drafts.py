"""What reviewers say in tests: given by variant, put on whatever side the variant stands."""

from __future__ import annotations

from reports.review.items import Material
from reports.review.results import record
from reports.review.schema import Draft, HighlightMark, Opinion, Task
from reports.review.storage import ReviewDatabase


def mark(text: str, quote: str, severity: str = "major") -> HighlightMark:
    start = text.index(quote)
    return HighlightMark(start=start, end=start + len(quote), quote=quote, severity=severity)  # type: ignore[arg-type]


def opinion(
    accuracy: int = 4,
    completeness: int = 4,
    marks: tuple[HighlightMark, ...] = (),
    missed: dict[str, bool] | None = None,
) -> Opinion:
    return Opinion(
        accuracy=accuracy, completeness=completeness, none_fabricated=not marks, marks=list(marks), missed=missed or {}
    )


def draft_of(task: Task, by_variant: dict[str, Opinion], prefer: str, **more: str) -> Draft:
    """A whole draft; `prefer` is a variant, `tie` or `both_bad`."""
    sides = {side: by_variant[variant] for side, variant in task.sides.items()}
    side_of = {variant: side for side, variant in task.sides.items()}
    return Draft(**sides, preference=side_of.get(prefer, prefer), **more)  # type: ignore[arg-type]


def answer_all(state: ReviewDatabase, material: Material, name: str, say: object = None) -> None:
    """Submit every task of a reviewer; `say(task, item)` gives the draft."""
    state.change_reviewer(name, consented_at="2026-11-25T10:00:00Z", begun_at="2026-11-25T10:01:00Z")
    for task in state.tasks(name):
        item = material.item(task.key)
        draft = say(task, item) if callable(say) else plain(task, item.clauses)
        state.open_task(task.id)
        state.save(name, task.id, task.revision, draft, active_ms=0, submit=True)
        state.change_task(task.id, active_ms=61_500, wall_ms=90_000, acknowledged=True)


def recorded(planned: tuple[ReviewDatabase, Material], *say: object) -> Material:
    """Submit every task of r1, r2 ... as each of `say` does, and record them; return the run's material."""
    state, material = planned
    for number, draft in enumerate(say or (None,), 1):
        answer_all(state, material, f"r{number}", draft)
    for number, _ in enumerate(say or (None,), 1):
        record(state, material, f"r{number}")
    return material


def plain(task: Task, clauses: list[str]) -> Draft:
    said = opinion(missed=dict.fromkeys(clauses, False))
    return draft_of(task, dict.fromkeys(task.sides.values(), said), "tie")
