"""How what a metric counts lies in contracts, and how its errors gather there. Knows no rule and no record."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from harness.stats import power, spread
from harness.stats.intervals import Array


@dataclass(frozen=True)
class Design:
    """How what a metric counts lies in contracts."""

    contracts: int
    sizes: tuple[tuple[int, float], ...] = ((1, 1.0),)
    """Units (cases, or claims of a ratio's denominator) of a contract, and the share of contracts with so many."""
    icc: float = 0.0
    """Correlation of two units of one contract."""

    @cached_property
    def per_contract(self) -> float:
        """Mean units a contract."""
        return sum(size * share for size, share in self.sizes)

    @cached_property
    def units(self) -> int:
        """All units."""
        return max(1, round(self.contracts * self.per_contract))

    @cached_property
    def weighted_size(self) -> float:
        """Units of the contract that a unit lies in, on average: sum of squares over sum."""
        return sum(size * size * share for size, share in self.sizes) / self.per_contract

    @property
    def is_plain(self) -> bool:
        """Every contract is one case that counts one unit."""
        return all(size == 1 for size, _ in self.sizes)

    @property
    def effective(self) -> float:
        """Contracts of one size that tell as much: all units over those of the contract that a unit is in."""
        return self.contracts * self.per_contract / self.weighted_size

    @cached_property
    def freedom(self) -> float:
        """Degrees of freedom of the judge's t."""
        sizes, shares = np.array(self.sizes).T
        return spread.freedom(sizes / (self.contracts * self.per_contract), shares * self.contracts)

    @property
    def deff(self) -> float:
        """Design effect that size and correlation imply."""
        return power.design_effect(self.weighted_size, self.icc)

    def events(self, rate: float) -> Array:
        """Probability that a contract holds 0, 1, 2 ... units with an event: beta-binomial, mixed over sizes."""
        found = np.zeros(max(size for size, _ in self.sizes) + 1)
        for size, share in self.sizes:
            found[: size + 1] += share * _beta_binomial(size, rate, self.icc)
        return found


def design_of(units: Array, icc: float) -> Design:
    """The design of contracts with these many units each; contracts without any are no part of it."""
    counted = np.rint(units[units > 0.5]).astype(int)
    sizes, times = np.unique(counted, return_counts=True)
    shares = tuple((int(s), float(t) / len(counted)) for s, t in zip(sizes, times, strict=True))
    return Design(contracts=len(counted), sizes=shares, icc=icc)


def _beta_binomial(size: int, rate: float, icc: float) -> Array:
    """Probabilities of 0..size events with mean `rate` and correlation `icc` (Skellam 1948); binomial where it is 0."""
    k = np.arange(size + 1)
    if not 0 < rate < 1 or icc <= 0:
        return np.asarray(special.bdtr(k, size, rate) - np.where(k > 0, special.bdtr(k - 1, size, rate), 0))
    spread = (1 - icc) / icc
    a, b = rate * spread, (1 - rate) * spread
    logs = special.gammaln(size + 1) - special.gammaln(k + 1) - special.gammaln(size - k + 1)
    found: Array = np.exp(logs + special.betaln(k + a, size - k + b) - special.betaln(a, b))
    return found
