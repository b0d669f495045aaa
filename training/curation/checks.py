"""The checks, in the order in which they are run and shown. One more is one line here."""

from __future__ import annotations

from training.curation import (
    balance,
    conflicts,
    contamination,
    exact,
    fit,
    floor,
    language,
    lengths,
    near,
    negatives,
    pii,
    swaps,
    wording,
)
from training.curation.findings import Check

CHECKS: tuple[Check, ...] = (
    floor.CHECK,
    contamination.CHECK,
    exact.CHECK,
    near.CHECK,
    fit.REFUSED,
    pii.CHECK,
    conflicts.CHECK,
    fit.CUT,
    language.CHECK,
    wording.TYPOS,
    wording.INFORMAL,
    wording.BANNED,
    swaps.CHECK,
    negatives.CHECK,
    balance.CHECK,
    lengths.CHECK,
)
