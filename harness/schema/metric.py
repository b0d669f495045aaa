"""Numbers over many answers, with their intervals, and metrics.json and noise.json, which hold them."""

import math
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct, field

NEUTRAL = frozenset(
    {("given", "answer_words"), ("facts", "claims_per_answer"), ("terms", "compression"), ("plain", "length_share")}
)
"""Scorer and name of the shipped neutral metrics; a list, since the metrics of older runs have no field for it."""
Better = Literal["higher", "lower", ""]
Side = Literal["two", "lower", "upper"]


class Metric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number over many records, a ratio of sums of counts or a mean: what gates and reports speak of."""

    name: str
    """Name in gates.toml, such as `clause_recall`."""
    scorer: str
    """Scorer whose counts it reads."""
    numerator: str
    """Count summed above the line; for means over labels the count that one record shows, where there is one; empty for
    a `mean`."""
    denominator: str | None = None
    """Count summed below the line; None counts each scored record once."""
    higher_is_better: bool = True
    """Direction of improvement."""
    neutral: bool | None = None
    """Neither direction is better, as for a length; a gate gives it its own. None: only a shipped length or count."""
    kind: Literal["ratio", "mean", "macro_f1", "macro_recall"] = "ratio"
    """`mean` averages the scores' own values; `macro_f1` and `macro_recall` average over labels, from the found,
    missing and invented lists."""
    worst: float | None = None
    """Of a `mean`: the worst value that a score can have, which is what a failed answer counts as."""
    best: float | None = None
    """Of a `mean`: the best value that a score can have."""
    unbounded: bool = False
    """Of a `ratio`: it can be more than 1, such as words per answer. Otherwise it is a share, and so are thresholds."""
    most: float = 5.0
    """Of an `unbounded` ratio: how much one answer may add above the line without having been seen to, which bounds
    what few answers with an event leave open; at least the largest seen counts."""
    labels: tuple[str, ...] = ()
    """The closed list that a mean over labels is about, so that those it must leave out can be named."""
    says: str = ""
    """One plain sentence for readers of a report."""

    def __post_init__(self) -> None:
        if self.unbounded and self.kind != "ratio":
            raise ValueError(f"metric '{self.name}': unbounded is for kind 'ratio', not '{self.kind}'")
        if not (self.most > 0 and math.isfinite(self.most)):
            raise ValueError(f"metric '{self.name}': most is a number over 0, not {self.most:g}")
        if self.kind == "ratio" and self.numerator == self.denominator:
            raise ValueError(f"metric '{self.name}': '{self.numerator}' divided by itself is always 1")
        limits = [limit for limit in (self.worst, self.best) if limit is not None]
        if self.kind != "mean":
            if limits:
                raise ValueError(f"metric '{self.name}': worst and best are for kind 'mean', not '{self.kind}'")
        elif len(limits) < 2 or not all(math.isfinite(limit) for limit in limits) or limits[0] == limits[1]:
            raise ValueError(f"metric '{self.name}': a mean needs a finite worst and another finite best: {limits}")
        elif (limits[1] > limits[0]) != self.higher_is_better:
            raise ValueError(
                f"metric '{self.name}': higher_is_better is {self.higher_is_better}, worst and best {limits}"
            )

    @property
    def better(self) -> Better:
        """The direction that counts as better; empty for a neutral metric."""
        is_neutral = (self.scorer, self.name) in NEUTRAL if self.neutral is None else self.neutral
        return "" if is_neutral else "higher" if self.higher_is_better else "lower"

    @property
    def over_labels(self) -> bool:
        """It averages over labels, not over cases."""
        return self.kind not in ("ratio", "mean")

    @property
    def limits(self) -> tuple[float, float]:
        """Least and greatest value; (0, 1) where they are not stated."""
        worst, best = (0.0 if self.worst is None else self.worst), (1.0 if self.best is None else self.best)
        return min(worst, best), max(worst, best)

    @property
    def is_share(self) -> bool | None:
        """Whether it lies in [0, 1] by definition; None where only the cases can tell, as for a ratio of counts."""
        return None if self.kind == "ratio" else self.limits == (0.0, 1.0)

    def is_percentage(self, values: Iterable[float | None] = ()) -> bool:
        """Whether it is written in percent: a share by definition, or a ratio of which no value exceeds 1."""
        if self.unbounded or self.is_share is not None:
            return self.is_share is True
        return all(value is None or value <= 1 for value in values)


class Observation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case's contribution to one metric; repeats are averaged before it is made."""

    case_id: str
    """Join key between variants."""
    input_hash: str
    """Second join key."""
    cluster: str
    """Contract."""
    numerator: float
    """Sum above the line."""
    denominator: float
    """Sum below the line; 0 leaves the case out of the ratio."""
    error: bool = False
    """The engine gave no answer; counted against the claim being made."""
    labels: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """True positives, false positives, false negatives by label, for means over labels."""


