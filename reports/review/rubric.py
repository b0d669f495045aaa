"""The written rubric that every reviewer reads first, and its digest. Knows no page."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.files import digest, read_toml
from harness.stats.human_review import MOST, SCALES
from reports.review.schema import SEVERITIES

OWN = Path(__file__).with_name("rubric.toml")


class ReviewRubric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consent, questions and scales, in the words that reviewers see."""

    name: str
    """Title and version."""
    consent: list[str]
    """Paragraphs to agree to before anything is shown."""
    agree: str
    """What the box to tick says."""
    introduction: list[str]
    """Paragraphs on how to judge."""
    fabrication: str
    """What counts as a fabrication."""
    severity: dict[str, str]
    """What `minor`, `major` and `critical` mean."""
    accuracy: list[str]
    """What 1 to 5 mean."""
    completeness: list[str]
    """What 1 to 5 mean."""
    missed: str
    """When a listed clause is missed."""
    preference: str
    """How to choose between two answers."""
    fix: list[str]
    """How to edit a draft."""
    cannot_judge: str
    """When not to judge."""

    @property
    def hash(self) -> str:
        """Digest of every word above."""
        return digest(msgspec.to_builtins(self))


def load_rubric(path: Path | None = None) -> ReviewRubric:
    """Read a rubric file, or the one that comes with tunegate. What is wrong with it is a UserError."""
    path = path or OWN
    try:
        found = msgspec.convert(read_toml(path, "Expected a review rubric"), ReviewRubric)
    except msgspec.ValidationError as error:
        raise UserError(f"{path.name}: {error}. Copy {OWN} and change its words, not its keys") from None
    for scale in SCALES:
        words = getattr(found, scale.name)
        if len(words) != MOST:
            raise UserError(f"{path.name}: '{scale.name}' has {len(words)} entries, expected what 1 to {MOST} mean")
    if set(found.severity) != set(SEVERITIES):
        raise UserError(f"{path.name}: [severity] has {', '.join(found.severity)}; expected minor, major and critical")
    return found
