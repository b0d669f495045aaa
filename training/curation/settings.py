"""What a curation is told: thresholds, suites, style guide, base model, actions. Reads no file."""

from __future__ import annotations

from msgspec import Struct

NEAR = 0.8
"""Share of runs of five words that two near copies have in common, of all that either has."""
MAX_LENGTH = 2048


class Settings(Struct, frozen=True, kw_only=True):
    """Settings of all checks; the manifest holds them."""

    suites: list[str] = []
    """Folders of suites that no row may come from; none given: those of the project."""
    style: str = ""
    """Style guide whose banned terms, names and tone the answers are held to."""
    base: str = ""
    """Base model whose tokens are counted; without it words are."""
    max_length: int = MAX_LENGTH
    """Most tokens of a row, as `data.max_length` of the training configuration."""
    near: float = NEAR
    """Jaccard similarity from which two rows are near copies."""
    language: str = "en"
    """Language that the rows should be in, as an ISO 639-1 code."""
    actions: dict[str, str] = {}
    """Actions by check, where they are not the check's own; `skip` does not run it."""
