"""`tunegate models`: candidate bases by size, context, licence, memory, serving engines and own scores.

Sizes and memory are computed from shapes, licence and support come from known_models.toml, and scores from runs on this
machine. It loads no weights and does not access the hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.table import Table

from harness.engines import usage
from harness.runs import folder as runs_folder
from harness.schema import Manifest
from training.config import Config, Data
from training.estimate import fit, known_models, memory, shapes
from training.estimate.duration import finished_runs
from training.estimate.fit import METHODS, Fit
from training.estimate.known_models import FoundConfig
from training.estimate.memory import CACHED_TOKENS, Pass
from training.estimate.report import CHECKPOINTED, gib, millions, text

REFERENCE = Config(base="", data=Data(train=[]))
"""The settings for the memory estimates: the defaults, so that `tunegate plan` of a default configuration agrees."""
REFERENCE_PASS = Pass(tokens=REFERENCE.data.max_length, answers=REFERENCE.data.max_length // 8)
"""The largest pass of the defaults: one row of data.max_length tokens, an eighth of which are learnt."""
BY_HAND = "not in known_models.toml: read the licence"


class MeasuredModel(Struct, frozen=True, kw_only=True):
    """The score of a base, or of an adapter on it, in one suite."""

    suite: str
    """Suite name."""
    metric: str
    """The metric of its first gate."""
    tuned: bool
    """Whether it is an adapter on this base; False for the base alone."""
    value: float
    """The estimate."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of its interval."""
    n: int
    """Number of cases."""
    run: str
    """Run ID."""


class Candidate(Struct, frozen=True, kw_only=True):
    """One base model and what is known about it."""

    name: str
    """Hub ID or folder."""
    model_type: str
    """Architecture."""
    parameters: int
    """Number of all parameters."""
    active_parameters: int
    """Number of parameters that a token passes; smaller for a mixture of experts."""
    context: int | None
    """Maximum number of tokens."""
    licence: str
    """Name of the licence; empty if known_models.toml has none."""
    means: str
    """Requirements of the licence, in one line."""
    sources: list[str]
    """Addresses of licence and shapes."""
    seen: str
    """Date on which they were read; empty if unknown."""
    support: str
    """Engines that serve it."""
    fits: list[Fit]
    """Peak memory and verdict of LoRA and QLoRA on every GPU, as in `tunegate plan`."""
    serve_bytes: int
    """Memory to serve in bfloat16 with the key-value cache of a full batch."""
    smallest: dict[str, str]
    """Smallest GPU with enough memory, for `LoRA`, `QLoRA` and `serve`; empty if none has."""
    scores: list[MeasuredModel]
    """Scores of the newest runs of this machine."""

    def shown(self, method: str) -> Fit:
        """Return the fit on the smallest GPU with enough memory, or on the largest GPU if none has."""
        fits = [f for f in self.fits if METHODS[f.quantise] == method]
        return next((f for f in fits if f.fits == "yes"), fits[-1])


def compare(names: Sequence[str], runs: Path) -> list[Candidate]:
    """Return a candidate per name (folder, hub ID or alias), by default for every base of known_models.toml."""
    manifests = list(finished_runs(runs, "eval"))
    bases = names or [known.hub for known in known_models.facts().base]
    return [_candidate(known_models.find(name, reach_hub=False), manifests) for name in bases]


def _candidate(base: FoundConfig, evaluations: Sequence[tuple[Path, Manifest]]) -> Candidate:
    laid_out = shapes.of(base.config, base.name)
    facts = known_models.facts()
    licence = facts.licence[base.known.licence] if base.known else None
    by_size = sorted((c for c in usage.cards() if c.planned), key=lambda c: c.memory_gb)
    devices = [fit.of_card(card, REFERENCE) for card in by_size]
    fits = [
        fit.judge(d, laid_out, REFERENCE, REFERENCE_PASS, REFERENCE_PASS, form) for form in METHODS for d in devices
    ]
    return Candidate(
        name=base.name,
        model_type=laid_out.model_type,
        parameters=laid_out.parameters,
        active_parameters=laid_out.active_parameters,
        context=laid_out.context,
        licence=licence.name if licence else "",
        means=licence.means if licence else BY_HAND,
        sources=[licence.source, base.known.licence_source, base.known.source] if licence and base.known else [],
        seen=facts.seen if base.known else "",
        support=facts.support.get(laid_out.model_type, f"transformers: {laid_out.model_type}"),
        fits=fits,
        serve_bytes=sum(memory.serving(laid_out)),
        smallest={
            **{
                method: next((f.device for f in fits if (f.quantise, f.fits) == (form, "yes")), "")
                for form, method in METHODS.items()
            },
            "serve": next((d.name for d in devices if fit.serves(d, laid_out)), ""),
        },
        scores=_scores(base, evaluations),
    )


def _scores(base: FoundConfig, evaluations: Sequence[tuple[Path, Manifest]]) -> list[MeasuredModel]:
    """Return the newest score of every suite with all its cases, of the base alone and of an adapter on it."""
    newest: dict[tuple[str, bool], MeasuredModel] = {}
    for folder, manifest in evaluations:
        for variant, checkpoint in manifest.checkpoints.items():
            alone = checkpoint.kind == "model" and _names(base, checkpoint.name, checkpoint.path)
            tuned = checkpoint.kind == "adapter" and _names(base, "", checkpoint.path)
            if alone or tuned:
                for score in _measured(folder, manifest, variant, tuned):
                    newest.setdefault((score.suite, tuned), score)
    return sorted(newest.values(), key=lambda s: (s.suite, s.tuned))


