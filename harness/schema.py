"""Every noun of tunegate, in the order in which data flows. Holds no behaviour beyond checks and look-ups.

All structs are frozen and keyword-only, and refuse unknown fields. Offsets are Unicode code points. One long file, so
that the project's vocabulary can be read from top to bottom.
"""

import math
from typing import Any, Literal

from msgspec import Struct, field

SCHEMA_VERSION = 1
BASELINE = "baseline"
CANDIDATE = "tuned"
FLOOR = "keyword_floor"
ACCEPTED = "accepted"
"""Given for a baseline: each suite's own baseline.json."""

Outcome = Literal["pass", "fail", "inconclusive", "skipped", "error"]
Rule = Literal["at_least", "at_most", "improves", "no_worse", "reduces", "never"]
Side = Literal["two", "lower", "upper"]


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with its right answer: a line of cases.jsonl."""

    id: str
    """Stable name, unique in its suite; runs are joined on it."""
    input: dict[str, str]
    """Variables of the prompt template; `document` is the source that an answer must be grounded in."""
    expected: list[str]
    """The right answer as its scorers define it: the clause types present, or the accepted answers. [] means none."""
    cluster: str
    """The contract (or other source) the case comes from; cases of one cluster share errors."""
    tags: dict[str, str] = field(default_factory=dict)
    """Slice names to slice values, and other labels that case tests select on."""

    @property
    def document(self) -> str:
        """The source text that an answer must be grounded in, or the empty string."""
        return self.input.get("document", "")


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an answer is decoded, and what it is held to."""

    max_tokens: int
    """Most tokens an answer may have."""
    temperature: float = 0.0
    """0 is greedy."""
    seed: int = 0
    """Seed of the request; repeats add their index to it."""
    stop_ids: tuple[int, ...] = ()
    """Token ids that end an answer; all end-of-sequence ids of the model."""
    logprobs: bool = False
    """Ask for the log probability of each generated token (the canary does)."""
    logprob_ids: tuple[int, ...] = ()
    """Token ids whose log probabilities at the first generated position are asked for: the options of a question."""
    choice: tuple[str, ...] = ()
    """Texts, one of which the answer must be; none leaves it free."""
    json_schema: str = ""
    """JSON text of a schema that the answer must obey; empty leaves it free. Models write fields in its order."""

    def __post_init__(self) -> None:
        if self.choice and self.json_schema:
            raise ValueError("an answer is held to a choice or to a JSON schema, not to both")

    @property
    def structure(self) -> dict[str, Any]:
        """What the answer is held to, in vLLM's words: {} where it is free."""
        if self.choice:
            return {"choice": list(self.choice)}
        return {"json": self.json_schema} if self.json_schema else {}


class Prompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rendered question, as every engine and variant receives it."""

    text: str
    """The text after the chat template."""
    ids: tuple[int, ...]
    """Token ids of `text`; what every engine and variant receives."""
    template_hash: str
    """Hash of the suite's template and the model's chat template together."""


class Checkpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anything that answers: what the user named, and by which content it is known."""

    name: str
    """What the user wrote: hub id, folder or alias."""
    kind: Literal["model", "adapter", "endpoint", "scripted", "accepted"]
    """A whole model, a PEFT adapter over a base model, a model that a server answers for, a rule that answers without a
    model, or scores kept of one."""
    path: str
    """Absolute folder of the model; for an adapter, of its base model; for an endpoint, of the tokenizer that renders
    its prompts; empty when scripted."""
    adapter_path: str | None = None
    """Absolute folder of the adapter."""
    digest: str
    """Content digest of weights, adapter and tokenizer: equal digests mean equal answers. An endpoint's weights are not
    known, so its digest is of name and tokenizer, and says nothing of answers."""
    base_digest: str = ""
    """Content digest of the model folder alone."""
    adapter_digest: str | None = None
    """Content digest of adapter_config.json and adapter_model.safetensors."""
    tokenizer_digest: str = ""
    """Content digest of tokenizer and chat template."""


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question to one variant, as an engine takes it."""

    key: str
    """Digest of weights, adapter, engine and version, ids, sampling and repeat: the answer cache's key."""
    ids: tuple[int, ...]
    """Prompt token ids."""
    sampling: Sampling
    """How to decode."""
    variant: str
    """`baseline`, `tuned` or a name; resolves to a Checkpoint."""


