"""`tunegate data split`: train, validation and test rows that share no document and no near copies.

Rows stay together if they name the same document (field "cluster", "document" or "source", but for the mark of replay
rows), or have the same or nearly the same prompt, without boilerplate lines. Whole groups are drawn in an order that
depends on the seed and the rows' content only, not on the order of the rows or the names of the files.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness.errors import UserError
from harness.files import write_atomic
from training.curation.check import NEAR, Sample
from training.curation.checks.duplicates import RunIndex, key
from training.curation.clean import CARD, OTHER_FOLDER, inputs, output_folder, raw_lines, write_lines, write_manifest
from training.data.rows import DOCUMENT_FIELDS, FORMS, REPLAY, conversation_key, load_rows

By = Literal["auto", "document", "input"]
PARTS = ("train", "validation", "test")
MADE_BY = "tunegate data split"


class SplitSettings(Struct, frozen=True, kw_only=True):
    """Settings of a split, as recorded in the manifest."""

    validation: float = 0.1
    """Share of the rows for validation."""
    test: float = 0.0
    """Share of the rows for the test."""
    seed: int = 0
    """Seed of the draw."""
    by: By = "auto"
    """`document`: every row must name one; `input`: by prompts alone; `auto`: by the document where a row names one."""
    near: float = NEAR
    """Jaccard similarity from which two prompts stay together."""


class Split(Struct, frozen=True, kw_only=True):
    """The part of every row."""

    parts: list[str]
    """`train`, `validation` or `test`, one per row."""
    groups: int
    """Number of groups."""
    largest: int
    """Rows of the largest group."""
    linked: int
    """Groups that were joined because their prompts are near copies."""


def assign(sample: Sample, settings: SplitSettings) -> Split:
    """Draw a part for every group of rows.

    Raises UserError for bad settings, and where a part would get no row.
    """
    _check(sample, settings)
    groups, linked = _groups(sample, settings)
    by_key = {min(key(sample.prompts[i], sample.answers[i]) for i in rows): rows for rows in groups}
    order = [rows for _, rows in sorted(by_key.items())]
    random.Random(settings.seed).shuffle(order)
    count = len(sample.rows)
    room = {"test": round(settings.test * count), "validation": round(settings.validation * count)}
    requested = {part for part in room if getattr(settings, part)}
    parts = ["train"] * count
    for rows in order:
        part = next((name for name in ("test", "validation") if len(rows) <= room[name]), "train")
        if part != "train":
            room[part] -= len(rows)
        for index in rows:
            parts[index] = part
    empty = [part for part in PARTS if part not in parts and (part == "train" or part in requested)]
    largest = max(map(len, groups))
    if empty:
        raise UserError(
            f"no row would be in {empty[0]}: the {count:,} rows are {len(order):,} groups that must stay whole, the "
            f"largest of {largest:,}. Give more documents, or another share"
        )
    return Split(parts=parts, groups=len(order), largest=largest, linked=linked)


def _check(sample: Sample, settings: SplitSettings) -> None:
    for name in ("validation", "test"):
        if not 0 <= getattr(settings, name) < 1:
            raise UserError(f"--{name} is {getattr(settings, name)}; expected a share of the rows from 0 up to 1")
    if not 0 < settings.validation + settings.test < 1:
        raise UserError(
            f"--validation {settings.validation} and --test {settings.test} together leave nothing to split. "
            "Set them so that they add up to more than 0 and less than 1"
        )
    if settings.by == "document":
        without = [row.where for row in sample.rows if not row.document]
        if without:
            raise UserError(
                f"{len(without):,} rows name no document, the first is {without[0]}. Give every row one of "
                f"{', '.join(DOCUMENT_FIELDS)}, or use --by input"
            )


def _groups(sample: Sample, settings: SplitSettings) -> tuple[list[set[int]], int]:
    """Return the rows of each group, and how many groups near copies joined."""
    from scipy.cluster.hierarchy import DisjointSet

    groups = DisjointSet(range(len(sample.rows)))
    by_document: dict[Any, int] = {}
    distinct: dict[bytes, int] = {}
    copies: dict[bytes | str, int] = {}
    for index, row in enumerate(sample.rows):
        content = sample.contents[index]
        row_key = key(sample.prompts[index], sample.answers[index])
        for copy_key in (row_key, conversation_key(row)):
            groups.merge(index, copies.setdefault(copy_key, index))
        groups.merge(index, distinct.setdefault(key(content) if content else row_key, index))
        if row.document and settings.by != "input" and not (row.is_replay and row.document == REPLAY):
            groups.merge(index, by_document.setdefault(row.document, index))
    rows = list(distinct.values())

    linked = 0
    prompts = RunIndex([(sample.contents[row],) for row in rows], settings.near)
    for link in prompts.all(lambda row: groups[rows[row]]):
        groups.merge(rows[link.row], rows[link.other])
        linked += 1
    return groups.subsets(), linked


def split(files: Sequence[str], out: Path, settings: SplitSettings) -> tuple[Split, list[Path]]:
    """Split the rows of the files into `out`; return the split and the paths of its files and manifest.json.

    Raises UserError for unreadable rows, bad settings, files of two row forms, and a part of an earlier split in `out`
    that this one would leave there.
    """
    sample = Sample(load_rows(files))
    result = assign(sample, settings)
    lines: dict[str, list[bytes]] = {part: [] for part in PARTS if part in result.parts}
    forms = set[str]()
    for index, line in raw_lines(sample.rows):
        forms |= FORMS.keys() & msgspec.json.decode(line).keys()
        lines[result.parts[index]].append(line)
    if len(forms) > 1:
        raise UserError(f"{', '.join(files)}: files of two forms cannot be split together. Split them one at a time")
    folder = output_folder(out, files, [*(f"{part}.jsonl" for part in PARTS), CARD, "manifest.json"], MADE_BY)
    left = [path for part in PARTS if part not in lines and (path := folder / f"{part}.jsonl").exists()]
    if left:
        raise UserError(
            f"{left[0]} is from an earlier split, and its rows may be in train.jsonl now. Remove it, or choose another "
            "folder with --out"
        )
    outputs = [write_lines(folder / f"{part}.jsonl", part_lines) for part, part_lines in lines.items()]
    facts = {
        "inputs": inputs(sample.rows),
        "outputs": outputs,
        "settings": msgspec.to_builtins(settings),
        "rows": dict(Counter(result.parts)),
        "groups": result.groups,
        "largest_group": result.largest,
        "joined_by_near_copies": result.linked,
    }
    manifest = write_manifest(folder, MADE_BY, facts)
    return result, [*(folder / f"{part}.jsonl" for part in lines), *_cards(files, folder), manifest]


def _cards(files: Sequence[str], folder: Path) -> list[Path]:
    """Copy the data cards of the files, to which a model card links; remove that of an earlier split."""
    cards = dict.fromkeys(card.read_text("utf-8") for file in files if (card := Path(file).with_name(CARD)).is_file())
    copy = folder / CARD
    if not cards:
        copy.unlink(missing_ok=True)
        return []
    write_atomic(copy, "\n".join(cards), OTHER_FOLDER)
    return [copy]
