"""Finds rows that hold personal data, by type. What is personal data is said in `pii_forms.py`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, RowFinding, Sample, around
from training.curation.personal_data import FORMS, places
from training.curation.text import spread


class _Seen(NamedTuple):
    """Types in a row, and a quotation with them masked."""

    types: tuple[str, ...]
    quote: str


def _look(rows: Sequence[tuple[str, ...]]) -> list[_Seen]:
    """What each row, given as its texts, holds."""
    seen = []
    for texts in rows:
        found = [(text, place) for text in texts for place in places(text)]
        quote = around(found[0][0], *found[0][1][:2]) if found else ""
        seen.append(_Seen(tuple(place.type for _, place in found), quote))
    return seen


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Each row that holds personal data, with its types."""
    documents = [row.document for row in sample.rows]
    seen: list[_Seen] = spread(_look, list(zip(sample.prompts, sample.answers, documents, strict=True)))
    places_of = Counter(kind for row in seen for kind in row.types)
    rows_of = Counter(kind for row in seen for kind in set(row.types))
    findings = [
        RowFinding(row=index, reason=f"holds {_list(row.types)}", quote=row.quote)
        for index, row in enumerate(seen)
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
    says="Personal data: e-mail, IBAN, card, SSN, phone, IP address. Names are not looked for.",
    action="mask",
    find=find,
)