class Completion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came back for one request: a text, or the reason why there is none."""

    key: str
    """The request it answers."""
    text: str
    """The generated text, never altered."""
    finish_reason: Literal["stop", "length", "error"]
    """`stop`: an end token; `length`: cut at max_tokens; `error`: no usable answer."""
    prompt_tokens: int
    """Tokens of the prompt."""
    output_tokens: int
    """Tokens generated."""
    latency_ms: float | None = None
    """Wall time of this request where the engine knows it."""
    output_ids: tuple[int, ...] = ()
    """Generated token ids; filled for requests that ask for logprobs."""
    logprobs: tuple[float, ...] = ()
    """Natural log probability of each generated token; filled when asked for."""
    option_logprobs: tuple[float, ...] = ()
    """Natural log probability of each of the request's `logprob_ids`, in their order; empty where none were asked."""
    error: str | None = None
    """What went wrong, set exactly when finish_reason is `error`."""


class SourceSpan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in a source text."""

    doc_id: str
    """The cluster or document id."""
    start: int
    """First code point in the source text."""
    end: int
    """One past the last code point in the source text."""


class Span(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place in an answer with what a scorer found there: the evidence of a score."""

    start: int
    """First code point in the completion's text."""
    end: int
    """One past the last code point in the completion's text."""
    quote: str
    """`text[start:end]`, as a check."""
    kind: str
    """clause, citation, money, percent, date, duration, count ..."""
    verdict: str
    """supported, ungrounded, invented, missing ..."""
    reason: str = ""
    """Why, in words a reader understands."""
    source: SourceSpan | None = None
    """Where the source supports or contradicts it."""


