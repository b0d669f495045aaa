"""`tunegate sweep`: trains every point in its own process, ranks them, and tests the winner once.

    <output.dir>/sweep-<name>-<8 hex>/
      points/01.toml ...   configuration of each point, for `tunegate train`
      sweep.json  sweep.md

The run folders of the points are in <output.dir> too. The same command resumes a sweep: finished points are not trained
again, an interrupted point resumes where it stopped, and failed points are retried.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote
from types import FrameType

from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import replace

from harness.checkpoints import resolve
from harness.errors import EXIT_INTERRUPTED, EXIT_OK, UserError
from harness.files import digest, write_atomic
from harness.progress.progress import Progress
from harness.progress.terminal import lent
from harness.progress.time_left import TimeLeft
from harness.runs import folder as runs_folder
from harness.suites.prompts import Renderer
from harness.threads import before_torch
from training import validation
from training.config import Config, fingerprint, question_tables
from training.curation.checks.contamination import WITHOUT_SUITES
from training.data.rows import files_sha256
from training.run import Interrupted, disk_errors, handling
from training.sweep import config as sweep_config
from training.sweep import results, view
from training.sweep.config import SweepPlan
from training.sweep.grid import SweepPoint, as_toml
from training.sweep.results import SweepMeasure, SweepRow, SweepTable
from training.sweep.test_winner import check, confirm, used_before
from training.validation import Questions

ADAPTER = "adapter: "
"""Prefix of the line in which `tunegate train` prints its adapter."""


class Ended(Struct, frozen=True, kw_only=True):
    """How a training process ended."""

    run: Path | None = None
    """Run folder of a finished training run."""
    error: str | None = None
    """Why there is none, in one line."""
    stopped: bool = False
    """Whether it was interrupted and can resume."""


class Processes:
    """Runs training processes one at a time and forwards signals to the current one.

    Each process has its own session, so that each signal reaches it once. A second signal ends it at once. It uses the
    terminal for its live view.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        self.options = options
        """Additional options of every `tunegate train`."""
        self.stop_requested = False
        self._process: subprocess.Popen[str] | None = None

    def forward(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        self.stop_requested = True
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)

    def train(self, config: Path, relay: Callable[[str], None]) -> Ended:
        """Run `tunegate train` on a configuration to its end; `relay` receives each line of its output."""
        command = [sys.executable, "-m", "tunegate.cli.main", "train", str(config), *self.options]
        last, run = "", None
        with (
            lent(sys.stderr) as (descriptors, environment),
            subprocess.Popen(
                command,
                pass_fds=descriptors,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            ) as process,
        ):
            self._process = process
            if self.stop_requested:
                process.send_signal(signal.SIGINT)
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    if line.startswith(ADAPTER):
                        run = Path(line.removeprefix(ADAPTER).strip()).parent
                    elif line.strip():
                        last = line.strip()
                        relay(last)
            except BaseException:
                if not self.stop_requested:  # It has the signal, and a second one would end it at once.
                    process.send_signal(signal.SIGINT)
                raise
            finally:
                process.wait()
                self._process = None
        return _ended(process.returncode, run, last)


def _ended(code: int, run: Path | None, last: str) -> Ended:
    if code == EXIT_OK and run is not None:
        return Ended(run=run)
    if code in (EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGTERM):
        return Ended(stopped=True)
    if code < 0:
        name = signal.Signals(-code).name
        return Ended(error=f"killed by {name}; last output: {last or 'none'}")
    return Ended(error=last.removeprefix("tunegate: ") or f"ended with code {code} without output")


DIGEST_CHARS = 8


class Sweep(Struct, frozen=True, kw_only=True):
    """A sweep before or after it ran."""

    path: Path
    """The sweep file."""
    plan: SweepPlan
    """Its settings and points."""
    questions: dict[str, Questions]
    """Validation cases that every point answers while it trains, by table of the training configuration."""
    folder: Path
    """Its folder."""
    table: SweepTable
    """The state of its points."""

    @property
    def root(self) -> Path:
        """Folder of the run folders."""
        return Path(self.plan.config.output.dir)


