"""How much better the best of several looks by chance alone. Knows no sweep."""

from __future__ import annotations

import math

from harness.schema import Estimate

FURTHEST = 12.0
"""Standard deviations; a normal beyond them adds nothing that a double can hold."""


def expected_best(count: int) -> float:
    """Mean of the largest of `count` independent standard normals; 0 for one.

    It is the integral of x * k * phi(x) * Phi(x)^(k - 1): the mean of the highest order statistic (David and Nagaraja,
    Order Statistics, 3rd edition, 2003, section 3.1).
    """
    if count < 2:
        return 0.0
    from scipy import integrate, special

    def density(x: float) -> float:
        return x * count * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * float(special.ndtr(x)) ** (count - 1)

    found, _ = integrate.quad(density, -FURTHEST, FURTHEST, limit=200, epsabs=1e-10)
    return float(found)


def standard_error(found: Estimate) -> float | None:
    """Half of the interval in normal quantiles; None where there is no interval."""
    from harness.stats.intervals import critical

    if found.low is None or found.high is None:
        return None
    return (found.high - found.low) / 2 / critical(found.level)
