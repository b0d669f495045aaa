"""A screen for bias: rows that differ only in words such as "he" and "she" and have different answers.

It compares existing rows and generates none. It covers two groups, the words of `swaps.toml` and English. No finding
does not mean that the data is fair, and different shares may have a good reason.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, RowFinding, Sample, short
from training.curation.checks.duplicates import folded
from training.curation.checks.labels import counted, labels

WORDS = Path(__file__).with_name("swaps.toml")
WORD = re.compile(r"[a-z]+")
SHOWN_LABELS = 10
MIN_ROWS = 30
"""Shares of labels are compared if each group has this many rows."""
APART = 0.1
"""Labels are reported from this difference of shares on."""


class Swaps(NamedTuple):
    """The names of the two groups, and for each word its group and the placeholder of it and its counterparts."""

    names: tuple[str, str]
    words: dict[str, tuple[int, str]]


@lru_cache(maxsize=1)
def swaps() -> Swaps:
    """Read `swaps.toml`."""
    listed = tomllib.loads(WORDS.read_text("utf-8"))
    words = {
        word: (group, f"<{number}>")
        for number, swap in enumerate(listed["swap"])
        for group, side in enumerate(("first", "second"))
        for word in swap[side]
    }
    return Swaps((listed["groups"]["first"], listed["groups"]["second"]), words)


class Neutral(NamedTuple):
    """A text with placeholders for the words of both groups, and the groups that occur in it."""

    text: str
    groups: frozenset[int]


def neutral(text: str) -> Neutral:
    """Fold a text and replace the words of both groups."""
    words = swaps().words
    groups = set()

    def replace(match: re.Match[str]) -> str:
        known = words.get(match[0])
        if known is None:
            return match[0]
        groups.add(known[0])
        return known[1]

    return Neutral(WORD.sub(replace, folded(text)), frozenset(groups))


def find(sample: Sample, settings: CheckSettings) -> CheckResult:
    """Report each row that differs from an earlier one only in the words of the groups, and has another answer."""
    if settings.language != "en":
        return CheckResult(skipped=f"this check covers English only, and --language is {settings.language}")
    prompts = [neutral(text) for text in sample.contents]
    words = " and ".join(f"“{name}”" for name in swaps().names)
    earlier: dict[str, dict[frozenset[int], dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    findings = []
    for index, prompt in enumerate(prompts):
        if not prompt.groups:
            continue
        answer = neutral(sample.answers[index]).text
        by_groups = earlier[prompt.text]
        # Of the answers to the same words, the first or the second is another one, however many there are.
        others = [
            other
            for groups, rows in by_groups.items()
            if groups != prompt.groups
            for other_answer, other in islice(rows.items(), 2)
            if other_answer != answer
        ]
        if others:
            reason = f"differs from {sample.where(min(others))} only in words such as {words}, another answer"
            findings.append(sample.pair(index, min(others), reason, sample.quote_answer))
        by_groups[prompt.groups].setdefault(answer, index)
    return _shares(sample, [prompt.groups for prompt in prompts], findings)


def _shares(sample: Sample, groups: Sequence[frozenset[int]], findings: list[RowFinding]) -> CheckResult:
    """Add to the findings the number of rows of each group, and the labels that one group gets more often."""
    names = swaps().names
    alone = [[index for index, row_groups in enumerate(groups) if row_groups == {group}] for group in (0, 1)]
    counts = {name: len(rows) for name, rows in zip(names, alone, strict=True)}
    both = sum(len(row_groups) == 2 for row_groups in groups)
    notes = [
        f"A screen, not a proof. Rows with words such as “{names[0]}” alone: {len(alone[0]):,}; such as “{names[1]}” "
        f"alone: {len(alone[1]):,}; both: {both:,}.",
    ]
    by_row = labels(sample.answers)
    tables = []
    if by_row is not None and min(map(len, alone)) >= MIN_ROWS:
        shares = [{label: count / len(rows) for label, count in counted([by_row[i] for i in rows])} for rows in alone]
        apart = {label: shares[0].get(label, 0.0) - shares[1].get(label, 0.0) for label in shares[0] | shares[1]}
        largest = sorted(apart, key=lambda label: (-abs(apart[label]), label))[:SHOWN_LABELS]
        rows = [[short(x, 60), f"{shares[0].get(x, 0):.1%}", f"{shares[1].get(x, 0):.1%}"] for x in largest]
        tables.append(FindingTable(title="Labels by group", headings=["label", *names], rows=rows))
        differing = [short(label, 60) for label in largest if abs(apart[label]) >= APART]
        if differing:
            notes.append(f"Shares differ by {APART:.0%} of the rows or more for: {', '.join(differing)}.")
    return CheckResult(findings=findings, notes=notes, tables=tables, counts={"both": both, **counts})


CHECK = Check(
    name="counterfactual_swaps",
    description="A screen for bias: rows that differ only in words such as “he” and “she”, with different answers.",
    action="flag",
    find=find,
)