def _names(base: FoundConfig, name: str, path: str) -> bool:
    own = {base.name, base.known.hub, base.known.alias} if base.known else {base.name}
    return (name != "" and name in own) or (base.folder is not None and Path(path) == base.folder)


def _measured(folder: Path, manifest: Manifest, variant: str, tuned: bool) -> Iterator[MeasuredModel]:
    if not runs_folder.standing_of(folder, manifest).is_claim:
        return
    metrics, verdicts = runs_folder.load_metrics(folder), runs_folder.recorded_verdicts(folder)
    for suite in (info for info in manifest.suites if info.asked == info.cases):
        gated = [v.metric for v in verdicts if v.suite == suite.name] or [m.name for m in suite.metrics]
        for row in metrics.metrics:
            here = (row.suite, row.variant, row.slice) == (suite.name, variant, None)
            if here and gated and row.metric == gated[0] and row.estimate.value is not None:
                yield MeasuredModel(
                    suite=suite.name,
                    metric=row.metric,
                    tuned=tuned,
                    value=row.estimate.value,
                    low=row.estimate.low,
                    high=row.estimate.high,
                    n=row.estimate.n,
                    run=manifest.run_id,
                )


def as_json(candidates: Sequence[Candidate]) -> bytes:
    """Return all candidates as one JSON list, with sources."""
    table: list[Any] = [msgspec.to_builtins(c) for c in candidates]
    return msgspec.json.format(msgspec.json.encode(table), indent=1)


def show(candidates: Sequence[Candidate], width: int) -> str:
    """Render the candidates as text."""
    return text(
        [
            _table(candidates),
            *_licences(candidates),
            *_support(candidates),
            *_score_cells(candidates),
            *_notes(candidates),
        ],
        width,
    )


def _table(candidates: Sequence[Candidate]) -> Table:
    table = Table(title="bases; memory in GiB and the smallest GPU with enough", title_justify="left")
    table.add_column("base", overflow="fold")
    for name in ("parameters", "context", "LoRA", "QLoRA", "serve"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("licence", overflow="fold")
    for c in candidates:
        active = f", {millions(c.active_parameters)} active" if c.active_parameters < c.parameters else ""
        table.add_row(
            c.name.rstrip("/").rpartition("/")[2],
            millions(c.parameters) + active,
            f"{c.context:,}" if c.context else "-",
            *_cells(c),
            c.licence.removesuffix(" Community") or "-",
        )
    return table


def _cells(c: Candidate) -> list[str]:
    """Format peak memory and GPU for each use, with a star for gradient checkpointing."""
    shown = {method: c.shown(method) for method in METHODS.values()}
    peaks = {method: gib(f.needs.total) + "*" * f.checkpointing if f.needs else "-" for method, f in shown.items()}
    peaks["serve"] = gib(c.serve_bytes)
    return [f"{peak} {(c.smallest[use] or 'none').removesuffix(' GB')}" for use, peak in peaks.items()]


def _licences(candidates: Sequence[Candidate]) -> list[str]:
    """List each licence once, with the address of its text and the date on which it was read."""
    lines = []
    for name in dict.fromkeys(c.licence or c.name for c in candidates):
        c = next(c for c in candidates if (c.licence or c.name) == name)
        where = f" ({c.sources[0]}, seen {c.seen})" if c.sources else ""
        lines.append(f"{name}: {c.means}{where}")
    return lines


def _support(candidates: Sequence[Candidate]) -> list[str]:
    return [f"served by: {line}" for line in dict.fromkeys(c.support for c in candidates)]


def _score_cells(candidates: Sequence[Candidate]) -> list[str]:
    lines = [f"{c.name}: {_score(s)}" for c in candidates for s in c.scores]
    return lines or ["no run on this machine has scored any of them; run: pytest evalsuites --checkpoint BASE"]


def _score(s: MeasuredModel) -> str:
    bounds = f" ({s.low:.3f} to {s.high:.3f})" if s.low is not None and s.high is not None else ""
    return f"{s.suite} {s.metric} {s.value:.3f}{bounds}, n {s.n}, {'tuned' if s.tuned else 'as it is'}, run {s.run}"


def _notes(candidates: Sequence[Candidate]) -> list[str]:
    notes = [
        f"memory to tune: the default settings, which are rank {REFERENCE.lora.r} on every linear layer and a row of "
        f"{REFERENCE_PASS.tokens:,} tokens, {REFERENCE_PASS.answers} of them learned; `tunegate plan CONFIG` uses your "
        f"settings and rows. To serve: bfloat16 and {CACHED_TOKENS:,} cached tokens. On a T4: float32 to tune",
        "read the licence of the model you choose; these lines are not legal advice",
    ]
    if any(c.shown(method).checkpointing for c in candidates for method in METHODS.values()):
        notes.insert(1, CHECKPOINTED)
    return notes
