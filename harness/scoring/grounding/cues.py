"""What the words around a figure say that it is: a change, a total, a share, or worked out in some other way.

People who work a figure out say so: "up 4%", "$9,900 for the year", "that is $30 a day". A figure that the text states
as a plain term ("within 90 days") is rarely the sum of two others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

UP = (
    "rose rise risen rises rising increase increased increases increasing grew grow grown grows growing growth gain "
    "gains gained gaining up improved improvement improving climbed climbing added advanced higher more above"
)
DOWN = (
    "fell fall fallen falls falling decline declined declines declining decrease decreased decreases decreasing drop "
    "dropped dropping drops down slipped shrank reduced reduction lower less below fewer"
)
EVEN = (
    "change changed difference differed gap move moved narrowed widened narrowing widening ahead behind spread margin "
    "beat trail trails trailed trailing lag lags lagged lead leads led edge shortfall lighter heavier dearer cheaper"
)
MOVES = dict.fromkeys(UP.split(), 1) | dict.fromkeys(DOWN.split(), -1) | dict.fromkeys(EVEN.split(), 0)
MOVES |= dict.fromkeys(("gave up", "give up", "gives up", "giving up"), -1)
"""Direction by word: 1 up, -1 down, 0 a change of either."""
SIGNS = {"+": 1, "-": -1, "\u2212": -1, "\u2013": -1}
NEXT = 30
"""Characters before and after a figure in which a cue stands."""
REACH = 60
"""Characters around a figure in which a word says its direction."""
WORDS = re.compile(r"g[ai]v\w*\sup\b|[A-Za-z]+", re.I)
HEDGES = "only just about roughly around approximately some nearly almost a an the over say another further exactly"
HEDGE = rf"[\s*$€£+,:({{]*(?:(?:{'|'.join(HEDGES.split())})\b[\s*$€£+,:(]*)*$"
ANY = "any"
"""A figure that is worked out, in a way that the words do not say."""
BEFORE = {
    "change": (
        "up, down, by, rose, rises, fell, falls, gained, lost, slipped, climbed, dropped, grew, shrank, cut "
        "of, lead of, edge of, shortfall of, gap of, lag of, rise of, fall of, increase of, decrease of, drop of, "
        "difference of, less, minus, plus, or, added, reduced by"
    ),
    "total": (
        "total, totals, totalled, totaled, totalling, total of, together, altogether, combined, in all, all "
        "told, adds up to, add up to, added up to, sum of, sum is, sum to, sums to, comes to, come to, came "
        "to, coming to, makes, make, made, brings, bring, make up, makes up, worth, maximum of, paid, "
        "receive, earn, earns, reach, reaches, reached, pays, cost, costs, "
        "total to, distributed, booked, collected, spent, raised"
    ),
    "share": ("or, about, made up, makes up, make up, covers, took, half of"),
    ANY: (
        "so, i.e., e.g., that is, that makes, that means, that comes to, which is, which makes, which means, "
        "which comes to, which leaves, which gives, which puts, equals, equal to, thus, therefore, hence, "
        "nets, net, leaves, leaving, span of, for example, for instance, example, would be, would net, would "
        "make, twice, meaning, works out at, works out to, means, implies, ends, runs to"
    ),
}
AFTER = {
    "change": (
        "less, more, fewer, above, below, higher, lower, larger, smaller, ahead, behind, short, better, "
        "worse, lighter, heavier, dearer, cheaper, longer, shorter, earlier, later, under, up, down, to spare, apart, "
        "lead, increase, decrease, over the, over his, over her, over its, off the, old, difference, rise, fall, drop, "
        "gap, from, on the year, on the quarter"
    ),
    "total": (
        "in all, in total, altogether, together, combined, for the year, for a year, a year, per year, a week, "
        "per week, for the term, for both, for all, over a, over the, in the first, in the second, in the third, each, "
        "apiece, for a"
    ),
    "share": (
        "of the, of it, of that, of this, of its, of all, of net, of total, of revenue, of revenues, of the "
        "book, per square, per share, per unit, per acre, per heated, per foot, per mile, per day, per month, "
        "a share, a unit, times, of her, of his, of those, of a, of an, of every, of each, a square, of gross"
    ),
    "time": "after, before, prior to",
    ANY: ("left, is left, are left, is still to, to go, to spend, window, span, into the, remain, remains"),
}
LABELS = {
    "change": (
        r"chang|minus|\bless\b|differ|\bgap|\blead|\blag|increas|decreas|growth|\brise|\bfall|ahead|versus|\bvs\b|\bmore\b"
        r"|from\b.*\bto\b"
    ),
    "total": r"total|\bsum\b|together|combined|annual|yearly|\ball\b|\bboth\b|year|plus|over a",
    "share": r"share|\bof\b|margin|ratio|cover|rate\b|weight|portion|payout|\bpct\b|%|\bper\b",
    ANY: r"left|remain|worth|example|\bnet\b|after",
}
FAMILIES = {
    "change": {
        *("difference", "difference in points", "rise in percent", "fall in percent", "time between dates"),
        "rest of a whole",
    },
    "total": {
        *("sum", "sum and difference", "number of times an amount", "amount of another period", "product"),
        *("share of an amount", "part of an amount", "number of periods"),
    },
    "time": {"time between dates"},
    "share": {"share", "ratio", "rest of a whole", "part of an amount", "whole of a share"},
}
"""Rules of each family; every rule fits `ANY`."""


def _either(phrases: str) -> str:
    return "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases.split(", "))


JUST_BEFORE = {family: rf"(?<!\w)(?:{_either(phrases)})(?!\w){HEDGE}" for family, phrases in BEFORE.items()}
MOVE = "|".join((*MOVES, "falling", "slipping", "shrinking", "losing", "lost"))
GAP = "shortfall|surplus|excess|deficit|difference|gap|change|increase|decrease|rise|fall|drop|spread"
JUST_BEFORE["change"] += rf"|\b(?:{GAP})\s+(?:is|was|of|(?:comes|came|amounts)\s+to){HEDGE}"
JUST_BEFORE["total"] += rf"|\btimes\b[^.;]{{0,40}}\b(?:is|are|makes?|comes\s+to){HEDGE}"
JUST_BEFORE["change"] += rf"|\b(?:{MOVE})(?:\s+\w+)?{HEDGE}|\b(?:{MOVE})\b[^.;]{{0,24}}\bto{HEDGE}"
JUST_BEFORE[ANY] += rf"|\b(?:would(?:\s+\w+){{1,3}}|so(?:\s+\w+){{1,3}}|amounts?(?:\s+to)?){HEDGE}"
BEFORE_IT = {family: re.compile(pattern, re.I) for family, pattern in JUST_BEFORE.items()}
NO_MOVES = ("higher", "lower", "more", "less", "above", "below", "fewer")
LOSSES = dict.fromkeys(("lost", "loses", "losing", "lose", "loss", "negative"), -1)
MOVE_BY = "|".join(word for word in (*MOVES, *LOSSES) if word not in NO_MOVES)
NO_MOVE_AFTER = "".join(
    rf"(?<!{verb}\s)" for verb in ("gave", "give", "gives", "made", "make", "makes", "making", "add", "adds", "added")
)
MOVED_BY = re.compile(rf"\b{NO_MOVE_AFTER}(?P<move>{MOVE_BY})(?:\s+(?:by|of))?{HEDGE}", re.I)
"""A movement with a figure as its size: "fell by 3%", "a gain of $5"."""
RATE = r"[\s*),]*(?:\([^)\n]{1,12}\)\s*)?(?:(?:a|per)\s(?:year|month|week|day|quarter|share|unit)\s)?"
AFTER_IT = {family: re.compile(rf"{RATE}(?:{_either(phrases)})(?!\w)", re.I) for family, phrases in AFTER.items()}
IN_LABEL = {family: re.compile(pattern, re.I) for family, pattern in LABELS.items()}
MARKED = re.compile(r"[=(\u2248\u00d7]\s*[$€£+]?$|(?:^|\s)[+\u2212-]\s?[$€£]?$")


class Cues(NamedTuple):
    """What the words around a figure say."""

    families: frozenset[str]
    direction: int
    """1 or -1 for a rise or a fall, 0 if no word says so."""

    def allow(self, rule: str) -> bool:
        """Whether the words say that a figure is what a rule yields."""
        return ANY in self.families or any(rule in FAMILIES[family] for family in self.families)


def moved_by(text: str, start: int, first: int) -> int:
    """Return 1 or -1 if the words right before a figure say that something rose or fell by it, else 0."""
    match = MOVED_BY.search(text, max(first, start - REACH), start)
    return (MOVES | LOSSES)[match["move"].lower()] if match else 0


def cues(text: str, start: int, end: int, first: int, last: int, labels: Iterable[str]) -> Cues:
    """Read the words around a figure; its sentence is from `first` to `last`."""
    before, after = text[max(first, start - NEXT) : start], text[end : min(last, end + NEXT)]
    named = " ; ".join(label.replace("_", " ") for label in labels)
    families = {family for family, pattern in BEFORE_IT.items() if pattern.search(before)}
    families |= {family for family, pattern in AFTER_IT.items() if pattern.match(after)}
    families |= {family for family, pattern in IN_LABEL.items() if pattern.search(named)}
    if MARKED.search(before):
        families.add(ANY if before.rstrip(" $€£")[-1:] in "=(\u2248\u00d7" else "change")
    sign = text[max(0, start - 2) : start].strip(" $€£")[-1:]
    if sign in SIGNS:
        return Cues(frozenset(families), SIGNS[sign])
    words = WORDS.findall(text, max(first, start - REACH), start)[::-1] + WORDS.findall(
        text, end, min(last, end + REACH)
    )
    return Cues(frozenset(families), next((MOVES[word.lower()] for word in words if MOVES.get(word.lower())), 0))
