"""The report's sections in reading order. A new section is one file here and one line in SECTIONS."""

from collections.abc import Callable

from reports.model import Section
from reports.run_data import RunView
from reports.sections import (
    business,
    cases,
    cost,
    errors,
    fabrications,
    gates,
    history,
    human_review,
    limits,
    models_compared,
    overview,
    prompt,
    provenance,
    repeats,
    results,
    slices,
    training,
    validity,
    verdict,
)

SECTIONS: list[tuple[str, Callable[[RunView], Section | None]]] = [
    ("Decision", verdict.section),
    ("Decision", prompt.section),
    ("Decision", overview.section),
    ("Decision", gates.section),
    ("Evidence", models_compared.section),
    ("Evidence", results.section),
    ("Evidence", slices.section),
    ("Evidence", fabrications.section),
    ("Evidence", cases.section),
    ("Evidence", cases.others),
    ("Evidence", errors.section),
    ("Evidence", repeats.section),
    ("Evidence", human_review.section),
    ("Evidence", validity.section),
    ("Background", business.section),
    ("Background", training.section),
    ("Background", cost.section),
    ("Background", history.section),
    ("Record", provenance.section),
    ("Record", limits.section),
    ("Record", provenance.signoff_section),
]
"""Each section with its group in the navigation."""
