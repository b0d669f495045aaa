"""Format durations, sizes, short lists and the numbers of a verdict; reports have their own number formats."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Sequence

IRREGULAR = {"lease": "leases", "case": "cases", "this": "these", "policy": "policies", "query": "queries"}


def phrase(name: str) -> str:
    """Turn an identifier into words of a sentence: `clause_macro_f1` becomes `clause macro F1`."""
    return re.sub(r"\bf1\b", "F1", name.replace("_", " ").strip())


def count(n: int, noun: str) -> str:
    """`1 contract`, `2 contracts`, `1,200 cases`."""
    return f"{n:,} {noun if n == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural of an English noun, such as what a suite calls its clusters."""
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def format_duration(seconds: float) -> str:
    """`42 s`, `3 min 5 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_bytes(size: int) -> str:
    """`0 B`, `1.2 MB`, `269 MB`, in powers of 1000."""
    for unit, one in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= one:
            return f"{size / one:.{1 if size < 10 * one else 0}f} {unit}"
    return f"{size} B"


def first_few(items: Sequence[str], most: int, noun: str = "") -> str:
    """`a, b and 3 more`, or `a, b and 3 more rows` with a plural noun: at most `most` of the items by name."""
    rest = len(items) - most
    more = f" and {rest:,} more{' ' if noun else ''}{noun}" if rest > 0 else ""
    return ", ".join(items[:most]) + more


def markdown_table(columns: Sequence[str], rows: Iterable[Iterable[str]], numeric: Collection[int] = ()) -> list[str]:
    """The lines of a table in Markdown. Cells are taken as they are; the columns at `numeric` are aligned right."""
    rule = ["---:" if at in numeric else "---" for at in range(len(columns))]
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)]


def percent(value: float) -> str:
    """A share with one decimal, three digits at most; only exactly 0 and 1 are shown as 0% and 100%."""
    if value in (0, 1):
        return f"{value:.0%}"
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return f"{value:.1%}" if abs(value) < 1 else f"{value:,.0%}"


def bar_percent(value: float) -> str:
    """A threshold that is a share of something: `75%`, `87.5%`, `0.4%`; as many decimals as it has, three at most."""
    return f"{round(100 * value, 3):g}%"


def significant(value: float) -> str:
    """`0.931`, `34.2`, `1,230`: whole numbers as they are, others at three significant digits."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def number(value: float, is_share: bool, apart_from: float | None = None) -> str:
    """`93.1%` or `0.931`; `just under 95.0%` where rounding hides on which side of `apart_from` it is."""
    shown = percent(value) if is_share else significant(value)
    return shown if apart_from is None else beside(shown, value, apart_from, exact_threshold(apart_from, is_share))


def with_interval(value: float | None, low: float | None, high: float | None, is_share: bool) -> str:
    """`86.2% (81.0% to 90.0%)`, or `not measured`."""
    if value is None:
        return "not measured"
    ends = "" if low is None or high is None else f" ({number(low, is_share)} to {number(high, is_share)})"
    return f"{number(value, is_share)}{ends}"


def exact_threshold(value: float, is_share: bool) -> str:
    """A threshold with all of its decimals: `90.0%`, `98.75%`, `99.95%`, `120.5`."""
    if not is_share:
        return f"{value:,.9f}".rstrip("0").rstrip(".")
    return percent(value) if round(value, 3) == value else f"{100 * value:.9f}".rstrip("0") + "%"


def exact_margin(value: float, is_share: bool) -> str:
    """A margin with all of its decimals: `2.0 points`, `1.25 points`, `0.125`."""
    if is_share and round(value, 3) == value:
        return unsigned(value)
    return exact_threshold(value, is_share).replace("%", " points")


def beside(shown: str, value: float, bar: float, exact: str) -> str:
    """`shown`; `just over` or `just under` the threshold, `exact`, where rounding hides on which side `value` is."""
    if value == bar:
        return exact
    read, at = (float(re.sub(r"[<>%,]|points", "", text)) for text in (shown, exact))
    is_told = read != at and (read > at) == (value > bar)
    if shown[0] in "<>":
        is_told = at >= read if shown[0] == "<" else at <= read
    return shown if is_told else f"just {'under' if value < bar else 'over'} {exact}"


def unsigned(difference: float, is_share: bool = True) -> str:
    """`2.1 points`."""
    return points(difference, is_share).lstrip("+-")


def points(difference: float, is_share: bool) -> str:
    """A difference with its sign: `+2.1 points`, or `+0.21` for a score that is no share."""
    if not is_share:
        return ("+" if difference > 0 else "") + significant(difference)
    for decimals in (1, 2, 3):
        shown = f"{100 * difference:+.{decimals}f}"
        if difference == 0 or float(shown) != 0:
            break
    return f"{shown} points"


def p_value(p: float) -> str:
    """Three decimals, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def settle(times: float | None, cases: int, clusters: int, cluster: str, apart: str = "") -> str:
    """`about 580 cases; has 240`, with the clusters, called `cluster`, where they are fewer.

    `times` as many are needed; None where the value is at the threshold, and then the present ones decide `apart`.
    """
    has = count(cases, "case") + ("" if cases == clusters else f" from {count(clusters, cluster)}")
    if times is None:
        return f"a value exactly at the threshold can never be decided; {has} decide values at least {apart} away"
    if times <= 1:
        return f"slightly more than the current {has}"
    enough, now = f"about {round_to_two_digits(times * cases):,} cases", f"has {cases:,}"
    if cases != clusters:
        enough = f"{enough} from {count(round_to_two_digits(times * clusters), cluster)}"
        now = f"{now} from {clusters:,}"
    return f"{enough}; {now}"


def round_to_two_digits(count: float) -> int:
    """Rounded up to two significant digits."""
    step: int = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return math.ceil(count / step) * step
