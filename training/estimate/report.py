"""`tunegate plan`: work, memory, fit and duration of a training configuration, as text and as JSON."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from harness.checkpoints.model_files import CheckpointFolder
from harness.engines import usage
from harness.errors import UserError
from harness.formatting import format_duration
from training import model_checks
from training.config import Config
from training.config_file import load
from training.estimate import duration, fit, flops, known_models, memory, shapes
from training.estimate.duration import Speed, Workload
from training.estimate.fit import METHODS, Device, Fit
from training.estimate.known_models import FoundConfig
from training.estimate.memory import PARTS
from training.estimate.shapes import Shapes


class DeviceEstimate(Struct, frozen=True, kw_only=True):
    """The estimate for one device."""

    device: str
    """Device name."""
    here: bool
    """Whether it is this machine's."""
    fits: list[Fit]
    """LoRA, then QLoRA."""
    speed: Speed | None
    """Training speed of the configured form; None if it is unknown, or the training does not fit."""
    seconds: float | None
    """Duration of training and validation at that speed."""
    tokens_per_s: float | None
    """Tokens of the rows per second at that speed."""
    serves: bool
    """Whether the base and a full key-value cache, both in bfloat16, fit for an evaluation."""

    def fit(self, quantise: str) -> Fit:
        """Return the fit of one form of the base."""
        return next(f for f in self.fits if f.quantise == quantise)


class TrainingEstimate(Struct, frozen=True, kw_only=True):
    """The estimate for a training configuration on all devices."""

    base: str
    """Base named in the configuration."""
    shapes: Shapes
    """Shapes of the base."""
    adapter_parameters: int
    """Number of trained parameters."""
    work: Workload
    """The work to do."""
    quantise: str
    """Configured form, `none` or `nf4`."""
    rows: list[DeviceEstimate]
    """This machine first."""
    cache_bytes: int
    """Key-value cache of a full batch of an evaluation."""
    trial: Any = None
    """Measurements of a trial, if one ran."""


def plan(config_path: Path, runs: Path, measure: int = 0) -> TrainingEstimate:
    """Estimate the training of a TOML file; `measure` trains that many steps on this machine first.

    Raises UserError for bad settings.
    """
    bases: list[FoundConfig] = []

    def problems(config: Config) -> list[str]:
        try:
            base = known_models.find(config.base)
        except UserError as error:
            return [str(error)]
        bases.append(base)
        packed = CheckpointFolder(base.folder).quantization_file if base.folder else ""
        return model_checks.shape_problems(config, base.config, str(base.folder or base.name), packed)

    config = load(config_path, problems)
    base, laid_out = bases[0], shapes.of(bases[0].config, bases[0].name)
    adapted = memory.adapter_size(laid_out, config.lora)
    as_trained = msgspec.structs.replace(config, train=duration.possible(config.train, laid_out))
    work = duration.workload(as_trained, base.folder, flops.count(laid_out, adapted))
    here = fit.this_machine(config)
    trial = _trial(config, measure) if measure else None
    devices = [here, *(fit.of_card(card, config) for card in usage.cards() if card.planned)]
    speeds = duration.earlier(runs, base, config.model.quantise)
    return TrainingEstimate(
        base=config.base,
        shapes=laid_out,
        adapter_parameters=adapted,
        work=work,
        quantise=config.model.quantise,
        rows=[_row(d, d is here, laid_out, config, work, speeds, trial) for d in devices],
        cache_bytes=memory.serving(laid_out)[1],
        trial=trial,
    )


def _row(
    device: Device,
    here: bool,
    laid_out: Shapes,
    config: Config,
    work: Workload,
    speeds: Mapping[tuple[str, str], Speed],
    trial: Any,
) -> DeviceEstimate:
    fits = [fit.judge(device, laid_out, config, work.largest, work.longest, form) for form in METHODS]
    configured = next(f for f in fits if f.quantise == config.model.quantise)
    speed = None
    if configured.fits in ("yes", "close"):
        if here and trial is not None:
            speed = Speed(flops_per_s=trial.flops_per_s, source=f"measured now over {trial.steps} steps")
        else:
            assumed = duration.assumed(device.peak, laid_out.active_parameters)
            speed = speeds.get((device.name, configured.dtype), assumed)
    return DeviceEstimate(
        device=device.name,
        here=here,
        fits=fits,
        speed=speed,
        seconds=duration.seconds(work, speed) if speed else None,
        tokens_per_s=duration.tokens_per_s(work, speed) if speed else None,
        serves=fit.serves(device, laid_out),
    )


