"""Shows a plan on a terminal: the work, memory by part, where it fits, how long it takes. Computes nothing."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from harness.clock import clock
from training.fit import Fit
from training.memory import PARTS
from training.planning import FORMS, Plan, Row

FORM_NAMES = {"none": "LoRA", "nf4": "QLoRA"}
ANSWERS = {"yes": "fits", "close": "close", "no": "too much"}
CHECKPOINTED = "* with gradient checkpointing: layers are computed again in the backward pass, a third slower"
UNKNOWN = "no earlier training says how fast; --measure 5 on that machine does"
WIDTH = 110


def show(plan: Plan, width: int = WIDTH) -> str:
    """The plan as text."""
    return text([*_lines(plan), _parts(plan), _devices(plan), *_advice(plan), *_times(plan), *_notes(plan)], width)


def text(parts: Sequence[str | Table], width: int) -> str:
    """Tables and lines for a terminal of `width` columns; a word that is longer, such as a path, stays whole."""
    width = max(width, 80)
    console = Console(width=width, file=io.StringIO(), highlight=False)
    with console.capture() as shown:
        for part in parts:
            if isinstance(part, str):
                part = textwrap.fill(part, width, break_long_words=False, break_on_hyphens=False)
            console.print(part, markup=False, soft_wrap=isinstance(part, str))
    return "\n".join(line.rstrip() for line in shown.get().rstrip().splitlines())


def gib(size: float) -> str:
    """Bytes as GiB, two digits below ten."""
    return f"{size / 2**30:.2f}" if size < 10 * 2**30 else f"{size / 2**30:.1f}"


def millions(count: int) -> str:
    """Parameters: `134.5M`, `8.03B`, `46.7B`."""
    if count < 1e9:
        return f"{count / 1e6:.1f}M"
    return f"{count / 1e9:.2f}B" if count < 1e10 else f"{count / 1e9:.1f}B"


def _lines(plan: Plan) -> list[str]:
    shapes, work = plan.shapes, plan.work
    size = millions(shapes.parameters) + (f" ({millions(shapes.active_parameters)} active)" if shapes.idle else "")
    counted = "counted by its tokenizer" if work.exact else "guessed at four characters a token: no tokenizer is here"
    return [
        f"base      {plan.base}: {size} parameters, context {shapes.context or 'unknown'}",
        f"adapter   {millions(plan.adapter_parameters)} parameters, {FORM_NAMES[plan.quantise]} as configured",
        f"data      {work.rows:,} rows, {work.tokens:,} tokens in all steps, {work.answer_tokens:,} learnt; {counted}",
        f"steps     {work.steps:,}; largest pass {work.largest.tokens:,} tokens, {work.largest.answers:,} learnt",
        *([f"answers   {work.asked:,} to cases, generated while training; not in the time"] if work.asked else []),
        f"work      {work.flops / 1e12:,.1f} TFLOP of training, {work.validation_flops / 1e12:,.1f} of validation",
    ]


def _parts(plan: Plan) -> Table:
    """Memory by part: here as configured, and both forms on a card with bfloat16."""
    here = plan.rows[0]
    card = next((row for row in plan.rows[1:] if all(f.needs for f in row.fits)), here)
    columns = [(here, here.fits[FORMS.index(plan.quantise)]), *((card, found) for found in card.fits)]
    columns = [(row, found) for row, found in columns if found.needs]
    table = Table(title="memory at the peak, GiB", title_justify="left")
    table.add_column("part")
    for row, found in columns:
        where = "here" if row.here else "card"
        table.add_column(f"{FORM_NAMES[found.quantise]} {found.dtype}, {where}", justify="right")
    for part in PARTS:
        table.add_row(part, *(gib(getattr(found.needs, part)) for _, found in columns))
    table.add_row("while loading", *(gib(found.needs.loading) if found.needs.loading else "-" for _, found in columns))
    table.add_row("most at once", *(gib(found.needs.total) for _, found in columns if found.needs), style="bold")
    return table


def _devices(plan: Plan) -> Table:
    table = Table(title="where it fits, GiB", title_justify="left")
    table.add_column("device")
    for name in ("holds", "LoRA needs", "QLoRA needs", "evaluation", "time", "tokens/s"):
        table.add_column(name, justify="right")
    for row in plan.rows:
        table.add_row(*_cells(row), style="bold" if row.here else "")
    return table


def _cells(row: Row) -> list[str]:
    needs = [f"{gib(f.needs.total)} {_answer(f)}" if f.needs else "no bfloat16" for f in row.fits]
    return [
        f"{row.device} (here)" if row.here else row.device,
        gib(row.fits[0].holds),
        *needs,
        "fits" if row.serves else "too much",
        clock(row.seconds) if row.seconds is not None else "-",
        f"{row.tokens_per_s:,.0f}" if row.tokens_per_s else "-",
    ]


def _answer(found: Fit) -> str:
    return ANSWERS[found.fits] + ("*" if found.checkpointing else "")


def _advice(plan: Plan) -> list[str]:
    """What would make it fit, for the form that the configuration asks for; devices with one answer share a line."""
    asked = [(row.device, row.fits[FORMS.index(plan.quantise)]) for row in plan.rows]
    by_change: dict[str, list[str]] = {}
    for device, found in asked:
        if found.fits in ("no", "close"):
            by_change.setdefault(found.would_fit, []).append(device)
    return [
        f"{', '.join(devices)}: " + (f"set {change} to make it fit" if change else "no setting makes it fit")
        for change, devices in by_change.items()
    ]


def _times(plan: Plan) -> list[str]:
    """Where each time comes from; those from one source share a line."""
    by_source: dict[str, list[str]] = {}
    for row in plan.rows:
        if row.fits[FORMS.index(plan.quantise)].fits in ("yes", "close"):
            by_source.setdefault(row.speed.said if row.speed else UNKNOWN, []).append(row.device)
    return [f"time on {', '.join(devices)}: {said}" for said, devices in by_source.items()]


def _notes(plan: Plan) -> list[str]:
    notes = [
        f"evaluation: base in bfloat16 and {gib(plan.cache_bytes)} GiB of keys and values for a full batch",
        "memory is an estimate, within 25% of what was measured on processors; no card was measured",
    ]
    if any(found.checkpointing for row in plan.rows for found in row.fits):
        notes.append(CHECKPOINTED)
    if plan.shapes.idle:
        notes.append("experts stay 16-bit in QLoRA and get no adapter unless lora.target_parameters names them")
    if plan.trial is not None:
        used = plan.trial.peak_bytes - plan.trial.base_bytes
        notes.append(
            f"measured here: {plan.trial.tokens_per_s:,.0f} tokens/s, peak {gib(used)} GiB beyond the libraries"
        )
    return notes
