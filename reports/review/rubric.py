"""The written rubric that every reviewer reads first, and its digest."""

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
    """Consent, questions and scales, as reviewers see them."""

    name: str
    """Title and version."""
    consent: list[str]
    """Paragraphs of the consent page."""
    agree: str
    """Label of the consent check box."""
    introduction: list[str]
    """Paragraphs on how to judge."""
    fabrication: str
    """What counts as a fabrication."""
    severity: dict[str, str]
    """Meaning of `minor`, `major` and `critical`."""
    accuracy: list[str]
    """Meaning of 1 to 5."""
    completeness: list[str]
    """Meaning of 1 to 5."""
    missed: str
    """When a listed clause counts as missed."""
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
    """Read a rubric file, or tunegate's own. Raises UserError where it is invalid."""
    path = path or OWN
    try:
        rubric = msgspec.convert(read_toml(path, "Expected a review rubric"), ReviewRubric)
    except msgspec.ValidationError as error:
        raise UserError(f"{path.name}: {error}. Copy {OWN} and change its words, not its keys") from None
    for scale in SCALES:
        words = getattr(rubric, scale.name)
        if len(words) != MOST:
            raise UserError(
                f"{path.name}: '{scale.name}' has {len(words)} entries, expected {MOST}: the meaning of 1 to {MOST}"
            )
    if set(rubric.severity) != set(SEVERITIES):
        raise UserError(f"{path.name}: [severity] has {', '.join(rubric.severity)}; expected minor, major and critical")
    return rubric