class Score(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One scorer's finding on one answer."""

    name: str
    """The scorer family: `clauses`, `citations`, `figures` ..."""
    value: float | None
    """The scorer's headline number for this completion, or None when unscored."""
    reason: str | None = None
    """Why there is no value; set exactly when value is None."""
    extracted: dict[str, list[str]] = field(default_factory=dict)
    """Named findings: `found`, `missing`, `invented` ...; readable as attributes of the score."""
    counts: dict[str, int] = field(default_factory=dict)
    """Named counts that metrics are built from; readable as attributes of the score."""
    spans: list[Span] = field(default_factory=list)
    """Evidence in the completion."""
    failed: bool = False
    """The scorer raised: no value, and, like an engine error, counted against the claim being made."""

    def __post_init__(self) -> None:
        if self.value is None and not self.reason:
            raise ValueError(f"score '{self.name}' has no value and gives no reason")
        if self.value is not None and (self.reason or not math.isfinite(self.value)):
            raise ValueError(
                f"score '{self.name}' must be finite, and without a reason, or None with one: {self.value}"
            )

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            for table in (self.extracted, self.counts):
                if name in table:
                    return table[name]
        raise AttributeError(f"score has neither field, finding nor count named '{name}'")


class Scores(dict[str, Score]):
    """Scores of one record by scorer name; `record.scores.clauses` reads as `record.scores["clauses"]`."""

    def __getattr__(self, name: str) -> Score:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no scorer named '{name}' ran; scored: {', '.join(self) or 'none'}") from None


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One answer of one variant to one case."""

    case: Case
    """The case as it was asked."""
    variant: str
    """Which checkpoint answered."""
    repeat: int = 1
    """1 for the first answer, 2 and up for repeats."""
    input_hash: str
    """Hash of the case's input."""
    prompt_hash: str
    """Hash of the prompt's token ids."""
    expected_hash: str
    """Hash of the expected answer."""
    completion: Completion
    """What came back; finish_reason `error` carries the error."""
    scores: dict[str, Score] = field(default_factory=dict)
    """By scorer name; a `Scores` in memory."""
    started_at: str = ""
    """UTC time, ISO 8601."""
    text_kept: bool = True
    """False where only the scores were kept, as in an accepted baseline; the completion's text is empty then."""

    @property
    def error(self) -> str | None:
        return self.completion.error


RecordKey = tuple[str, str, str, int]
"""Suite, case id, variant and repeat: what tells one record of a run from another."""


class ScoreEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One finding on one record: a line of scores.jsonl, or one that a scorer, a judge or a person added later."""

    suite: str
    """Joins to the record."""
    case_id: str
    """Joins to the record."""
    variant: str
    """Joins to the record."""
    repeat: int
    """Joins to the record."""
    kind: Literal["code", "judge", "human"] = "code"
    """Who found it."""
    score: Score
    """The finding."""
    author: str = ""
    """The scorer's version, the judge's content digest, or the reviewer's id."""
    rubric: str = ""
    """Hash of the question that a judge or a person answered."""
    at: str = ""
    """UTC time, ISO 8601; empty in the run's own scores."""
    supersedes: bool = False
    """An earlier finding of the same kind and family on this record no longer counts; it is kept."""


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
    kind: Literal["ratio", "mean", "macro_f1", "macro_recall"] = "ratio"
    """`mean` averages the scores' own values; `macro_f1` and `macro_recall` average over labels, from the found,
    missing and invented lists."""
    worst: float | None = None
    """Of a `mean`: the worst value that a score can have, which is what a failed answer counts as."""
    best: float | None = None
    """Of a `mean`: the best value that a score can have."""
    labels: tuple[str, ...] = ()
    """The closed list that a mean over labels is about, so that those it must leave out can be named."""
    says: str = ""
    """One plain sentence for readers of a report."""

    def __post_init__(self) -> None:
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
    """A number with its interval, and with what is behind it."""

    value: float | None
    """The number, or None when not measured."""
    low: float | None = None
    """Lower end of the interval."""
    high: float | None = None
    """Upper end of the interval."""
    n: int = 0
    """Cases (or claims, for a ratio's denominator) behind it."""
    clusters: int = 0
    """Independent sources behind it."""
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
    """Records in it that the engine failed on."""
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
        return f"{self.value:.3f}{bounds} n={self.n} ({self.clusters} contracts, {self.method}{eff})"


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
    """Exact McNemar, or cluster sign-flip where a contract has several cases."""
    test: str = ""
    """Which test gave the p value."""


class Gate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[gate]]` of gates.toml."""

    metric: str
    """Metric name."""
    rule: Rule
    """How it is judged."""
    value: float | None = None
    """Bar of at_least and at_most."""
    margin: float = 0.0
    """improves: at least this much better; no_worse: at most this much worse."""
    unit: Literal["points", "relative"] = "points"
    """Unit of the margin of improves."""
    ratio: float | None = None
    """reduces: tuned over baseline must be shown to be at most this."""
    slice: str | None = None
    """Judge every value of this tag separately."""
    values: list[str] | None = None
    """Judge these values of the slice only."""
    n_min: int = 0
    """Fewest cases to judge on."""


class Objective(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[objective]` of gates.toml."""

    text: str
    """The aim in the business's own words."""


class GateFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of gates.toml."""

    objective: Objective
    """What the gates are for."""
    gate: list[Gate]
    """The bars."""


class Verdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one gate came to, for one value of its slice: an entry of verdicts.json."""

    suite: str
    """Suite name."""
    gate: str
    """Stable id of rule and slice, such as `clause_recall-at_least-0.95`."""
    metric: str
    """Metric name."""
    rule: Rule
    """Rule name."""
    slice: str | None = None
    """Slice tag."""
    slice_value: str | None = None
    """Slice value."""
    outcome: Outcome
    """Only `pass` merges."""
    observed: Estimate | None = None
    """The number judged: the rate itself, or the paired difference or ratio."""
    bar: str
    """The bar in words, such as `at least 95.0%`."""
    margin: float | None = None
    """Distance from the deciding bound to the bar; positive is on the passing side."""
    reason: str
    """One sentence."""
    needed: str | None = None
    """What would settle an inconclusive verdict."""


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


class AcceptedInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accepted baseline that a run stood a suite against, or that there was none to stand it against."""

    digest: str = ""
    """Digest of baseline.json's content; empty where the suite has none."""
    model: str = ""
    """Name of the model that was accepted."""
    accepted_at: str = ""
    """UTC time, ISO 8601."""
    run_id: str = ""
    """The run that was accepted."""
    unlike: list[str] = field(default_factory=list)
    """What in cases, prompt or scorers has changed since; any of it makes the two incomparable."""

    @property
    def says(self) -> str:
        """What the terminal and the report call it."""
        return f"accepted baseline of {self.accepted_at[:10]}, model {self.model}"


