"""How far raters mark the same passages of the same texts: token F1. Knows no reviewer and no severity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from harness.schema import Estimate, Metric, Observation, Span
from harness.stats.estimates import estimate
from harness.stats.observations import Observations

TOKEN = re.compile(r"\w+|[^\w\s]")
F1 = Metric(name="span_f1", scorer="raters", numerator="both", denominator="either")


class Marked(NamedTuple):
    """One text as every rater of it marked it."""

    cluster: str
    """Contract."""
    text: str
    """What was marked."""
    by_rater: Sequence[Sequence[Span]]
    """Each rater's passages; empty where a rater marked none."""


def tokens(text: str, spans: Iterable[Span]) -> set[int]:
    """Words and signs of a text that the spans touch, by their place."""
    places = [(m.start(), m.end()) for m in TOKEN.finditer(text)]
    return {i for span in spans for i, (start, end) in enumerate(places) if start < span.end and end > span.start}


def token_f1(marked: Iterable[Marked]) -> Estimate:
    """2 |both| / (|one| + |other|) over the tokens that any two raters of a text marked, summed over texts.

    Texts on which neither marked anything have nothing to count. The interval is that of a clustered ratio, by text
    where contracts hold one each.
    """
    cases = []
    for number, one in enumerate(marked):
        sets = [tokens(one.text, spans) for spans in one.by_rater]
        pairs = list(combinations(sets, 2))
        both = sum(2 * len(a & b) for a, b in pairs)
        either = sum(len(a) + len(b) for a, b in pairs)
        if pairs:
            cases.append(
                Observation(case_id=str(number), input_hash="", cluster=one.cluster, numerator=both, denominator=either)
            )
    if not any(case.denominator for case in cases):
        reason = "no two people marked any passage" if cases else "no text was read by two people"
        return Estimate(value=None, reason=reason)
    return estimate(Observations(cases=cases, records=len(cases)), F1)