def prepare(path: Path) -> Sweep:
    """Read and check everything that a sweep needs, without loading weights or writing files. Raises UserError."""
    before_torch()
    plan = sweep_config.load(path)
    config = plan.config
    questions = _questions(config)
    selection = questions.get("select")
    measure = SweepMeasure()
    if selection:
        metric = selection.metric
        measure = SweepMeasure(name=metric.name, higher_is_better=metric.higher_is_better, suite=selection.suite.name)
    name = re.sub(r"[^a-z0-9]+", "-", config.output.name.lower()).strip("-")
    folder = Path(config.output.dir) / f"sweep-{name}-{plan.digest[:DIGEST_CHARS]}"
    rows = [SweepRow(number=p.number, values=p.values, steps_planned=p.steps) for p in plan.points]
    new = SweepTable(name=config.output.name, measure=measure, rows=rows)
    return Sweep(path=path, plan=plan, questions=questions, folder=folder, table=results.read(folder) or new)


def _questions(config: Config) -> dict[str, Questions]:
    if not any(table.suite for table in question_tables(config).values()):
        return {}
    base = resolve.resolve(config.base)
    return validation.load(config, base, Renderer(base.path))


def sweep(path: Path, engine: str | None = None, without_suites: bool = False) -> Sweep:
    """Train the points that are not trained yet, write the table after every point, and test the winner.

    Raises UserError where no point could be trained, and `training.run.Interrupted` where the user stopped it.
    """
    state = prepare(path)
    if questions := _cases_to_test(state):
        check(questions, state.plan.config, engine)
    progress = Progress()
    try:
        with disk_errors(state.root):
            (state.folder / "points").mkdir(parents=True, exist_ok=True)
            with FileLock(state.folder / ".lock", timeout=0):
                state = replace(state, table=results.read(state.folder) or state.table)
                state = _train_all(state, progress.say, without_suites)
                if state.table.winner is None:
                    raise UserError(_no_winner(state.table))
                progress.say(f"sweep: {state.folder / 'sweep.md'}")
                state = _test_winner(state, engine, progress)
    except Timeout:
        raise UserError(f"{path}: this sweep is already running in another process. Wait for it") from None
    return state


def _no_winner(table: SweepTable) -> str:
    if table.ranked:
        metric = table.ranked[0].metric
        return f"no point could be measured: {metric.reason if metric else 'no validation was made'}"
    failed = "\n".join(f"  point {row.number} ({view.changes(row.values)}): {row.error}" for row in table.failed)
    return f"no point of {len(table.rows)} could be trained. Run the same command to retry\n{failed}"


def _train_all(state: Sweep, say: Callable[[str], None], without_suites: bool) -> Sweep:
    points, pace = state.plan.points, SweepPace()
    inputs = {point.number: _inputs(point.config, state.questions) for point in points}
    pending: list[SweepPoint] = []
    for point, row in zip(points, state.table.rows, strict=True):
        if _is_current(row, inputs[point.number], state):
            pace.add(row.wall_s or 0.0, point.rows_seen)
        else:
            pending.append(point)
    if len(pending) < len(points):
        say(f"sweep: {len(points) - len(pending)} of {len(points)} points are already trained")
    processes = Processes([WITHOUT_SUITES] if without_suites else [])
    with handling(processes.forward):
        for place, point in enumerate(pending):
            left = pace.left(sum(p.rows_seen for p in pending[place:]))
            wait = f"; {left} for this and the rest" if left else ""
            say(f"sweep: point {point.number} of {len(points)}: {point.summary}{wait}")
            start = time.monotonic()
            row = _train(point, state, processes, inputs[point.number], say)
            pace.add(time.monotonic() - start, point.rows_seen)
            state = _store(state, row)
    return _store(state, *state.table.rows)


