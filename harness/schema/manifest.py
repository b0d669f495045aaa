"""Structs of run.json: the record of a run and its suites."""

from typing import Any, Literal

from msgspec import Struct, field

from harness.schema.case import BASELINE, CANDIDATE, Checkpoint
from harness.schema.metric import Metric, Noise

SCHEMA_VERSION = 1
NO_MERGE = "The run approves no merge."
"""End of a note on what keeps any verdict of a run from approving a merge, such as unknown weights."""


class AcceptedInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The accepted baseline that a suite was compared with, or that there was none."""

    digest: str = ""
    """Digest of baseline.json's content; empty where the suite has none."""
    model: str = ""
    """Name of the model that was accepted."""
    accepted_at: str = ""
    """UTC time, ISO 8601."""
    run_id: str = ""
    """The run that was accepted."""
    unlike: list[str] = field(default_factory=list)
    """Changes of cases, prompt or scorers since; any change makes the two incomparable."""

    own_prompts: bool = False
    """Whether its model has another tokenizer or chat template than the tuned one, and received other token ids."""

    @property
    def is_imported(self) -> bool:
        """Whether another tool generated its answers: the name of the run says so."""
        return self.run_id.split("-")[1:-1] == ["import"]

    @property
    def says(self) -> str:
        """Its name in the terminal and the report."""
        imported = " (imported answers)" if self.is_imported else ""
        return f"accepted baseline of {self.accepted_at[:10]}, model {self.model}{imported}"


class SuiteInfo(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run's record of a suite, for comparing two runs."""

    name: str
    """Domain and folder, such as `legal/clauses`; `legal/clauses (my.jsonl)` where that file has the cases."""
    title: str
    """First line of the suite's docstring."""
    shape: str
    """Task shape: `clause given`, `excerpt` or `whole contract`; metrics of two shapes are never compared."""
    objective: str
    """The aim in the business's own words."""
    cluster: str
    """The noun for a cluster, such as `contract`."""
    cases: int
    """Cases in the suite."""
    asked: int
    """Cases run in this run."""
    hash: str
    """Hash of everything below together."""
    cases_hash: str
    """Hash of the cases."""
    prompt_hash: str
    """Hash of the prompt template."""
    prompt: str = ""
    """Text of the prompt template; empty in runs of older versions."""
    gates_hash: str
    """Hash of gates.toml."""
    scorers_hash: str
    """Hash of the scorers' names and source."""
    scorers: dict[str, str] = field(default_factory=dict)
    """Version of each scorer by its name: a hash of its source, of what it uses, and of its configuration."""
    metrics: list[Metric]
    """Metrics of its scorers."""
    primary: str = ""
    """The declared primary metric; empty where it is the metric of the first gate."""
    general: bool | None = None
    """Whether it checks general abilities that tuning must not lose; None in runs of older versions."""
    slices: list[str]
    """Slice tags."""
    licence: str = ""
    """Licence of the cases."""
    samples: int = 1
    """Answers per case and variant, averaged within the case."""
    temperature: float = 0.0
    """Sampling temperature; 0 is greedy."""
    left_out: list[str] = field(default_factory=list)
    """Ids of the cases longer than the model's context."""
    accepted: AcceptedInfo | None = None
    """The accepted baseline; None where a model was the baseline, or there was none."""
    noise: Noise | None = None
    """The noise that its margins were compared with; None where none was measured for this engine and these cases."""


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of run.json. It has no values of environment variables, and no command line except a server's."""

    schema_version: int = SCHEMA_VERSION
    """Version of this layout."""
    run_id: str
    """Name of the run folder."""
    kind: Literal["eval", "train", "merge", "serve"]
    """Kind of run."""
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
    """Suites that were run."""
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
    """Sentences that readers must know, such as a filter that made the run partial."""
    moved: list[str] = field(default_factory=list)
    """Sentences on every gate, case, prompt or scorer that differs from the accepted baseline or from `--bars`, and on
    gates that are easier than in an earlier run, and on cases and scorers that changed since a run that did not
    pass."""
    redacted: dict[str, int] = field(default_factory=dict)
    """Number of masked places, by kind of secret."""

    def own_prompts(self, suite: SuiteInfo) -> bool:
        """Whether baseline and tuned have different tokenizers or chat templates, so that their prompts differ."""
        if suite.accepted:
            return suite.accepted.own_prompts
        pair = (self.checkpoints.get(variant) for variant in (BASELINE, CANDIDATE))
        return len({c.tokenizer_digest for c in pair if c and c.tokenizer_digest}) > 1

    @property
    def no_merge(self) -> str:
        """What keeps every verdict of the run from approving a merge; empty where nothing does."""
        if self.asked_twice:
            return "compared a model with itself"
        models = [self.checkpoints[variant] for variant in (CANDIDATE, BASELINE) if variant in self.checkpoints]
        notes = [note.removesuffix(f". {NO_MERGE}") for note in self.notes if note.endswith(NO_MERGE)]
        named = [info.name for info in self.suites if any(note.startswith(f"{info.name}: ") for note in notes)]
        if 0 < len(named) < len(self.suites):  # The other suites' verdicts may approve one.
            notes = [note for note in notes if not note.startswith(tuple(f"{name}: " for name in named))]
        return next(filter(None, [*(model.no_merge for model in models), *notes]), "")

    @property
    def is_imported(self) -> bool:
        """Whether another tool generated the answers."""
        return any(checkpoint.kind == "imported" for checkpoint in self.checkpoints.values())

    @property
    def asked_twice(self) -> bool:
        """Whether baseline and tuned are the same checkpoint, so that their differences are noise."""
        pair = [self.checkpoints.get(variant) for variant in (BASELINE, CANDIDATE)]
        return all(c and c.kind != "accepted" for c in pair) and len({c.digest for c in pair if c}) == 1
