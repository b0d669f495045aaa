"""Screens for bias by swapped words: rows that are equal but for "he" and "she" and have other answers. A screen only.

It compares the rows that are there, and invents none. It sees the words of `swaps.toml`, two groups, and English; that
it finds nothing does not make data fair, and a difference in shares may have a good reason.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from training.curation.check import Check, CheckResult, CheckSettings, FindingTable, RowFinding, Sample, short
from training.curation.checks.duplicates import folded
from training.curation.checks.labels import counted, labels

WORDS = Path(__file__).with_name("swaps.toml")
WORD = re.compile(r"[a-z]+")
SHOWN_LABELS = 10
FEWEST_ROWS = 30
"""Rows of each group from which shares of labels are compared."""
APART = 0.1
"""Difference of shares from which a label is named."""


class Swaps(NamedTuple):
    """The two groups' names, and for each word its group and what stands for it and its counterparts."""

    names: tuple[str, str]
    words: dict[str, tuple[int, str]]


@lru_cache(maxsize=1)
def swaps() -> Swaps:
    """The project's own list."""
    listed = tomllib.loads(WORDS.read_text("utf-8"))
    words = {
        word: (group, f"<{number}>")
        for number, swap in enumerate(listed["swap"])
        for group, side in enumerate(("first", "second"))
        for word in swap[side]
    }
    return Swaps((listed["groups"]["first"], listed["groups"]["second"]), words)


class Neutral(NamedTuple):
    """A text with the words of both groups replaced, and the groups that it names."""

    text: str
    groups: frozenset[int]


def neutral(text: str) -> Neutral:
    """The text, folded, without what tells the groups apart."""
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
    """Each row that equals an earlier one but for the words of the groups, and has another answer."""
    if settings.language != "en":
        return CheckResult(skipped=f"only English words are known, and the language is {settings.language}")
    prompts = [neutral(text) for text in sample.contents]
    earlier: dict[str, list[int]] = defaultdict(list)
    findings = []
    for index, prompt in enumerate(prompts):
        if not prompt.groups:
            continue
        answer = neutral(sample.answers[index]).text
        for other in earlier[prompt.text]:
            if prompts[other].groups != prompt.groups and neutral(sample.answers[other]).text != answer:
                findings.append(_finding(sample, index, other))
                break
        earlier[prompt.text].append(index)
    return _shares(sample, [prompt.groups for prompt in prompts], findings)


def _finding(sample: Sample, index: int, other: int) -> RowFinding:
    first, second = swaps().names
    return RowFinding(
        row=index,
        reason=f"equals {sample.where(other)} but for words such as “{first}” and “{second}”, and has another answer",
        quote=short(sample.answers[index]),
        other=sample.where(other),
        other_quote=short(sample.answers[other]),
    )


def _shares(sample: Sample, groups: Sequence[frozenset[int]], findings: list[RowFinding]) -> CheckResult:
    """The findings with how many rows name each group alone, and the labels that one group is given more often."""
    names = swaps().names
    alone = [[index for index, some in enumerate(groups) if some == {group}] for group in (0, 1)]
    both = sum(len(some) == 2 for some in groups)
    notes = [
        f"A screen, no proof. Rows with words such as “{names[0]}” alone: {len(alone[0]):,}; such as “{names[1]}” "
        f"alone: {len(alone[1]):,}; both: {both:,}.",
    ]
    found = labels(sample.answers)
    tables = []
    if found is not None and min(map(len, alone)) >= FEWEST_ROWS:
        shares = [{label: count / len(rows) for label, count in counted([found[i] for i in rows])} for rows in alone]
        apart = {label: shares[0].get(label, 0.0) - shares[1].get(label, 0.0) for label in shares[0] | shares[1]}
        most = sorted(apart, key=lambda label: (-abs(apart[label]), label))[:SHOWN_LABELS]
        rows = [[short(x, 60), f"{shares[0].get(x, 0):.1%}", f"{shares[1].get(x, 0):.1%}"] for x in most]
        tables.append(FindingTable(title="Labels by group", headings=["label", *names], rows=rows))
        far = [short(label, 60) for label in most if abs(apart[label]) >= APART]
        if far:
            notes.append(f"Shares differ by {APART:.0%} of the rows or more for: {', '.join(far)}.")
    return CheckResult(findings=findings, notes=notes, tables=tables, counts={"both": both, **_by_name(names, alone)})


def _by_name(names: Sequence[str], alone: Sequence[Sequence[int]]) -> dict[str, int]:
    return {name: len(rows) for name, rows in zip(names, alone, strict=True)}


CHECK = Check(
    name="counterfactual_swaps",
    says="A screen for bias: rows that are equal but for words such as “he” and “she”, and have other answers.",
    action="flag",
    find=find,
)