class SweepPace:
    """Estimates the remaining time from the finished points, in proportion to their rows."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.rows = 0
        self.time_left = TimeLeft(time.monotonic())

    def add(self, seconds: float, rows: int) -> None:
        """Count a finished point."""
        self.seconds += seconds
        self.rows += rows

    def left(self, rows: int) -> str:
        """Say how long a number of rows takes; empty in the first 30 seconds and before any point is finished."""
        return self.time_left.text(rows * self.seconds / self.rows if self.rows else None)


def _inputs(config: Config, questions: dict[str, Questions]) -> str:
    """Return a digest of everything that the result of a training run depends on."""
    files = [files_sha256(config.data.train), files_sha256(config.data.validation)]
    cases = {name: table_questions.digest for name, table_questions in questions.items()}
    return digest([fingerprint(config), resolve.resolve(config.base).digest, files, cases])


def _is_current(row: SweepRow, inputs: str, state: Sweep) -> bool:
    """Whether the point was trained on the current inputs and its run folder still exists."""
    return row.status == "finished" and row.inputs == inputs and (state.root / row.run / runs_folder.SEAL).exists()


def _train(point: SweepPoint, state: Sweep, processes: Processes, inputs: str, say: Callable[[str], None]) -> SweepRow:
    """Train one point in a process and return its row. Raises Interrupted where the user stopped it."""
    file = state.folder / "points" / f"{point.number:02d}.toml"
    head = f"# Point {point.number} of {state.path.name}: {point.summary}\n"
    head += f"# Train it alone with: tunegate train {quote(str(file))}\n"
    write_atomic(file, head + as_toml(point.config), results.REFUSED)
    ended = processes.train(file, lambda line: say(f"  {line}"))
    row = SweepRow(number=point.number, values=point.values, steps_planned=point.steps)
    if ended.run is not None:
        record = runs_folder.load_manifest(ended.run).training or {}
        return results.finished(row, ended.run.name, record, inputs)
    if ended.stopped or processes.stop_requested:
        raise Interrupted(
            f"sweep stopped at point {point.number} of {len(state.plan.points)}. Run the same command to resume: "
            f"tunegate sweep {quote(str(state.path))}"
        )
    say(f"sweep: point {point.number} failed: {ended.error}")
    return replace(row, status="failed", error=ended.error)


def _store(state: Sweep, *rows: SweepRow) -> Sweep:
    """Replace rows of the table and write it: first the numbers, then the page."""
    by_number = {row.number: row for row in rows}
    table = replace(state.table, rows=[by_number.get(row.number, row) for row in state.table.rows])
    results.write(table, state.folder)
    write_atomic(state.folder / "sweep.md", view.markdown(table), results.REFUSED)
    return replace(state, table=table)


def _cases_to_test(state: Sweep) -> Questions | None:
    """Return the validation cases whose suite's test still has to run, if any."""
    return None if state.table.confirmed or not state.plan.settings.confirm else state.questions.get("select")


def _test_winner(state: Sweep, engine: str | None, progress: Progress) -> Sweep:
    """Test the winner, unless a test ran before."""
    questions, best = _cases_to_test(state), state.table.winner
    if questions is None or best is None:
        return state
    suite = questions.suite
    progress.say(f"sweep: testing the winner, point {best.number}: {len(suite.cases)} test cases of {suite.name}")
    config = state.plan.points[best.number - 1].config
    confirmed = confirm(suite, questions.metric.name, best, config, engine, progress)
    earlier = used_before(state.root, suite.name, state.folder)
    table = replace(state.table, confirmed=replace(confirmed, earlier=earlier))
    return _store(replace(state, table=table))


def planned(path: Path, width: int) -> str:
    """Render what the sweep would train."""
    state = prepare(path)
    measure = state.table.measure
    return view.dry(state.plan.points, f"{measure.name} of {measure.suite}" if measure.suite else measure.name, width)


def shown(state: Sweep, width: int) -> str:
    """Render the table of a sweep that has run, and the path of the winner."""
    best = state.table.winner
    adapter = f"\nadapter: {state.root / best.run / 'adapter'}" if best else ""
    return f"{view.show(state.table, width)}{adapter}"
