"""Shows candidates on a terminal: one table of sizes, then licence, support and scores in lines. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from training.candidates import METHODS, REFERENCE, REFERENCE_PASS, Candidate, Measured
from training.memory import CACHED_TOKENS
from training.plan_view import CHECKPOINTED, gib, millions, text


def show(candidates: Sequence[Candidate], width: int) -> str:
    """The candidates as text."""
    return text(
        [_table(candidates), *_licences(candidates), *_support(candidates), *_scores(candidates), *_notes(candidates)],
        width,
    )


def _table(candidates: Sequence[Candidate]) -> Table:
    table = Table(title="bases; memory in GiB and the smallest card with room for it", title_justify="left")
    table.add_column("base", overflow="fold")
    for name in ("parameters", "context", "LoRA", "QLoRA", "serve"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("licence", overflow="fold")
    for c in candidates:
        active = f", {millions(c.active_parameters)} active" if c.active_parameters < c.parameters else ""
        table.add_row(
            c.name.rpartition("/")[2],
            millions(c.parameters) + active,
            f"{c.context:,}" if c.context else "-",
            *_cells(c),
            c.licence.removesuffix(" Community") or "-",
        )
    return table


def _cells(c: Candidate) -> list[str]:
    """Peak memory and card for each use; a star where layers are computed again."""
    shown = {method: c.shown(method) for method in METHODS}
    peaks = {method: gib(f.needs.total) + "*" * f.checkpointing if f.needs else "-" for method, f in shown.items()}
    peaks["serve"] = gib(c.serve_bytes)
    return [f"{peak} {(c.smallest[use] or 'none').removesuffix(' GB')}" for use, peak in peaks.items()]


def _licences(candidates: Sequence[Candidate]) -> list[str]:
    """Each licence once, with its text's address and the day on which it was read."""
    lines = []
    for name in dict.fromkeys(c.licence or c.name for c in candidates):
        c = next(c for c in candidates if (c.licence or c.name) == name)
        where = f" ({c.sources[0]}, seen {c.seen})" if c.sources else ""
        lines.append(f"{name}: {c.means}{where}")
    return lines


def _support(candidates: Sequence[Candidate]) -> list[str]:
    return [f"served by: {line}" for line in dict.fromkeys(c.support for c in candidates)]


def _scores(candidates: Sequence[Candidate]) -> list[str]:
    lines = [f"{c.name}: {_score(s)}" for c in candidates for s in c.scores]
    return lines or ["no run here has scored any of them: pytest evalsuites --checkpoint BASE"]


def _score(s: Measured) -> str:
    bounds = f" ({s.low:.3f} to {s.high:.3f})" if s.low is not None and s.high is not None else ""
    return f"{s.suite} {s.metric} {s.value:.3f}{bounds}, n {s.n}, {'tuned' if s.tuned else 'as it is'}, run {s.run}"


def _notes(candidates: Sequence[Candidate]) -> list[str]:
    notes = [
        f"memory to tune: the default settings, which are rank {REFERENCE.lora.r} on every linear layer and a row of "
        f"{REFERENCE_PASS.tokens:,} tokens, {REFERENCE_PASS.answers} of them learned; `tunegate plan CONFIG` uses your "
        f"settings and rows. To serve: bfloat16 and {CACHED_TOKENS:,} cached tokens. On a T4: float32 to tune",
        "read the licence of the model you choose; these lines are no legal advice",
    ]
    if any(c.shown(method).checkpointing for c in candidates for method in METHODS):
        notes.insert(1, CHECKPOINTED)
    return notes
