"""Finds the places of personal data in a text, and masks them. The forms it knows are in `pii_forms.py`."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from harness.scoring.normal import normalise
from training.curation.pii_forms import FORMS


class Place(NamedTuple):
    """Where personal data stands in a text, and of which type it is."""

    start: int
    end: int
    type: str


def places(text: str) -> list[Place]:
    """Every place of personal data in a text, in order; each is claimed by one type."""
    normal = normalise(text)
    taken = bytearray(len(normal.text))
    found = []
    for form in FORMS:
        if form.mark.search(normal.text):
            for start, end in form.spans(normal.text):
                if 1 not in taken[start:end]:
                    taken[start:end] = b"\1" * (end - start)
                    found.append(Place(*normal.original(start, end), form.name))
    return sorted(found)


class Mask:
    """Masks the texts of one row: the same value is the same mask wherever it stands, `[EMAIL_1]`, `[EMAIL_2]`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._masks: dict[tuple[str, str], str] = {}

    def __call__(self, text: str) -> str:
        """The text with every place masked; masking goes on until none is left."""
        while found := places(text):
            pieces, at = [], 0
            for place in found:
                pieces += [text[at : place.start], self._mask(place.type, text[place.start : place.end])]
                at = place.end
                self.counts[place.type] += 1
            text = "".join([*pieces, text[at:]])
        return text

    def _mask(self, kind: str, value: str) -> str:
        known = (kind, "".join(c for c in value.casefold() if c.isalnum()))
        number = 1 + sum(k == kind for k, _ in self._masks)
        return self._masks.setdefault(known, f"[{kind}_{number}]")