def _trial(config: Config, steps: int) -> Any:
    """Load the weights and train that many steps of the configuration on this machine."""
    from training.estimate.trial import WARM_UP, run
    from training.job import prepare

    job = prepare(config, lambda text: None, without_suites=True)
    wanted = job.steps[: steps + WARM_UP]
    train = msgspec.structs.replace(config.train, gradient_checkpointing="on" if job.checkpointing else "off")
    return run(Path(job.base.path), job.train.documents, wanted, job.dtype, config.lora, train, config.model)


def as_json(plan: TrainingEstimate) -> bytes:
    """Return the plan as one JSON object, with bytes and seconds unrounded."""
    table = {
        "base": plan.base,
        "parameters": plan.shapes.parameters,
        "active_parameters": plan.shapes.active_parameters,
        "context": plan.shapes.context,
        "adapter_parameters": plan.adapter_parameters,
        "quantise": plan.quantise,
        "work": duration.facts(plan.work),
        "cache_bytes": plan.cache_bytes,
        "devices": [
            msgspec.to_builtins(row)
            | {"needs_bytes": {f.quantise: f.needs.total if f.needs else None for f in row.fits}}
            for row in plan.rows
        ],
        "trial": plan.trial,
    }
    return msgspec.json.format(msgspec.json.encode(table), indent=1)


VERDICTS = {"yes": "fits", "close": "close", "no": "too much"}
CHECKPOINTED = "* with gradient checkpointing: recomputes layers in the backward pass, a third slower"
UNKNOWN = "unknown: no earlier training run has measured it; use --measure 5 on that machine"
WIDTH = 110


def show(plan: TrainingEstimate, width: int = WIDTH) -> str:
    """Render the plan as text."""
    return text([*_lines(plan), _parts(plan), _devices(plan), *_advice(plan), *_times(plan), *_notes(plan)], width)


def text(parts: Sequence[str | Table], width: int) -> str:
    """Render tables and lines for a terminal of `width` columns; longer words, such as paths, are not broken."""
    width = max(width, 80)
    console = Console(width=width, file=io.StringIO(), highlight=False)
    with console.capture() as shown:
        for part in parts:
            if isinstance(part, str):
                part = textwrap.fill(part, width, break_long_words=False, break_on_hyphens=False)
            console.print(part, markup=False, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in shown.get().rstrip().splitlines())


def gib(size: float) -> str:
    """Format bytes as GiB, with two decimals below ten."""
    return f"{size / 2**30:.2f}" if size < 10 * 2**30 else f"{size / 2**30:.1f}"


def millions(count: int) -> str:
    """Format a number of parameters: `134.5M`, `8.03B`, `46.7B`."""
    if count < 1e9:
        return f"{count / 1e6:.1f}M"
    return f"{count / 1e9:.2f}B" if count < 1e10 else f"{count / 1e9:.1f}B"


def _lines(plan: TrainingEstimate) -> list[str]:
    shapes, work = plan.shapes, plan.work
    size = millions(shapes.parameters) + (f" ({millions(shapes.active_parameters)} active)" if shapes.idle else "")
    counted = "counted by its tokenizer" if work.exact else "guessed at four characters per token: no tokenizer here"
    return [
        f"base      {plan.base}: {size} parameters, context {shapes.context or 'unknown'}",
        f"adapter   {millions(plan.adapter_parameters)} parameters, {METHODS[plan.quantise]} as configured",
        f"data      {work.rows:,} rows, {work.tokens:,} tokens in all steps, {work.answer_tokens:,} learnt; {counted}",
        f"steps     {work.steps:,}; largest pass {work.largest.tokens:,} tokens, {work.largest.answers:,} learnt",
        *([f"answers   {work.asked:,} to cases, generated while training; not in the time"] if work.asked else []),
        f"work      {work.flops / 1e12:,.1f} TFLOP of training, {work.validation_flops / 1e12:,.1f} of validation",
    ]


