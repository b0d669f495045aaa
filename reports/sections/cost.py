"""Section: what the answers cost in tokens, seconds and memory, and their latency."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from harness.schema import FLOOR
from reports import number_format, wording
from reports.model import Block, Cell, Facts, Section, Table, Text
from reports.run_data import RunView

LEAD = "What it cost to compute the answers of this run. Cached answers cost nothing here."
NOTE = "Seconds exclude loading the model and the canary, fixed prompts that check its weights."
UTILISATION_NOTE = (
    "Utilisation is the share of the device's peak arithmetic, at two operations per parameter and computed token."
)
CACHED = "cached from an earlier run"
NO_LATENCY = "only servers' answers are timed one by one, not those of a batch"
COMPUTED = (
    ("Answers computed", "answers"),
    ("Prompt tokens", "prompt_tokens"),
    ("Output tokens", "generated_tokens"),
    ("Seconds answering", "answer_s"),
    ("Prompt tokens per second", "prompt_tokens_per_s"),
    ("Output tokens per second", "generated_tokens_per_s"),
    ("Prompt tokens from the prefix cache", "prefix_hit_rate"),
    ("Utilisation", "utilisation"),
)
"""Rows of the table, and the engine's names for them."""
SHARES = ("prefix_hit_rate", "utilisation")


def section(evidence: RunView) -> Section:
    engine = evidence.run.manifest.engine
    checkpoints = evidence.run.manifest.checkpoints
    variants = [v for v in evidence.variants if v != FLOOR and v in checkpoints and checkpoints[v].kind != "accepted"]
    blocks: list[Block] = []
    if variants:
        blocks += _table(engine, evidence, variants)
    blocks.append(Facts(caption="The run as a whole", pairs=_totals(engine)))
    if stages := _stages(evidence):
        blocks.append(stages)
    if servers := engine.get("servers"):
        blocks.append(_servers(servers))
    return Section(id="cost", title="Cost and latency", lead=LEAD, blocks=blocks)


def _table(engine: Mapping[str, Any], evidence: RunView, variants: list[str]) -> list[Block]:
    """Tabulate what any of the models has a value for; the note says why the other rows are missing."""
    rows = [[Cell(text=title), *(_computed(engine, v, key) for v in variants)] for title, key in COMPUTED]
    rows.insert(4, [Cell(text="Time per answer"), *(_seconds_per_answer(engine, v) for v in variants)])
    rows.append([Cell(text="Latency", note="median; 95th percentile"), *(_latency(engine, v) for v in variants)])
    rows.append([Cell(text="Answers truncated at the limit"), *(_truncated(engine, evidence, v) for v in variants)])
    empty = [row for row in rows if all(cell.text == number_format.DASH for cell in row[1:])]
    reasons = "; ".join(dict.fromkeys(cell.note for row in empty for cell in row[1:]))
    notes = [
        *([NOTE] if len(empty) < len(COMPUTED) else []),
        *([UTILISATION_NOTE] if not any(row[0].text == "Utilisation" for row in empty) else []),
        *([f"Rows without a value are left out: {reasons}."] if reasons else []),
    ]
    shown = [row for row in rows if row not in empty]
    if not shown:
        return [Text(text=note, tone="muted") for note in notes]
    columns = ["", *map(wording.variant, variants)]
    numeric = list(range(1, len(columns)))
    return [Table(caption="Cost by model", columns=columns, rows=shown, numeric=numeric, note=" ".join(notes))]


def _usage(engine: Mapping[str, Any], variant: str) -> tuple[Mapping[str, Any], str]:
    """Return what the engine recorded for one variant's answers, or why there is nothing."""
    measured = engine.get("throughput")
    if measured is None:
        return {}, f"the engine {engine.get('name', 'of this run')} did not record it"
    usage: Mapping[str, Any] = measured.get("variants", {}).get(variant, {})
    return usage, "" if usage else CACHED


def _computed(engine: Mapping[str, Any], variant: str, key: str) -> Cell:
    usage, why_not = _usage(engine, variant)
    value = usage.get(key)
    if value is None:
        unknown = engine.get("throughput", {}).get("why_no_utilisation") if key == "utilisation" and usage else ""
        return number_format.missing(why_not or unknown or "not recorded in this run")
    return Cell(text=number_format.percent(value)) if key in SHARES else number_format.setting(value, key)


