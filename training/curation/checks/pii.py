"""Rows that contain personal data or secrets, by type; `training.curation.personal_data` defines the types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, RowFinding, Sample, around
from training.curation.personal_data import FORMS, places
from training.curation.text import spread


class _RowTypes(NamedTuple):
    """Types in a row, and a quotation in which they are masked."""

    types: tuple[str, ...]
    quote: str


def _types_of(rows: Sequence[tuple[str, ...]]) -> list[_RowTypes]:
    """Return the types of each row, which is given as its texts."""
    results = []
    for texts in rows:
        hits = [(text, place) for text in texts for place in places(text)]
        quote = around(hits[0][0], *hits[0][1][:2]) if hits else ""
        results.append(_RowTypes(tuple(place.type for _, place in hits), quote))
    return results


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row that contains personal data, with its types."""
    others = [(*(t.content for t in row.base_context), *map(str, row.sources.values())) for row in sample.rows]
    texts = [(*row, *more) for *row, more in zip(sample.prompts, sample.answers, others, strict=True)]
    row_types: list[_RowTypes] = spread(_types_of, texts)
    places_of = Counter(kind for row in row_types for kind in row.types)
    rows_of = Counter(kind for row in row_types for kind in set(row.types))
    findings = [
        RowFinding(row=index, reason=f"contains {_list(row.types)}", quote=row.quote)
        for index, row in enumerate(row_types)
        if row.types
    ]
    table = FindingTable(
        title="Personal data by type",
        headings=["type", "places", "rows"],
        rows=[[form.name, f"{places_of[form.name]:,}", f"{rows_of[form.name]:,}"] for form in FORMS],
    )
    return CheckResult(findings=findings, tables=[table] if findings else [], counts=dict(places_of))


def _list(types: Sequence[str]) -> str:
    return ", ".join(f"{kind} ({count})" if count > 1 else kind for kind, count in Counter(types).items())


CHECK = Check(
    name="pii",
    description="Personal data: e-mail, IBAN, card, SSN, phone, IP address; and keys, tokens. Names are not detected.",
    action="mask",
    find=find,
)