class NoiseFloor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far one metric moves when the same checkpoint is asked twice."""

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
    """Upper end of it."""
    cases: int
    """Cases behind it."""
    contracts: int
    """Independent sources behind it."""
    flips: int
    """Cases whose score is not the same in both passes."""

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
    """What was asked twice."""
    passes: list[str]
    """What told the two passes apart, such as `batch 1`."""
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
    """Answers a case, averaged inside the case."""
    floors: list[NoiseFloor]
    """By metric and slice value."""

    def of(self, metric: str, tag: str | None, value: str | None) -> NoiseFloor | None:
        """The floor of one metric on one slice value."""
        return next((f for f in self.floors if (f.metric, f.slice, f.slice_value) == (metric, tag, value)), None)


class SuiteInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a run records of a suite, so that two runs can be told apart."""

    name: str
    """Domain and folder, such as `legal/clauses`."""
    title: str
    """First line of the suite's docstring."""
    shape: str
    """Task shape: `clause given`, `excerpt` or `whole contract`; metrics of two shapes are never compared."""
    objective: str
    """The aim in the business's own words."""
    cluster: str
    """What a cluster is called, such as `contract`."""
    cases: int
    """Cases in the suite."""
    asked: int
    """Cases asked in this run."""
    hash: str
    """Hash of everything below together."""
    cases_hash: str
    """Hash of the cases."""
    prompt_hash: str
    """Hash of the prompt template."""
    gates_hash: str
    """Hash of gates.toml."""
    scorers_hash: str
    """Hash of the scorers' names and source."""
    scorers: dict[str, str] = field(default_factory=dict)
    """Version of each scorer by its name: a hash of its source, of what it uses, and of its configuration."""
    metrics: list[Metric]
    """Metrics that its scorers offer."""
    slices: list[str]
    """Slice tags."""
    licence: str = ""
    """Licence of the cases."""
    samples: int = 1
    """Answers a case and variant, averaged inside the case."""
    temperature: float = 0.0
    """Of the answers; 0 is greedy."""
    left_out: list[str] = field(default_factory=list)
    """Ids of the cases longer than the model's context."""
    accepted: AcceptedInfo | None = None
    """The accepted baseline; None where a model was asked, or no baseline was wanted."""
    noise: Noise | None = None
    """The noise that its margins were held against; None where none is known for this engine and these cases."""


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """run.json: what ran, with what. Holds no values of environment variables, and no command line but a server's."""

    schema_version: int = SCHEMA_VERSION
    """Version of this layout."""
    run_id: str
    """Name of the run folder."""
    kind: Literal["eval", "train", "merge", "serve"]
    """What was done."""
    status: Literal["running", "finished", "failed", "interrupted"]
    """How it ended."""
    started: str
    """UTC time, ISO 8601."""
    ended: str | None = None
    """UTC time, ISO 8601."""
    git: dict[str, str | bool | None] = field(default_factory=dict)
    """commit, dirty."""
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    """By variant."""
    suites: list[SuiteInfo] = field(default_factory=list)
    """Suites asked."""
    sampling: dict[str, int | float] = field(default_factory=dict)
    """temperature, seed, repeats."""
    engine: dict[str, Any] = field(default_factory=dict)
    """name, version, dtype, route, arguments, canary, seconds and tokens."""
    env: dict[str, Any] = field(default_factory=dict)
    """Python, packages, cpu, cores, memory, device."""
    training: dict[str, Any] | None = None
    """kind train: config, data hashes, rows, tokens, best step, rates."""
    parent_run_id: str | None = None
    """The training run whose adapter is evaluated."""
    notes: list[str] = field(default_factory=list)
    """Sentences a reader must know, such as a filter that made the run partial."""
    moved: list[str] = field(default_factory=list)
    """Sentences on every bar, case, prompt or scorer that differs from the accepted baseline or from `--bars`."""
    redacted: dict[str, int] = field(default_factory=dict)
    """How many places were masked before they were written, by kind of secret."""

    @property
    def asked_twice(self) -> bool:
        """Baseline and tuned are the same checkpoint, both asked: their differences are noise, and no claim."""
        found = [self.checkpoints.get(variant) for variant in (BASELINE, CANDIDATE)]
        return all(c and c.kind != "accepted" for c in found) and len({c.digest for c in found if c}) == 1