def _seconds_per_answer(engine: Mapping[str, Any], variant: str) -> Cell:
    usage, why_not = _usage(engine, variant)
    if not usage.get("answers") or usage.get("answer_s") is None:
        return number_format.missing(why_not or "not recorded in this run")
    return Cell(
        text=number_format.duration(usage["answer_s"] / usage["answers"]), note="answers are computed in batches"
    )


def _latency(engine: Mapping[str, Any], variant: str) -> Cell:
    latency = engine.get("latency_ms", {}).get(variant)
    if not latency:
        return number_format.missing(CACHED if "latency_ms" in engine else NO_LATENCY)
    fast, slow = (number_format.duration(latency[share] / 1000) for share in ("p50", "p95"))
    return Cell(text=f"{fast}; {slow}", note=wording.count(latency["answers"], "answer"))


def _truncated(engine: Mapping[str, Any], evidence: RunView, variant: str) -> Cell:
    tallies = [by_variant[variant] for by_variant in evidence.tallies.values() if variant in by_variant]
    of = sum(tally.answers for tally in tallies)
    cut = engine.get("truncated", {}).get(variant, sum(tally.cut for tally in tallies))
    if not of:
        return number_format.missing("it produced no answer")
    return Cell(text=number_format.number(cut), note=f"{number_format.percent(cut / of)} of {number_format.number(of)}")


def _totals(engine: Mapping[str, Any]) -> list[tuple[str, Cell]]:
    """List what the engine recorded of the run as a whole."""
    measured = engine.get("throughput") or {}
    peak = measured.get("peak_memory_bytes")
    name = " ".join(str(engine[key]) for key in ("name", "version") if engine.get(key))
    memory = number_format.bytes_of(peak) if peak else number_format.DASH
    pairs = [
        ("Engine", Cell(text=name or number_format.DASH, note=str(engine.get("device") or ""))),
        ("Answers computed", number_format.setting(engine.get("generated"))),
        ("Answers cached from earlier runs", number_format.setting(engine.get("cached"))),
        ("Prompt tokens of all answers", number_format.setting(engine.get("prompt_tokens"))),
        ("Output tokens of all answers", number_format.setting(engine.get("output_tokens"))),
        ("Peak memory", Cell(text=memory, note=measured.get("peak_memory_of") or "")),
    ]
    return [(name, cell) for name, cell in pairs if cell.text != number_format.DASH]


def _stages(evidence: RunView) -> Table | None:
    """Tabulate where the time went; None where the run did not record it."""
    manifest = evidence.run.manifest
    wall = manifest.engine.get("wall_s")
    if wall is None:
        return None
    rows = _answering(manifest.engine, wall)
    whole = _seconds(manifest.started, manifest.ended)
    if whole is not None:
        rows.append(("Before and after", "planning, estimates and gates", max(0.0, whole - wall)))
        rows.append(("Whole run", "", max(whole, wall)))
    cells = [[Cell(text=title, note=note), Cell(text=number_format.duration(seconds))] for title, note, seconds in rows]
    return Table(caption="Where the time went", columns=["Stage", "Wall time"], rows=cells, numeric=[1])


def _answering(engine: Mapping[str, Any], wall_s: float) -> list[tuple[str, str, float]]:
    """Split the wall time of answering into the parts that the engine recorded, in seconds."""
    measured = engine.get("throughput")
    if not measured:
        return [("Answering", "loading, canary, generation, answer cache and scoring together", wall_s)]
    load_s, answer_s = measured.get("load_s") or 0.0, measured.get("whole", {}).get("answer_s") or 0.0
    return [
        ("Loading models", wording.count(measured.get("loads") or 0, "load"), load_s),
        ("Generating answers", "", answer_s),
        ("Other work on answers", "canary, answer cache, scoring", max(0.0, wall_s - load_s - answer_s)),
    ]


def _seconds(started: str, ended: str | None) -> float | None:
    try:
        return (datetime.fromisoformat(ended or "") - datetime.fromisoformat(started)).total_seconds()
    except (ValueError, TypeError):
        return None


def _servers(servers: Mapping[str, Any]) -> Table:
    rows = []
    for url, record in servers.items():
        faults = record.get("faults") or {}
        head = Cell(text=url, note=f"version {record.get('version') or 'unknown'}")
        counted = Cell(text=number_format.number(sum(faults.values())), note=wording.listing(faults))
        rows.append([head, number_format.setting(record.get("answered")), counted])
    return Table(caption="Servers", columns=["Server", "Requests", "Faults"], rows=rows, numeric=[1, 2])
