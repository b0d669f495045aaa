"""The picture of a running evaluation: stage, rate, time left, running estimates, last misses. Knows no terminal.

The work counts and hands on; the thread that draws does all the rest.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table

from harness.clock import clock
from harness.live import parts
from harness.live.misses import Miss, miss_of
from harness.live.pace import Pace
from harness.schema import Completion, Estimate, Record
from harness.stats.wording import number

if TYPE_CHECKING:
    from harness.live.running import Level, Running
    from harness.progress import Share

MOST_MISSES = 3
ROWS_A_MISS = 2
DECIDES_NOTHING = "so far, decides nothing"
UNTRUSTED = "last misses (untrusted model text)"


class LiveStage:
    """One stage: counts while it goes on."""

    def __init__(self, name: str, total: int | None, unit: str, shares: Sequence[Share]) -> None:
        self.name, self.total, self.unit, self.shares = name, total, unit, shares
        self.began = time.monotonic()
        self.done = self.kept = self.tokens = self.truncated = self.errors = 0
        self.variant, self.verb = "", "is scored"
        self.is_over = False
        self.arrived: deque[tuple[str, Record]] = deque()

    def advance(self, done: int = 1, tokens: int = 0) -> None:
        self.done += done
        self.tokens += tokens

    def answered(self, completion: Completion, kept: bool) -> None:
        self.verb = "is answering"
        self.kept += kept
        self.truncated += completion.finish_reason == "length"
        self.errors += completion.finish_reason == "error"
        self.advance(1, 0 if kept else completion.prompt_tokens + completion.output_tokens)

    def scored(self, suite: str, record: Record) -> None:
        self.variant = record.variant
        if self.shares:
            self.arrived.append((suite, record))

    @property
    def summary(self) -> str:
        """What stays of a stage on the terminal."""
        seconds = time.monotonic() - self.began
        kept = f", {self.kept:,} from the cache" if self.kept else ""
        rate = f", {self.tokens / seconds:,.0f} tokens/s" if self.tokens and seconds else ""
        return f"{self.name}: {self.done}/{self.total} {self.unit}{kept}{rate}, {clock(seconds)}"


class Answers:
    """What is shown of the answers of one stage; belongs to the thread that draws, once it is made."""

    def __init__(self, stage: LiveStage) -> None:
        from harness.live.running import Running  # loads scipy

        self.stage = stage
        self.running = Running(stage.shares)
        self.misses: deque[Miss] = deque(maxlen=MOST_MISSES)
        self.last: list[str] = []

    def read(self, now: float) -> None:
        """Take in what arrived."""
        is_over = self.stage.is_over
        while self.stage.arrived:
            suite, record = self.stage.arrived.popleft()
            level = self.running.levels.get((suite, record.variant))
            if level is not None:
                level.add(record)
                if miss := miss_of(record, level.metric):
                    self.misses.append(miss)
                self.last = [suite, *(name for name in self.last if name != suite)]
        if is_over:
            self.running.finish()
        else:
            self.running.refresh(now)


class Evaluation:
    """The picture of stages that belong together."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.began = time.monotonic()
        self.begun = 0
        self.stage: LiveStage | None = None
        self._pace, self._kept = Pace(), 0
        self._answers: Answers | None = None

    def begin(self, stage: LiveStage) -> None:
        """A stage begins."""
        if stage.shares:
            self._answers = Answers(stage)
        self.begun += 1
        self.stage, self._pace, self._kept = stage, Pace(), 0

    def draw(self, columns: int, rows: int) -> RenderableType:
        """The picture for a terminal of this size, in at most so many rows."""
        stage, now = self.stage, time.monotonic()
        if stage is None:
            return parts.line("")
        drawn = list(self._head(stage, columns, now))[: max(1, rows - 1)]
        if self._answers is not None:
            self._answers.read(now)
            drawn += _answers(self._answers, columns, rows - len(drawn) - 1)
        return Group(*drawn)

    def _head(self, stage: LiveStage, columns: int, now: float) -> Iterator[RenderableType]:
        if len(self.names) > 1:
            yield parts.trail(self.names, self.begun - 1)
        spent = clock(now - self.began)
        if stage.total is None:
            yield parts.line(f"{stage.name}, {spent}")
            return
        self._pace.mark(now, stage.done - stage.kept, stage.tokens)
        units, tokens = self._pace.per_s
        left = self._pace.left(stage.total - stage.done)
        yield parts.bar(stage.done, stage.total, stage.unit)
        yield from parts.flow([stage.name, self._doing(stage)], columns)
        yield from parts.flow(
            [
                f"{units:,.1f} {stage.unit}/s" if units else "",
                f"{tokens:,.0f} tokens/s" if tokens else "",
                spent,
                f"about {clock(left)} left" if left else "",
                f"{stage.kept:,} from the cache" if stage.kept else "",
                f"{stage.truncated:,} cut at the token limit" if stage.truncated else "",
                f"{stage.errors:,} errors" if stage.errors else "",
            ],
            columns,
        )

    def _doing(self, stage: LiveStage) -> str:
        """Where the answers come from now."""
        kept, self._kept = self._kept, stage.kept
        if stage.kept > kept:
            return "answers come from the cache"
        if stage.done == stage.kept and stage.done < (stage.total or 0):
            return "waiting for the first new answer"
        return f"{stage.variant} {stage.verb}" if stage.variant and not stage.is_over else ""


