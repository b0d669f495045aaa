"""How many cases a claim needs, and what a number of cases can show, by formula. Knows no gate and no wording.

Numbers are plans from what was observed or assumed, so they are rough; a caller rounds them. `chances` holds the
exact probabilities of passing.
"""

import math

from harness.schema import Estimate, Side
from harness.stats.intervals import critical, exact_near_end, upper_for_share, wilson

POWER = 0.80
MOST_CASES = 10_000_000
"""A plan beyond this is no plan."""


def standard_error(found: Estimate) -> float | None:
    """Standard error behind a symmetric interval, by the normal quantile of its level."""
    if found.low is None or found.high is None:
        return None
    return (found.high - found.low) / (2 * critical(found.level, found.side))


def smallest_visible(se: float, side: Side, level: float = 0.95, power: float = POWER) -> float:
    """Smallest true difference that is seen with this power: (z_{1-a} + z_{power}) * SE."""
    return (critical(level, side) + critical(power, "lower")) * se


def cases_for_gap(
    se: float, cases: int, gap: float, side: Side, level: float = 0.95, power: float = POWER
) -> int | None:
    """Cases that show a gap of this size: n * ((z_{1-a} + z_{power}) * SE / gap)^2, clustering kept as it is.

    None where the gap is 0 or the standard error tells nothing.
    """
    if gap == 0 or se == 0:
        return None
    return _plan(cases * (smallest_visible(se, side, level, power) / gap) ** 2)


def errors_allowed(
    n: int, bar: float, level: float = 0.95, n_eff: float | None = None, df: float | None = None
) -> int | None:
    """Most errors in n cases with the one-sided bound of `intervals.proportion` still at or over `bar`, or None.

    The bound is taken at `n_eff` cases and with t(df), as for clustered cases; left out, the cases are independent.
    """
    worth = n_eff or n

    def holds(errors: int) -> bool:
        share = (n - errors) / n
        return exact_near_end(wilson(share, worth, level, "lower", df), share, worth, level, "lower")[0] >= bar

    if n < 1 or not holds(0):
        return None
    most, too_many = 0, n + 1
    while too_many - most > 1:
        middle = (most + too_many) // 2
        most, too_many = (middle, too_many) if holds(middle) else (most, middle)
    return most


def design_effect(units: float, icc: float) -> float:
    """Factor on the variance of a mean when `units` of one cluster correlate by `icc`: 1 + (m - 1) * rho.

    Source: Kish, Survey Sampling (1965). For clusters of unequal size m is the sum of squares over the sum.
    """
    return 1 + max(0.0, units - 1) * icc


def log_ratio_variance(baseline: float, tuned: float, correlation: float) -> float:
    """Variance of ln(tuned rate / baseline rate) over paired 0/1 cases, times the number of cases: delta method.

    (1-p1)/p1 + (1-p0)/p0 - 2r * sqrt((1-p1)(1-p0) / (p1 p0)), with r no larger than two such rates can have.
    """
    odds = [(1 - p) / p for p in (tuned, baseline)]
    return sum(odds) - 2 * _possible(correlation, baseline, tuned) * math.sqrt(odds[0] * odds[1])


def ratio_variance(baseline: float, tuned: float, bar: float, correlation: float) -> float:
    """Variance of tuned score - bar * baseline score of one case, both 0 or 1."""
    one, other = tuned * (1 - tuned), bar * bar * baseline * (1 - baseline)
    return one + other - 2 * _possible(correlation, baseline, tuned) * math.sqrt(one * other)


def _possible(correlation: float, *rates: float) -> float:
    """The correlation, or the highest that 0/1 scores with these two rates can have: the root of their odds ratio."""
    low, high = min(rates), max(rates)
    return min(correlation, math.sqrt(low * (1 - high) / (high * (1 - low)))) if low > 0 and high < 1 else 0.0


def cases_for_cut(baseline: float, ratio: float, bar: float, correlation: float, power: float = POWER) -> int | None:
    """Independent cases that show tuned / baseline to be at most `bar` where it is `ratio`: a gap of logarithms."""
    if not 0 < ratio < bar:
        return None
    se = math.sqrt(log_ratio_variance(baseline, baseline * ratio, correlation))
    return cases_for_gap(se, 1, math.log(ratio / bar), "two", power=power)


def contracts_for_few_flips(worse: int, changed: int, contracts: int, margin: float, each: float = 1.0) -> int | None:
    """Contracts at which the few-flips guard lets 'no worse' pass, at the observed shares; None where it never does.

    Either the exact bound of the share of worse contracts falls under the margin, or 20 contracts have changed. A
    contract counts as `each` of one size.
    """
    plans = []
    if changed:
        plans.append(math.ceil(20 * contracts / changed))
    share = worse / contracts
    if share < margin:
        size = contracts
        while size < MOST_CASES and upper_for_share(math.floor(share * size) * each, size * each) >= margin:
            size = math.ceil(size * 1.02)
        plans.append(size)
    return min(plans) if plans else None


def _plan(cases: float) -> int | None:
    return math.ceil(cases - 1e-9) if cases < MOST_CASES else None