def _parts(plan: TrainingEstimate) -> Table:
    """Tabulate memory by part: on this machine as configured, and both forms on a GPU with bfloat16."""
    here = plan.rows[0]
    gpu = next((row for row in plan.rows[1:] if all(f.needs for f in row.fits)), here)
    columns = [(here, here.fit(plan.quantise)), *((gpu, verdict) for verdict in gpu.fits)]
    needed = [(row, verdict, verdict.needs) for row, verdict in columns if verdict.needs]
    table = Table(title="memory at the peak, GiB", title_justify="left")
    table.add_column("part")
    for row, verdict, _ in needed:
        where = "here" if row.here else "GPU"
        table.add_column(f"{METHODS[verdict.quantise]} {verdict.dtype}, {where}", justify="right")
    for part in PARTS:
        table.add_row(part, *(gib(getattr(needs, part)) for *_, needs in needed))
    table.add_row("while loading", *(gib(needs.loading) if needs.loading else "-" for *_, needs in needed))
    table.add_row("peak", *(gib(needs.total) for *_, needs in needed), style="bold")
    return table


def _devices(plan: TrainingEstimate) -> Table:
    table = Table(title="where it fits, GiB", title_justify="left")
    table.add_column("device")
    for name in ("holds", "LoRA needs", "QLoRA needs", "evaluation", "time", "tokens/s"):
        table.add_column(name, justify="right")
    for row in plan.rows:
        table.add_row(*_cells(row), style="bold" if row.here else "")
    return table


def _cells(row: DeviceEstimate) -> list[str]:
    needs = [f"{gib(f.needs.total)} {_verdict(f)}" if f.needs else "no bfloat16" for f in row.fits]
    return [
        f"{row.device} (here)" if row.here else row.device,
        gib(row.fits[0].holds),
        *needs,
        "fits" if row.serves else "too much",
        format_duration(row.seconds) if row.seconds is not None else "-",
        f"{row.tokens_per_s:,.0f}" if row.tokens_per_s else "-",
    ]


def _verdict(fit: Fit) -> str:
    return VERDICTS[fit.fits] + ("*" if fit.checkpointing else "")


def _advice(plan: TrainingEstimate) -> list[str]:
    """Suggest what would make the configured form fit; devices with the same advice share a line."""
    configured = [(row.device, row.fit(plan.quantise)) for row in plan.rows]
    by_change: dict[str, list[str]] = {}
    for device, verdict in configured:
        if verdict.fits in ("no", "close"):
            by_change.setdefault(verdict.would_fit, []).append(device)
    return [
        f"{', '.join(devices)}: " + (f"set {change} to make it fit" if change else "no setting makes it fit")
        for change, devices in by_change.items()
    ]


def _times(plan: TrainingEstimate) -> list[str]:
    """State the source of each time; devices with the same source share a line."""
    by_source: dict[str, list[str]] = {}
    for row in plan.rows:
        if row.fit(plan.quantise).fits in ("yes", "close"):
            by_source.setdefault(row.speed.source if row.speed else UNKNOWN, []).append(row.device)
    return [f"time on {', '.join(devices)}: {source}" for source, devices in by_source.items()]


def _notes(plan: TrainingEstimate) -> list[str]:
    notes = [
        f"evaluation: base in bfloat16 and {gib(plan.cache_bytes)} GiB of key-value cache for a full batch",
        "memory is an estimate: within 25% of a few steps on CPUs, where whole runs took up to 4 times as much; "
        "no GPU was measured",
    ]
    if any(verdict.checkpointing for row in plan.rows for verdict in row.fits):
        notes.append(CHECKPOINTED)
    if plan.shapes.idle:
        notes.append("experts stay 16-bit in QLoRA and get no adapter unless lora.target_parameters names them")
    if plan.trial is not None:
        used = plan.trial.peak_bytes - plan.trial.base_bytes
        notes.append(
            f"measured here: {plan.trial.tokens_per_s:,.0f} tokens/s, peak {gib(used)} GiB beyond the libraries"
        )
    return notes
