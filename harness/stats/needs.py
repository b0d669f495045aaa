"""How many contracts would settle what is undecided, if they are like those seen. Knows no rule and no wording.

The judge's own intervals are asked about 2, 4, 8 ... times the same contracts, so that a guard ends where it would, and
between two of these the width is taken to fall as a power of the number. Power is that of `power`: 80%.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from harness.schema import Estimate, Metric, Side
from harness.stats.estimates import estimate
from harness.stats.intervals import critical
from harness.stats.join import Pairs
from harness.stats.observations import Observations
from harness.stats.paired import difference
from harness.stats.power import POWER
from harness.stats.rates import rate_ratio

MOST_ROWS = 100_000
"""Cases that an interval is asked about; beyond them its width falls with the root of the number."""


class Need(NamedTuple):
    """What it takes."""

    times: float | None
    """Times as many contracts; None where the value is the bar itself, which no number settles."""
    apart: float
    """Distance from the bar that the contracts there are settle."""


def for_level(found: Observations, metric: Metric, bar: float, side: Side) -> Need:
    """Contracts that show a level like this one to be on its side of the bar."""
    value = estimate(found, metric, side=side).value
    assert value is not None
    is_at_an_end = metric.is_share is not False and value in metric.limits

    def reach(copies: int) -> float:
        made = estimate(replace(found, cases=found.table.repeated(copies)), metric, side=side)
        return _reach(made, below=value > bar, is_certain=is_at_an_end)

    return _need(reach, abs(value - bar), len(found.cases))


def for_difference(
    pairs: Pairs, bar: float, *, side: Side = "two", level: float = 0.95, factor: float = 1.0, at: float | None = None
) -> Need:
    """Contracts that show a difference like this one to be on its side of the bar; or one that is `at` something."""
    value = pairs.values[0] - factor * pairs.values[1] if pairs.values else 0.0
    truth = value if at is None else at
    is_same = bool((pairs.sums[0] == pairs.sums[1]).all())

    def reach(copies: int) -> float:
        made = difference(repeated(pairs, copies), level, side, factor)
        return _reach(made, below=truth > bar, is_certain=is_same)

    return _need(reach, abs(truth - bar), len(pairs.tuned))


def for_ratio(pairs: Pairs, bar: float) -> Need:
    """Contracts that show a ratio of rates like this one to be on its side of the bar, on the log scale."""
    value = rate_ratio(pairs).value
    assert value is not None
    if value == 0:
        return _need(lambda copies: rate_ratio(repeated(pairs, copies)).high or math.inf, bar, len(pairs.tuned))

    def reach(copies: int) -> float:
        made = rate_ratio(repeated(pairs, copies))
        low, high = (math.log(bound / value) if bound else None for bound in (made.low, made.high))
        logs = Estimate(value=0.0, low=low, high=high, level=made.level)
        return _reach(logs, below=value > bar, is_certain=False)

    return _need(reach, abs(math.log(value / bar)), len(pairs.tuned))


def repeated(pairs: Pairs, times: int) -> Pairs:
    """As if `times` as many contracts like these had been seen."""
    return replace(pairs, tuned=pairs.tuned.repeated(times), baseline=pairs.baseline.repeated(times))


def _reach(made: Estimate, below: bool, is_certain: bool) -> float:
    """Distance from value to bar at which the bound, four times of five, is on the value's side of it.

    Infinite where there is no bound. A value that is certain to be seen again needs no more than its bound.
    """
    if made.value is None or made.low is None or made.high is None:
        return math.inf
    bound = made.value - made.low if below else made.high - made.value
    error = (made.high - made.low) / (2 * critical(made.level, made.side))
    return bound + (0.0 if is_certain else critical(POWER, "lower") * error)


def _need(reach: Callable[[int], float], gap: float, rows: int) -> Need:
    apart = last = reach(1)
    if gap <= 0:
        return Need(None, apart)
    copies = 1
    while last > gap and (copies * rows < MOST_ROWS or not math.isfinite(last)) and copies < MOST_ROWS:
        now = reach(2 * copies)
        if now <= gap < last:
            if now <= 0 or not math.isfinite(last):
                return Need(2.0 * copies, apart)
            return Need(copies * (last / gap) ** (1 / math.log2(last / now)), apart)
        last, copies = now, 2 * copies
    if not math.isfinite(last):
        return Need(None, apart)
    return Need(copies * max(1.0, last / gap) ** 2, apart)
