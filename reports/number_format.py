"""Every number a reader sees, in its unit.

No other module of `reports` formats a number, so that all views and all terminals round alike.
"""

from __future__ import annotations

from typing import Literal

from harness.formatting import format_duration, significant
from harness.formatting import percent as share
from harness.schema import Estimate
from reports import wording
from reports.model import Cell

Unit = Literal["share", "points", "ratio", "number", "change", "amount", "coefficient", "seconds"]
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
NOT_MEASURED = "not measured"


def percent(value: float) -> str:
    """A share as a percentage with one decimal; only exactly 0 and 1 are shown as 0% and 100%."""
    return _minus(share(value))


def points(value: float) -> str:
    """A difference of two shares in signed percentage points; only exactly 0 is shown as 0."""
    scaled = value * 100
    if scaled == 0:
        return "0.0"
    if abs(scaled) < 0.05:
        return _minus(f"{scaled:+.1g}")
    return _minus(f"{scaled:+.1f}" if abs(scaled) < 99.95 else f"{scaled:+.0f}")


def ratio(value: float) -> str:
    """A quotient of two rates: `0.62×`, `12.4×`."""
    return f"{value:.2f}×" if abs(value) < 9.995 else f"{rounded(value)}×"


def rounded(value: float) -> str:
    """A computed amount, such as minutes, at three significant digits even where it is whole: `1,120`."""
    return number(float(f"{value:.3g}"))


def number(value: float | int) -> str:
    """Any other number, at three significant digits, with thousands separated; whole numbers are exact."""
    return _minus(significant(value))


def change(value: float | int) -> str:
    """A difference of two such numbers, signed; only exactly 0 has no sign."""
    return f"{'+' if value > 0 else ''}{number(value)}"


def coefficient(value: float) -> str:
    """A coefficient of agreement: `0.32`; only exactly 1 is shown as 1."""
    return ">0.99" if 0.995 <= value < 1 else _minus(f"{value:.2f}")


def exact(value: float | int) -> str:
    """A setting or a loss, as written: four significant digits, powers of ten where they are shorter."""
    return _minus(f"{value:,}" if isinstance(value, int) else f"{value:.4g}")


def quantity(value: float, unit: Unit) -> str:
    """A value in its unit, without the word for the unit."""
    return FORMS[unit](value)


def value(estimate: Estimate | None, unit: Unit = "share") -> str:
    """The number of an estimate alone; `not measured` where there is none."""
    if estimate is None or estimate.value is None:
        return NOT_MEASURED
    return quantity(estimate.value, unit) + (" points" if unit == "points" else "")


def interval(estimate: Estimate | None, unit: Unit = "share") -> str:
    """The interval of an estimate, or its one meaningful bound; empty where there is none."""
    if estimate is None or estimate.value is None:
        return ""
    low = None if estimate.low is None or estimate.side == "upper" else quantity(estimate.low, unit)
    high = None if estimate.high is None or estimate.side == "lower" else quantity(estimate.high, unit)
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    return f"{high} or less" if high is not None else ""


def estimate_cell(estimate: Estimate | None, unit: Unit = "share", *notes: str) -> Cell:
    """Format an estimate as a cell: its number, and its interval and `notes` below."""
    lines = filter(None, [interval(estimate, unit), *notes])
    return Cell(text=value(estimate, unit), note="\n".join(lines), estimate=estimate)


def missing(why: str = "") -> Cell:
    """A dash in place of a value, and why there is none."""
    return Cell(text=DASH, note=why, tone="muted")


def estimate(measured: Estimate | None, unit: Unit = "share") -> str:
    """Value and interval in one phrase, as tables of terminals want it."""
    if measured is None:
        return NOT_MEASURED
    if measured.value is None:
        return f"{NOT_MEASURED}: {measured.reason}"
    bounds = interval(measured, unit)
    return f"{value(measured, unit)} ({bounds})" if bounds else value(measured, unit)


def basis(measured: Estimate, cluster: str, noun: str = "case") -> str:
    """What an estimate counts: `390 clauses in 91 contracts`, or `60 questions` where each cluster is one case."""
    if measured.n == measured.clusters and noun == "case":
        return wording.count(measured.clusters, cluster)
    return f"{wording.count(measured.n, noun)} in {wording.count(measured.clusters, cluster)}"


def brief(measured: Estimate | None, unit: Unit, like: Estimate | None = None) -> str:
    """The number of an estimate with the digits that an interval, its own or that of `like`, warrants: `86%`, `+47`."""
    if measured is None or measured.value is None:
        return NOT_MEASURED
    return _rounded(measured.value, unit, _is_narrow(like or measured))


