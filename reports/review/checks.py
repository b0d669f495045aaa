"""What is wrong with a reviewer's words, and what is still missing from them. Knows no page and no variant.

The page counts in UTF-16 and sends code points; the quote is the check that both mean the same stretch.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.stats.scales import LEAST, MOST
from reports.review.schema import Draft, Mode, Opinion

LONGEST_NOTE = 4000
LONGEST_TEXT = 500_000


def problems(draft: Draft, mode: Mode, answers: Mapping[str, str], clauses: list[str]) -> list[str]:
    """What can never be kept: marks that fit no text, scores off the scale, texts without end. `answers` is by side."""
    found = []
    for side in answers:
        opinion = opinion_of(draft, side)
        for name, score in opinion.points.items():
            if score is not None and not LEAST <= score <= MOST:
                found.append(f"{name} of answer {side} is {score}, expected {LEAST} to {MOST}")
        for mark in opinion.marks:
            if not 0 <= mark.start < mark.end <= len(answers[side]):
                found.append(f"a mark in answer {side} lies outside of the answer")
            elif answers[side][mark.start : mark.end] != mark.quote:
                found.append(f"a mark in answer {side} does not fit its quote")
        if set(opinion.missed) - set(clauses):
            found.append(f"answer {side} has marks on clauses that the case does not list")
        if opinion.none_fabricated and opinion.marks:
            found.append(f"answer {side} is said to hold no fabrication, and some are marked")
    if len(draft.note) > LONGEST_NOTE or len(draft.reason) > LONGEST_NOTE:
        found.append(f"the note is too long; expected {LONGEST_NOTE} characters or fewer")
    if len(draft.text or "") > LONGEST_TEXT:
        found.append(f"the edited text is too long; expected {LONGEST_TEXT} characters or fewer")
    is_compared = draft.preference is not None or any(opinion_of(draft, side) != Opinion() for side in ("A", "B"))
    if is_compared if mode == "fix" else draft.text is not None:
        found.append("the answer is for another kind of review")
    return found


def missing(draft: Draft, mode: Mode, sides: Mapping[str, str], clauses: list[str]) -> list[str]:
    """What must be said before the task can be submitted."""
    if draft.outcome != "judged":
        return [] if draft.reason.strip() else ["a reason"]
    if mode == "fix":
        return [] if (draft.text or "").strip() else ["the edited text"]
    found = []
    for side in sides:
        opinion = opinion_of(draft, side)
        if not opinion.marks and not opinion.none_fabricated:
            found.append(f"answer {side}: fabrications")
        found += [f"answer {side}: {name}" for name, score in opinion.points.items() if score is None]
        found += [f"answer {side}: {clause}" for clause in clauses if clause not in opinion.missed]
    return found if draft.preference else [*found, "preference"]


def opinion_of(draft: Draft, side: str) -> Opinion:
    """What is said of one side."""
    return draft.A if side == "A" else draft.B