def _answers(answers: Answers, columns: int, rows: int) -> Iterator[RenderableType]:
    """Estimates of the suites that were answered last, and misses, in at most so many rows."""
    misses = list(answers.misses)[-max(0, rows // 3 // ROWS_A_MISS) :] if rows >= 3 * ROWS_A_MISS else []
    rows -= len(misses) * ROWS_A_MISS + bool(misses)
    suites = answers.last or [share.suite for share in answers.stage.shares[:1]]
    by_suite = {name: [s for s in answers.stage.shares if s.suite == name] for name in suites}
    shown, left = [], rows - 2
    for shares in by_suite.values():
        left -= 1 + len(shares)
        if left < 0:
            break
        shown.append(shares)
    if shown:
        yield parts.line(DECIDES_NOTHING, "bold yellow")
    for shares in shown:
        yield from _suite(shares, answers.running)
    others = len({share.suite for share in answers.stage.shares}) - len(shown)
    if shown and others:
        yield parts.line(f"suites without room here: {others}", "dim")
    if misses:
        yield parts.line(UNTRUSTED, "bold")
    for miss in misses:
        yield parts.line(f"{miss.variant} {miss.case_id} {miss.metric}", "dim")
        expected = parts.line(miss.expected)
        expected.truncate(columns // 3, overflow="ellipsis")
        yield parts.line(f"  expected {expected.plain}; got {miss.got}")


def _suite(shares: Sequence[Share], running: Running) -> Iterator[RenderableType]:
    """A row for the suite, and one a variant."""
    yield parts.line(f"{shares[0].suite} {shares[0].metric.name}")
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "right", "left"):
        table.add_column(no_wrap=True, overflow="ellipsis", justify=justify)
    for share in shares:
        level = running.levels[share.suite, share.variant]
        cells = (f"  {share.variant}", f"{level.answers:,}/{share.total:,}", *_level(level))
        table.add_row(*map(parts.line, cells))
    yield table


def _level(level: Level) -> tuple[str, str]:
    """The estimate and its interval."""
    found = level.estimate
    if found is None:
        return "", ""
    if found.value is None:
        return "", found.reason or ""
    is_share = level.metric.over_labels or found.value <= 1
    return number(found.value, is_share), _interval(found, is_share)


def _interval(found: Estimate, is_share: bool) -> str:
    if found.low is None or found.high is None:
        return found.method
    return f"{number(found.low, is_share).removesuffix('%')} to {number(found.high, is_share)}"
