"""Splits rows into train, validation and test so that no document, and no near copy of one, is in two of them.

Rows belong together where they name the same document (their field "cluster", "document" or "source"), or have the
same or nearly the same prompt, stock lines aside. Whole groups are drawn, in an order that the seed and the rows' own
content decide: the same rows in another order, or under other file names, are split alike.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from harness.errors import UserError
from training.curation.check import NEAR, Sample
from training.curation.checks.duplicates import key, links
from training.curation.clean import inputs, output_folder, raw_lines, write_lines, write_manifest
from training.data.rows import DOCUMENT_FIELDS, load_rows

By = Literal["auto", "document", "input"]
BY = get_args(By)
PARTS = ("train", "validation", "test")


class SplitSettings(Struct, frozen=True, kw_only=True):
    """How rows are split; the manifest holds it."""

    validation: float = 0.1
    """Share of the rows for validation."""
    test: float = 0.0
    """Share of the rows for the test."""
    seed: int = 0
    """Another seed draws other groups."""
    by: By = "auto"
    """By the documents that every row must name, by the prompts alone, or by the document where a row names one."""
    near: float = NEAR
    """Similarity from which two prompts are kept together."""


class Split(Struct, frozen=True, kw_only=True):
    """The part of every row, and how it came about."""

    parts: list[str]
    """`train`, `validation` or `test`, a row each."""
    groups: int
    """Groups that were drawn."""
    largest: int
    """Rows of the largest group."""
    linked: int
    """Groups that were joined since their prompts are near copies."""


def assign(sample: Sample, settings: SplitSettings) -> Split:
    """Draw a part for every group of rows. A share without a row is a UserError."""
    _check(sample, settings)
    group_of, linked = _groups(sample, settings)
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(group_of):
        members[group].append(index)
    named = {min(key(sample.prompts[i], sample.answers[i]) for i in rows): rows for rows in members.values()}
    order = [rows for _, rows in sorted(named.items())]
    random.Random(settings.seed).shuffle(order)
    count = len(sample.rows)
    left = {"test": round(settings.test * count), "validation": round(settings.validation * count)}
    wanted = {part for part in left if getattr(settings, part)}
    parts = ["train"] * count
    for rows in order:
        part = next((name for name in ("test", "validation") if len(rows) <= left[name]), "train")
        if part != "train":
            left[part] -= len(rows)
        for index in rows:
            parts[index] = part
    empty = [part for part in PARTS if part not in parts and (part == "train" or part in wanted)]
    largest = max(map(len, members.values()))
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


def _groups(sample: Sample, settings: SplitSettings) -> tuple[list[int], int]:
    """A number for each row, equal for rows that stay together; and how many groups near copies joined."""
    parent = list(range(len(sample.rows)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    same: dict[Any, int] = {}
    distinct: dict[bytes, int] = {}
    for index, row in enumerate(sample.rows):
        content = sample.contents[index]
        said = key(content) if content else key(sample.prompts[index], sample.answers[index])
        parent[root(index)] = root(distinct.setdefault(said, index))
        if row.document and settings.by != "input":
            parent[root(index)] = root(same.setdefault(row.document, index))
    rows = list(distinct.values())

    def together(one: int, other: int) -> bool:
        return root(rows[one]) == root(rows[other])

    linked = 0
    for link in links([(sample.contents[row],) for row in rows], settings.near, together):
        parent[root(rows[link.row])] = root(rows[link.other])
        linked += 1
    return [root(index) for index in range(len(parent))], linked


def split(files: Sequence[str], out: Path, settings: SplitSettings) -> tuple[Split, list[Path]]:
    """Split the rows of the files; writes train.jsonl, validation.jsonl, test.jsonl where asked for, manifest.json."""
    sample = Sample(load_rows(files))
    found = assign(sample, settings)
    lines: dict[str, list[bytes]] = {part: [] for part in PARTS if part in found.parts}
    forms = set()
    for index, line in raw_lines(sample.rows):
        forms.add("messages" in msgspec.json.decode(line))
        lines[found.parts[index]].append(line)
    if len(forms) > 1:
        raise UserError(f"{', '.join(files)}: files of two forms cannot be split into one. Split them one at a time")
    folder = output_folder(out, files, [*(f"{part}.jsonl" for part in PARTS), "manifest.json"])
    outputs = [write_lines(folder / f"{part}.jsonl", some) for part, some in lines.items()]
    facts = {
        "inputs": inputs(sample.rows),
        "outputs": outputs,
        "settings": msgspec.to_builtins(settings),
        "rows": dict(Counter(found.parts)),
        "groups": found.groups,
        "largest_group": found.largest,
        "joined_by_near_copies": found.linked,
    }
    made = write_manifest(folder, "tunegate data split", facts)
    return found, [*(folder / f"{part}.jsonl" for part in lines), made]