class Estimate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number with its interval and its sample size."""

    value: float | None
    """The number, or None when not measured."""
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""
    n: int = 0
    """Cases (or claims, for a ratio's denominator) that it counts."""
    clusters: int = 0
    """Clusters that they come from."""
    n_eff: float | None = None
    """Number of independent cases that carry the same information."""
    deff: float | None = None
    """Design effect: n / n_eff before any guard."""
    method: str = ""
    """How the interval was made, with the guard that applied."""
    level: float = 0.95
    """Confidence."""
    side: Side = "two"
    """`two`, or the only bound that is meant."""
    errors: int = 0
    """Records in it without an answer of the engine."""
    unscored: int = 0
    """Records left out, with a reason in their score."""
    seed: int | None = None
    """Seed of a resampling method."""
    reason: str | None = None
    """Why there is no value; set exactly when value is None."""

    def __post_init__(self) -> None:
        for name in ("value", "low", "high", "n_eff", "deff"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"estimate {name} must be finite or None, got {number}")
        if self.value is None and not self.reason:
            raise ValueError("an estimate without a value needs a reason")

    def __repr__(self) -> str:
        if self.value is None:
            return f"not measured ({self.reason})"
        bounds = f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None and self.high is not None else ""
        eff = f", n_eff {self.n_eff:.0f}" if self.n_eff is not None else ""
        return f"{self.value:.3f}{bounds} n={self.n} ({self.clusters} clusters, {self.method}{eff})"


class Comparison(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tuned against baseline on the same cases."""

    metric: str
    """Metric compared."""
    difference: Estimate
    """Tuned minus baseline, paired."""
    ratio: Estimate | None = None
    """Tuned over baseline, where the metric is a rate."""
    wins: int = 0
    """Cases where tuned is better."""
    losses: int = 0
    """Cases where tuned is worse."""
    ties: int = 0
    """Cases where both are equal."""
    changed_clusters: int = 0
    """Contracts whose score changed."""
    worse_clusters: int = 0
    """Contracts that got worse."""
    p_value: float | None = None
    """Exact McNemar, or cluster sign-flip where a cluster has several cases."""
    test: str = ""
    """Which test gave the p value."""


class MetricRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of metrics.json's `metrics`: a metric of one variant, over a whole suite or one slice of it."""

    suite: str
    """Suite name."""
    variant: str
    """Variant name."""
    metric: str
    """Metric name."""
    slice: str | None = None
    """Slice tag, or None for the whole suite."""
    slice_value: str | None = None
    """Slice value."""
    estimate: Estimate
    """The number."""


class ComparisonRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of metrics.json's `comparisons`."""

    suite: str
    """Suite name."""
    slice: str | None = None
    """Slice tag, or None for the whole suite."""
    slice_value: str | None = None
    """Slice value."""
    comparison: Comparison
    """Tuned against baseline."""


class Metrics(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of metrics.json."""

    metrics: list[MetricRow] = field(default_factory=list)
    """Levels, by suite, variant, metric, slice."""
    comparisons: list[ComparisonRow] = field(default_factory=list)
    """Paired differences, where there is a baseline."""

    def level(
        self, suite: str, variant: str, metric: str, tag: str | None = None, value: str | None = None
    ) -> Estimate | None:
        """Return the estimate of one metric of one variant, over a suite or one slice value."""
        key = (suite, variant, metric, tag, value)
        rows = self.metrics
        return next((r.estimate for r in rows if (r.suite, r.variant, r.metric, r.slice, r.slice_value) == key), None)

    def comparison(
        self, suite: str, metric: str, tag: str | None = None, value: str | None = None
    ) -> Comparison | None:
        """Return the paired difference of one metric, over a suite or one slice value."""
        key = (suite, metric, tag, value)
        rows = ((r.comparison, (r.suite, r.comparison.metric, r.slice, r.slice_value)) for r in self.comparisons)
        return next((comparison for comparison, own in rows if own == key), None)


class NoiseFloor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Change of one metric between two passes of the same checkpoint."""

    metric: str
    """Metric name."""
    slice: str | None = None
    """Slice tag, or None for the whole suite."""
    slice_value: str | None = None
    """Slice value."""
    level: float | None
    """The metric in the first pass; None where it is not measured."""
    change: float | None
    """Second pass minus first, paired."""
    low: float | None
    """Lower end of its 95% interval; None where there is none."""
    high: float | None
    """Upper end of its interval."""
    cases: int
    """Cases that it counts."""
    contracts: int
    """Clusters that they come from."""
    flips: int
    """Cases whose score differs between the passes."""

    @property
    def floor(self) -> float | None:
        """Largest change that needs no change of the model: the far end of the interval."""
        return None if self.low is None or self.high is None else max(abs(self.low), abs(self.high))


class Noise(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Noise of one suite by one engine on one family of models: an entry of noise.json."""

    run_id: str
    """The run that measured it."""
    measured_at: str
    """UTC time, ISO 8601."""
    checkpoint: str
    """The checkpoint that was run twice."""
    passes: list[str]
    """Names of the two passes, such as `batch 1`."""
    engine: str
    """Engine name."""
    engine_version: str
    """Engine version."""
    dtype: str
    """Data type of the weights."""
    device: str
    """cpu or cuda."""
    tokenizer_digest: str
    """Tokenizer and chat template: models that share them count as one family."""
    cases_hash: str
    """Hash of the cases."""
    prompt_hash: str
    """Hash of the prompt template."""
    scorers_hash: str
    """Hash of the scorers."""
    samples: int
    """Answers per case, averaged within the case."""
    floors: list[NoiseFloor]
    """By metric and slice value."""

    def of(self, metric: str, tag: str | None, value: str | None) -> NoiseFloor | None:
        """Return the floor of one metric on one slice value."""
        return next((f for f in self.floors if (f.metric, f.slice, f.slice_value) == (metric, tag, value)), None)