def brief_estimate(measured: Estimate | None, unit: Unit) -> str:
    """An estimate with its interval and no more digits than that warrants: `86% (81% to 90%)`, `+47 (44 to 50)`."""
    if measured is None or measured.value is None or measured.low is None or measured.high is None:
        return brief(measured, unit)
    low, high = (_rounded(end, unit, _is_narrow(measured)).lstrip("+") for end in (measured.low, measured.high))
    return f"{brief(measured, unit)} ({low} to {high})"


def _is_narrow(measured: Estimate) -> bool:
    return measured.low is not None and measured.high is not None and measured.high - measured.low < 0.02


def _rounded(value: float, unit: Unit, is_narrow: bool) -> str:
    """A share or points with one decimal where the interval is narrow, otherwise none; only exactly 0 is shown as 0."""
    if unit not in ("share", "points"):
        return quantity(value, unit)
    decimals, sign = int(is_narrow), "+" if unit == "points" else ""
    text = f"{100 * value:{sign}.{decimals}f}"
    if unit == "points":
        return "0" if value == 0 else _minus(text if float(text) else f"{100 * value:+.1g}")
    if value in (0, 1):
        return f"{value:.0%}"
    least = 10**-decimals
    return f"<{least:g}%" if float(text) == 0 else f">{100 - least:g}%" if float(text) == 100 else f"{text}%"


def level(found: Estimate) -> str:
    """What an interval is: `95% interval` or `95% bound, one-sided`."""
    return percent(found.level).replace(".0%", "%") + (" interval" if found.side == "two" else " bound, one-sided")


def floor(found: float | None, unit: Unit) -> str:
    """The largest change that needs no change of the model: `1.2 points`."""
    if found is None:
        return NOT_MEASURED
    return quantity(found, unit).lstrip("+") + (" points" if unit == "points" else "")


def p_value(p: float | None) -> str:
    """`p = 0.031`, never `p = 0`."""
    if p is None:
        return DASH
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def duration(seconds: float) -> str:
    """Wall time: `850 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return format_duration(seconds)


def minutes(seconds: float) -> str:
    """An estimated time, in whole minutes: `1 minute`, `25 minutes`, `2 h 5 min`."""
    whole = max(1, round(seconds / 60))
    return wording.count(whole, "minute") if whole < 90 else f"{whole // 60} h {whole % 60} min"


def moment(iso: str | None) -> str:
    """A UTC time: `2026-11-25 01:17:30 UTC`."""
    if not iso:
        return NOT_MEASURED
    return iso.replace("T", " ").removesuffix("Z") + " UTC" if iso.endswith("Z") else iso


def short(digest: str | None) -> str:
    """The first twelve digits of a digest, enough to compare by eye."""
    if not digest:
        return DASH
    head, _, rest = digest.rpartition(":")
    return f"{head}:{rest[:12]}" if head else rest[:12]


def clean(value: float) -> float:
    """A computed number without what only the computer's rounding put there."""
    return round(value, 9) + 0.0


def tokens_per_second(rate: float) -> str:
    """Throughput, at most three significant digits and one decimal."""
    return f"{rounded(rate)} tokens/s" if rate >= 100 else f"{rate:.1f} tokens/s"


def setting(found: object, name: str = "") -> Cell:
    """A recorded setting as a cell; the ending of its name tells its unit."""
    if isinstance(found, bool) or found is None:
        return Cell(text={True: "yes", False: "no", None: DASH}[found])
    if isinstance(found, (list, tuple)):
        return Cell(text=", ".join(setting(item).text for item in found) or DASH)
    if not isinstance(found, (int, float)):
        return Cell(text=str(found))
    if name.endswith(("tokens_per_second", "tokens_per_s")):
        return Cell(text=tokens_per_second(found))
    if name == "seconds" or (name.endswith(("_seconds", "_s")) and not name.endswith("_per_s")):
        return Cell(text=duration(found))
    return Cell(text=bytes_of(found) if name.endswith("_bytes") else exact(found))


def lowest(points_: list[tuple[float, float]]) -> str:
    """Where a curve is lowest; the first such step where several are."""
    step, least = min(points_, key=lambda point: (point[1], point[0]))
    return f"{exact(least)} at step {number(step)}"


def bytes_of(size: float) -> str:
    """Memory in GiB or MiB."""
    gib = size / 2**30
    return f"{gib:,.1f} GiB" if gib >= 1 else f"{size / 2**20:,.0f} MiB"


def tick(position: float, unit: Unit) -> str:
    """The label of an axis mark."""
    if unit == "share":
        return f"{position * 100:.0f}%"
    return "0" if position == 0 else _minus(f"{position * 100:+.0f}")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


FORMS = {
    "share": percent,
    "points": points,
    "ratio": ratio,
    "number": number,
    "change": change,
    "amount": rounded,
    "coefficient": coefficient,
    "seconds": duration,
}
"""How each unit's values are written."""
