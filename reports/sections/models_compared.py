"""Section: which weights were compared, and whether both received the same questions."""

from __future__ import annotations

from harness.schema import BASELINE, CANDIDATE, FLOOR, Checkpoint, SuiteInfo
from reports import number_format, sentences, wording
from reports.model import Block, Cell, Section, Table
from reports.run_data import RunView

DIGESTS = [
    ("Content digest", "digest"),
    ("Model folder", "base_digest"),
    ("Adapter", "adapter_digest"),
    ("Tokenizer and chat template", "tokenizer_digest"),
]
KINDS = {
    "model": "whole model",
    "adapter": "adapter over a base model",
    "scripted": "rule or script without a model",
    "accepted": "stored scores of an earlier run",
    "imported": "answers from the log of another tool",
}
SERVED = {
    "name": "a server's model; its weights are unknown",
    "trusted canary": "a server's model; trusted to have these weights",
    "server process": "a server's model; its weights are known from the process that loaded them",
}
"""Kinds of endpoint, by what pins their weights."""


def section(evidence: RunView) -> Section:
    blocks: list[Block] = [_checkpoints(evidence)]
    what = "answers" if evidence.run.manifest.is_imported else "weights"
    floor = f" The keyword floor is {sentences.KEYWORD_FLOOR}." if FLOOR in evidence.variants else ""
    if evidence.suites:
        blocks.append(_questions(evidence))
    return Section(
        id="compared",
        title="What was compared",
        lead=f"{prompts(evidence)}; equal digests mean equal {what}.{floor}",
        blocks=blocks,
    )


SAME_PROMPTS = "Both models received the same token IDs with the same decoding"
ONE_MODEL = "One model was run, without a baseline"
OTHER_PROMPTS = "Baseline and tuned received different prompts for some cases, as the table of cases says"
OWN_PROMPTS = (
    "Baseline and tuned have different tokenizers or chat templates: each received its own prompt for the same case, "
    "so the token IDs differ, and answers are paired by case ID and input"
)


def own_prompts(evidence: RunView, suite: SuiteInfo) -> bool:
    """Tell whether the models' tokenizers or chat templates differ, and with them the token IDs of a prompt."""
    joint = evidence.joint(suite.name)
    return evidence.run.manifest.own_prompts(suite) and joint.same_prompt < joint.pairs


IMPORTED = "The answers were imported from the log of another tool, so the prompts are not known"
ACCEPTED_IMPORTED = "The accepted answers were imported from the log of another tool, so their prompts are not known"


def prompts(evidence: RunView) -> str:
    """Say whether both models received the same prompts: one of the sentences above."""
    if evidence.run.manifest.is_imported:
        return IMPORTED
    if BASELINE not in evidence.variants:
        return ONE_MODEL
    if any(suite.accepted and suite.accepted.is_imported for suite in evidence.suites):
        return ACCEPTED_IMPORTED
    if any(own_prompts(evidence, suite) for suite in evidence.suites):
        return OWN_PROMPTS
    joints = [evidence.joint(suite.name) for suite in evidence.suites]
    return SAME_PROMPTS if all(joint.same_prompt == joint.pairs for joint in joints) else OTHER_PROMPTS


def same_cases(evidence: RunView, suite: SuiteInfo) -> tuple[bool, str]:
    """Tell whether every tuned answer has a baseline answer to the same case, input and prompt, and say so."""
    tallies = evidence.tallies[suite.name]
    if BASELINE not in tallies or CANDIDATE not in tallies:
        return False, "no baseline to compare with"
    joint = evidence.joint(suite.name)
    most = max(tallies[v].firsts for v in (BASELINE, CANDIDATE))
    if most == joint.pairs == joint.same_prompt == joint.same_expected:
        return True, f"yes: {wording.count(most, 'case')}, joined by ID and input"
    if most == joint.pairs == joint.same_expected and own_prompts(evidence, suite):
        other = f"{number_format.number(most - joint.same_prompt)} with other token IDs"
        return False, f"yes: {wording.count(most, 'case')}, joined by ID and input; {other}, each model's own prompt"
    return False, (
        f"no: {number_format.number(joint.pairs)} of {wording.count(most, 'case')} joined by ID and input, "
        f"{number_format.number(joint.same_prompt)} with the same prompt, "
        f"{number_format.number(joint.same_expected)} with the same expected answer"
    )


def context(evidence: RunView) -> list[tuple[str, str]]:
    """Name the models, the base, the engine and the date."""
    manifest = evidence.run.manifest
    named, engine = manifest.checkpoints, manifest.engine
    before, after = named.get(BASELINE), named.get(CANDIDATE)
    pairs = [(wording.variant(v), named[v].name) for v in (CANDIDATE, BASELINE) if v in named]
    if after and after.kind == "adapter":
        is_baseline = before is not None and before.base_digest == after.base_digest
        pairs.append(("Base", before.name if before and is_baseline else number_format.short(after.base_digest)))
    machine = str(engine.get("device") or "")
    name = " ".join(str(engine[key]) for key in ("name", "version") if engine.get(key))
    where = f"{name} on {machine}" if machine not in ("", "none") else name
    return [*pairs, *([("Engine", where)] if where else []), ("Date", manifest.started[:10])]


def _checkpoints(evidence: RunView) -> Table:
    named = {
        v: evidence.run.manifest.checkpoints[v] for v in evidence.variants if v in evidence.run.manifest.checkpoints
    }
    rows = [
        [Cell(text="Checkpoint"), *(Cell(text=c.name) for c in named.values())],
        [Cell(text="Kind"), *(Cell(text=KINDS.get(c.kind) or SERVED[c.pin]) for c in named.values())],
    ]
    rows += [[Cell(text=title), *(_digest(c, name) for c in named.values())] for title, name in DIGESTS]
    return Table(caption="Checkpoints by variant", columns=["", *map(wording.variant, named)], rows=rows, folded=True)


def _digest(checkpoint: Checkpoint, name: str) -> Cell:
    value: str | None = getattr(checkpoint, name)
    return Cell(text=number_format.short(value), code=bool(value))


def doubts(evidence: RunView) -> list[str]:
    """Say where a comparison is of one model, or of models that differ in more or less than an adapter."""
    checkpoints = evidence.run.manifest.checkpoints
    before, after = checkpoints.get(BASELINE), checkpoints.get(CANDIDATE)
    if before is None or after is None:
        return []
    found = []
    weights, other = ((c.base_digest, c.adapter_digest) for c in (before, after))
    if before.digest == after.digest:
        found.append("Baseline and tuned are the same model: their content digests are equal.")
    elif before.base_digest and weights == other:
        found.append("Baseline and tuned have the same weights: only the tokenizer or chat template differs.")
    if after.kind == "adapter" and before.kind == "model" and after.base_digest != before.base_digest:
        found.append("The adapter's base model is not the baseline: the difference is not due to the adapter alone.")
    return found


def _questions(evidence: RunView) -> Table:
    rows = []
    for suite in evidence.suites:
        same, difference = same_cases(evidence, suite)
        rows.append(
            [
                Cell(text=suite.name, note=suite.title),
                Cell(text=number_format.number(suite.asked), note=f"of {number_format.number(suite.cases)}"),
                Cell(text=difference, tone="good" if same else "caution"),
            ]
        )
    columns = ["Suite", "Cases run", "Same cases for both"]
    return Table(caption="Cases", columns=columns, rows=rows, numeric=[1])
