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
    provenance,
    repeats,
    results,
    slices,
    training,
    validity,
    verdict,
)

SECTIONS: list[Callable[[RunView], Section | None]] = [
    verdict.section,
    overview.section,
    gates.section,
    models_compared.section,
    results.section,
    validity.section,
    slices.section,
    fabrications.section,
    cases.section,
    cases.others,
    errors.section,
    repeats.section,
    human_review.section,
    business.section,
    training.section,
    cost.section,
    history.section,
    provenance.section,
    limits.section,
    provenance.signoff_section,
]
