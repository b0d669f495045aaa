"""The picture of a running evaluation: stage, rate, time left, running estimates, last misses. Knows no terminal.

The work counts and hands on; the thread that draws does all the rest.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.table import Table

from harness.formatting import format_duration, number
from harness.progress import widgets
from harness.progress.widgets import ProgressRate
from harness.sanitize import shown
from harness.schema import Completion, Estimate, Metric, Record
from harness.stats.estimates import VariantScores, estimate, is_wrong
from harness.stats.score_table import Incoming

if TYPE_CHECKING:
    from harness.progress.progress import Stage, StageShare
    from harness.progress.screen import Screen


class Live:
    """A view (`harness.progress.progress.View`) on the terminal of this descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._picture: Evaluation | None = None
        self._screen: Screen | None = None

    def say(self, text: str) -> None:
        if self._screen is None:
            print(text, file=sys.stderr, flush=True)
        else:
            self._screen.say(text)

    @contextmanager
    def work(self, *names: str) -> Iterator[None]:
        from harness.progress.screen import Screen

        self._picture = Evaluation(names)
        try:
            with Screen(self._descriptor, self._picture.draw) as self._screen:
                yield
        finally:
            self._picture = self._screen = None

    @contextmanager
    def stage(self, name: str, total: int | None, unit: str, shares: Sequence[StageShare]) -> Iterator[Stage]:

        with ExitStack() as opened:
            if self._picture is None:
                opened.enter_context(self.work(name))
            assert self._picture is not None
            stage = LiveStage(name, total, unit, shares)
            self._picture.begin(stage)
            try:
                yield stage
            finally:
                stage.is_over = True
                if total is not None:
                    self.say(stage.summary)


MOST_CHARACTERS = 300


class FailedCase(Struct, frozen=True, kw_only=True):
    """One answer that is not right by the suite's first metric."""

    variant: str
    """Who answered."""
    case_id: str
    """To which case."""
    metric: str
    """The metric it falls short of."""
    expected: str
    """What was expected, in one line."""
    got: str
    """What came, in one line."""


def miss_of(record: Record, metric: Metric) -> FailedCase | None:
    """The miss that a record is; None where the answer is right or the metric does not apply."""
    if not is_wrong(record, metric):
        return None
    return FailedCase(
        variant=one_line(record.variant),
        case_id=one_line(record.case.id),
        metric=metric.name,
        expected=listed(record.case.expected),
        got=_got(record),
    )


def _got(record: Record) -> str:
    if record.error is not None:
        return f"error: {one_line(record.error)}"
    if not record.text_kept:
        return "an answer that was not kept"
    cut = " (cut at the token limit)" if record.completion.finish_reason == "length" else ""
    return (one_line(record.completion.text) or "nothing") + cut


def listed(texts: Sequence[str]) -> str:
    """Expected texts in one line."""
    return one_line("; ".join(texts)) or "none"


def one_line(text: str) -> str:
    """The beginning of a text without line breaks, characters that hide or move others by their names."""
    return " ".join(shown(text[:MOST_CHARACTERS]).split())


MOST_MISSES = 3
ROWS_A_MISS = 2
DECIDES_NOTHING = "so far, decides nothing"
UNTRUSTED = "last misses (untrusted model text)"


class LiveStage:
    """One stage: counts while it goes on."""

    def __init__(self, name: str, total: int | None, unit: str, shares: Sequence[StageShare]) -> None:
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
        return f"{self.name}: {self.done}/{self.total} {self.unit}{kept}{rate}, {format_duration(seconds)}"


