"""Runs every check over files of training rows and says what `clean` would do. Changes no file.

found = review(["train.jsonl"], Settings(base="smollm2-135m-instruct"))
found.drops                      # row index to the check that drops it
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from msgspec import Struct

from harness.errors import refuse_all
from training.curation.check import Check, CheckResult, CheckSettings, Sample
from training.curation.checks import bias, contamination, duplicates, labels, language, length, pii, style
from training.curation.checks.length import sizes
from training.data.rows import load_rows

CHECKS: tuple[Check, ...] = (
    labels.TOO_FEW_ROWS,
    contamination.CHECK,
    duplicates.EXACT,
    duplicates.NEAR,
    length.REFUSED,
    pii.CHECK,
    duplicates.CONFLICTS,
    length.CUT,
    language.CHECK,
    style.TYPOS,
    style.INFORMAL,
    style.BANNED,
    bias.CHECK,
    labels.NEGATIVES,
    labels.BALANCE,
    length.CHECK,
)


SKIP = "skip"


class Result(Struct, frozen=True, kw_only=True):
    """What one check found."""

    name: str
    says: str
    action: str
    """What `clean` does with its rows: drop, mask, flag or keep."""
    found: CheckResult
    seconds: float


class Review:
    """Rows, settings and what every check found."""

    def __init__(
        self, files: Sequence[str], sample: Sample, settings: CheckSettings, results: Sequence[Result]
    ) -> None:
        self.files = list(files)
        self.sample = sample
        self.settings = settings
        self.results = list(results)

    @cached_property
    def drops(self) -> dict[int, str]:
        """Rows that are left out, by index, with the first check that says so."""
        return self._first("drop")

    @cached_property
    def masked(self) -> set[int]:
        """Rows that are kept and masked."""
        return set(self._first("mask")) - set(self.drops)

    @cached_property
    def dropped_by(self) -> Counter[str]:
        """Rows left out by check; a row counts once."""
        return Counter(self.drops.values())

    @property
    def rows_before(self) -> int:
        return len(self.sample.rows)

    @property
    def rows_after(self) -> int:
        return self.rows_before - len(self.drops)

    @cached_property
    def size(self) -> tuple[str, int, int]:
        """Tokens (words where no base model is given) before and after; masks are not measured again."""
        unit, found = sizes(self.sample, self.settings)
        return unit, sum(found), sum(size for index, size in enumerate(found) if index not in self.drops)

    def _first(self, action: str) -> dict[int, str]:
        rows: dict[int, str] = {}
        for result in self.results:
            if result.action == action:
                for finding in result.found.findings:
                    rows.setdefault(finding.row, result.name)
        return rows


def review(files: Sequence[str], settings: CheckSettings, say: Callable[[str], None] = lambda _: None) -> Review:
    """Read the files and run the checks. Unreadable rows and settings are UserErrors; `say` hears of each check."""
    refuse_all(action_problems(settings.actions), "actions that cannot be taken")
    sample = Sample(load_rows(files))
    results = []
    for check in CHECKS:
        action = settings.actions.get(check.name, check.action)
        if action == SKIP:
            continue
        say(f"{check.name}: {check.says}")
        started = time.perf_counter()
        found = check.find(sample, settings)
        seconds = time.perf_counter() - started
        results.append(Result(name=check.name, says=check.says, action=action, found=found, seconds=seconds))
    return Review(files, sample, settings, results)


def action_problems(actions: Mapping[str, str]) -> list[str]:
    """One problem for each action that a check does not have, or a check that is not there."""
    checks = {check.name: check for check in CHECKS}
    problems = []
    for name, action in actions.items():
        if name not in checks:
            problems.append(f"--action {name}={action}: no check has that name. Known: {', '.join(checks)}")
        elif action not in (allowed := actions_of(checks[name])):
            problems.append(f"--action {name}={action}: expected one of {', '.join(allowed)}")
    return problems


def actions_of(check: Check) -> tuple[str, ...]:
    """What can be done with what a check finds."""
    if check.action == "keep":
        return ("keep", SKIP)
    return ("drop", *(("mask",) if check.action == "mask" else ()), "flag", SKIP)
