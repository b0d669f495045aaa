"""How many cases a claim needs, with 80% power. Knows no gate and no wording.

Numbers are plans from what was observed, so they are rough; a caller rounds them.
"""

import math

from harness.schema import Estimate, Side
from harness.stats.intervals import critical, upper_for_share, wilson

POWER = 0.80
MOST_CASES = 10_000_000
"""A plan beyond this is no plan."""


def standard_error(found: Estimate) -> float | None:
    """Standard error behind a symmetric interval, by the normal quantile of its level."""
    if found.low is None or found.high is None:
        return None
    return (found.high - found.low) / (2 * critical(found.level, found.side))


def smallest_visible(se: float, side: Side, level: float = 0.95) -> float:
    """Smallest true difference that is seen with 80% power: (z_{1-a} + z_{.80}) * SE."""
    return (critical(level, side) + critical(POWER, "lower")) * se


def cases_for_gap(se: float, cases: int, gap: float, side: Side, level: float = 0.95) -> int | None:
    """Cases that show a gap of this size: n * ((z_{1-a} + z_{.80}) * SE / gap)^2, clustering kept as it is.

    None where the gap is 0 or the standard error tells nothing.
    """
    if gap == 0 or se == 0:
        return None
    return _plan(cases * (smallest_visible(se, side, level) / gap) ** 2)


def independent_for_rate(rate: float, bar: float, level: float = 0.95) -> int | None:
    """Independent cases whose one-sided Wilson bound separates `rate` from `bar` with 80% power."""
    if rate == bar:
        return None
    z, power = critical(level, "lower"), critical(POWER, "lower")
    spread = z * math.sqrt(max(0.0, bar * (1 - bar))) + power * math.sqrt(max(0.0, rate * (1 - rate)))
    return _plan((spread / (rate - bar)) ** 2)


def errors_allowed(n: int, bar: float, level: float = 0.95) -> int | None:
    """Most errors in n independent cases with the one-sided Wilson bound still at or over `bar`; None where none is."""
    allowed = None
    for errors in range(n + 1):
        if wilson((n - errors) / n, n, level, "lower")[0] < bar:
            break
        allowed = errors
    return allowed


def contracts_for_few_flips(worse: int, changed: int, contracts: int, margin: float) -> int | None:
    """Contracts at which the few-flips guard lets 'no worse' pass, at the observed shares; None where it never does.

    Either the exact bound of the share of worse contracts falls under the margin, or 20 contracts have changed.
    """
    plans = []
    if changed:
        plans.append(math.ceil(20 * contracts / changed))
    share = worse / contracts
    if share < margin:
        size = contracts
        while size < MOST_CASES and upper_for_share(math.floor(share * size), size) >= margin:
            size = math.ceil(size * 1.02)
        plans.append(size)
    return min(plans) if plans else None


def cases_for_ratio(found: Estimate, cases: int, bar: float) -> int | None:
    """Cases at which a ratio of rates like this one is separated from `bar`, on the log scale."""
    if found.value is None or found.high is None or found.value == bar or bar <= 0:
        return None
    if found.value == 0 or not found.low:
        return _plan(cases * found.high / bar) if found.value < bar else None
    se = (math.log(found.high) - math.log(found.low)) / (2 * critical(found.level, "two"))
    return cases_for_gap(se, cases, math.log(found.value / bar), "two", found.level)


def _plan(cases: float) -> int | None:
    return math.ceil(cases - 1e-9) if cases < MOST_CASES else None