class StageAnswers:
    """What is shown of the answers of one stage; belongs to the thread that draws, once it is made."""

    def __init__(self, stage: LiveStage) -> None:
        # loads scipy

        self.stage = stage
        self.running = Running(stage.shares)
        self.misses: deque[FailedCase] = deque(maxlen=MOST_MISSES)
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
        self._pace, self._kept = ProgressRate(), 0
        self._answers: StageAnswers | None = None

    def begin(self, stage: LiveStage) -> None:
        """A stage begins."""
        if stage.shares:
            self._answers = StageAnswers(stage)
        self.begun += 1
        self.stage, self._pace, self._kept = stage, ProgressRate(), 0

    def draw(self, columns: int, rows: int) -> RenderableType:
        """The picture for a terminal of this size, in at most so many rows."""
        stage, now = self.stage, time.monotonic()
        if stage is None:
            return widgets.line("")
        drawn = list(self._head(stage, columns, now))[: max(1, rows - 1)]
        if self._answers is not None:
            self._answers.read(now)
            drawn += _answers(self._answers, columns, rows - len(drawn) - 1)
        return Group(*drawn)

    def _head(self, stage: LiveStage, columns: int, now: float) -> Iterator[RenderableType]:
        if len(self.names) > 1:
            yield widgets.trail(self.names, self.begun - 1)
        spent = format_duration(now - self.began)
        if stage.total is None:
            yield widgets.line(f"{stage.name}, {spent}")
            return
        self._pace.mark(now, stage.done - stage.kept, stage.tokens)
        units, tokens = self._pace.per_s
        left = self._pace.left(stage.total - stage.done)
        yield widgets.bar(stage.done, stage.total, stage.unit)
        yield from widgets.flow([stage.name, self._doing(stage)], columns)
        yield from widgets.flow(
            [
                f"{units:,.1f} {stage.unit}/s" if units else "",
                f"{tokens:,.0f} tokens/s" if tokens else "",
                spent,
                f"about {format_duration(left)} left" if left else "",
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


def _answers(answers: StageAnswers, columns: int, rows: int) -> Iterator[RenderableType]:
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
        yield widgets.line(DECIDES_NOTHING, "bold yellow")
    for shares in shown:
        yield from _suite(shares, answers.running)
    others = len({share.suite for share in answers.stage.shares}) - len(shown)
    if shown and others:
        yield widgets.line(f"suites without room here: {others}", "dim")
    if misses:
        yield widgets.line(UNTRUSTED, "bold")
    for miss in misses:
        yield widgets.line(f"{miss.variant} {miss.case_id} {miss.metric}", "dim")
        expected = widgets.line(miss.expected)
        expected.truncate(columns // 3, overflow="ellipsis")
        yield widgets.line(f"  expected {expected.plain}; got {miss.got}")


def _suite(shares: Sequence[StageShare], running: Running) -> Iterator[RenderableType]:
    """A row for the suite, and one a variant."""
    yield widgets.line(f"{shares[0].suite} {shares[0].metric.name}")
    table = Table.grid(padding=(0, 2, 0, 0))
    for justify in ("left", "right", "right", "left"):
        table.add_column(no_wrap=True, overflow="ellipsis", justify=justify)
    for share in shares:
        level = running.levels[share.suite, share.variant]
        cells = (f"  {share.variant}", f"{level.answers:,}/{share.total:,}", *_level(level))
        table.add_row(*map(widgets.line, cells))
    yield table


def _level(level: RunningLevel) -> tuple[str, str]:
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


EVERY_S = 2.0
SHARE_OF_TIME = 0.01
"""Most processor time that estimates may take; where they would take more, they come less often."""


class RunningLevel:
    """One variant's answers to one suite, and what they say of one metric."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.answers = 0
        self.estimate: Estimate | None = None
        self._incoming: Incoming | None = Incoming()
        self._estimated = 0

    def add(self, record: Record) -> None:
        """One answer more."""
        self.answers += 1
        if self._incoming is not None:
            self._incoming.add(record)

    def refresh(self) -> None:
        """Estimate again, if there are new answers."""
        if self._incoming is not None and self._estimated < self.answers:
            found = VariantScores(self._incoming.columns()).observed(self.metric, "candidate")
            self.estimate = estimate(found, self.metric)
            self._estimated = self.answers

    def finish(self) -> None:
        """Estimate for the last time and let the answers go."""
        self.refresh()
        self._incoming = None


class Running:
    """The levels of all that is asked, by suite and variant."""

    def __init__(self, shares: Iterable[StageShare]) -> None:
        self.levels = {(share.suite, share.variant): RunningLevel(share.metric) for share in shares}
        self._due = 0.0

    def refresh(self, now: float) -> None:
        """Estimate again where it is due."""
        if now < self._due:
            return
        begun = time.thread_time()
        for level in self.levels.values():
            level.refresh()
        self._due = now + max(EVERY_S, (time.thread_time() - begun) / SHARE_OF_TIME)

    def finish(self) -> None:
        """Estimate for the last time and let the answers go."""
        for level in self.levels.values():
            level.finish()
