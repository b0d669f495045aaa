"""The report's sections, in reading order. To add one: one file here and one line in SECTIONS."""

from collections.abc import Callable

from reports.evidence import Evidence
from reports.model import Section
from reports.sections import (
    business,
    changes,
    compared,
    cost,
    errors,
    fabrications,
    gates,
    history,
    limits,
    picture,
    provenance,
    repeats,
    results,
    review,
    signoff,
    slices,
    training,
    validity,
    verdict,
)

SECTIONS: list[Callable[[Evidence], Section | None]] = [
    verdict.section,
    picture.section,
    gates.section,
    compared.section,
    results.section,
    validity.section,
    slices.section,
    fabrications.section,
    changes.section,
    changes.others,
    errors.section,
    repeats.section,
    review.section,
    business.section,
    training.section,
    cost.section,
    history.section,
    provenance.section,
    limits.section,
    signoff.section,
]
