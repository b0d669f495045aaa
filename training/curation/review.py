"""The table of checks, and a review: every check run over files of training rows, without changing them.

review(["train.jsonl"], CheckSettings(base="smollm2-135m-instruct")).drops     # row index -> check that drops it
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import msgspec
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


class CheckRun(Struct, frozen=True, kw_only=True):
    """A check that ran, its action and its result."""

    name: str
    description: str
    action: str
    """What `clean` does with the rows: drop, mask, flag or keep."""
    result: CheckResult

    @property
    def rows(self) -> str:
        """Number of rows, for tables; none where the check did not run or describes all rows."""
        return "-" if self.result.skipped or self.action == "keep" else f"{len(self.result.findings):,}"


class Review(Struct, frozen=True, kw_only=True, dict=True):
    """Rows, settings and the result of every check."""

    files: Sequence[str]
    sample: Sample
    settings: CheckSettings
    results: list[CheckRun]

    @cached_property
    def drops(self) -> dict[int, str]:
        """Index of each row that `clean` drops, with the first check that drops it."""
        return self._first("drop")

    @cached_property
    def masked(self) -> set[int]:
        """Indices of rows that are kept with personal data masked."""
        return set(self._first("mask")) - set(self.drops)

    @cached_property
    def dropped_by(self) -> Counter[str]:
        """Number of dropped rows by check; a row counts once."""
        return Counter(self.drops.values())

    @property
    def rows_before(self) -> int:
        return len(self.sample.rows)

    @property
    def rows_after(self) -> int:
        return self.rows_before - len(self.drops)

    @cached_property
    def size(self) -> tuple[str, int, int]:
        """Unit (`tokens`, or `words` without a base model), size before and size after; masks do not change it."""
        unit, lengths = sizes(self.sample, self.settings)
        return unit, sum(lengths), sum(length for row, length in enumerate(lengths) if row not in self.drops)

    def _first(self, action: str) -> dict[int, str]:
        rows: dict[int, str] = {}
        for result in self.results:
            if result.action == action:
                for finding in result.result.findings:
                    rows.setdefault(finding.row, result.name)
        return rows


def review(files: Sequence[str], settings: CheckSettings, say: Callable[[str], None] = lambda _: None) -> Review:
    """Read the files and run the checks; `say` receives a line per check.

    Raises UserError for unreadable rows and bad settings.
    """
    settings = msgspec.structs.replace(settings, language=settings.language.lower())
    refuse_all(
        [*action_problems(settings.actions), *language.language_problems(settings.language)],
        "settings that cannot be used",
    )
    sample = Sample(load_rows(files))
    results = []
    for check in CHECKS:
        action = settings.actions.get(check.name, check.action)
        if action == SKIP:
            continue
        say(f"{check.name}: {check.description}")
        result = check.find(sample, settings)
        results.append(CheckRun(name=check.name, description=check.description, action=action, result=result))
    return Review(files=files, sample=sample, settings=settings, results=results)


def action_problems(actions: Mapping[str, str]) -> list[str]:
    """Return one problem for each unknown check and each action that a check does not allow."""
    checks = {check.name: check for check in CHECKS}
    problems = []
    for name, action in actions.items():
        if name not in checks:
            problems.append(f"--action {name}={action}: unknown check. Known: {', '.join(checks)}")
        elif action not in (allowed := actions_of(checks[name])):
            problems.append(f"--action {name}={action}: expected one of {', '.join(allowed)}")
    return problems


def actions_of(check: Check) -> tuple[str, ...]:
    """Return the actions that a check allows."""
    if check.action == "keep":
        return ("keep", SKIP)
    return ("drop", *(("mask",) if check.action == "mask" else ()), "flag", SKIP)
