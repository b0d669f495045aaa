"""Trains every point of a sweep, one process after another, compares them, and asks the winner the test once.

    <output.dir>/sweep-<name>-<8 hex>/
      points/01.toml ...   configuration of each point; `tunegate train` takes it
      sweep.json  sweep.md  sweep.svg

Run folders of the points lie where every training's do. The same command goes on: a finished point is not trained
again, an interrupted one goes on where it stopped, a failed one is tried again.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import replace

from harness.checkpoints import resolve
from harness.errors import EXIT_INTERRUPTED, EXIT_OK, UserError
from harness.files import digest, write_atomic
from harness.formatting import format_duration
from harness.progress.progress import Progress
from harness.progress.terminal import lent
from harness.runs import folder as runs_folder
from harness.suites.prompts import Renderer
from harness.threads import before_torch
from training import validation
from training.config import Config, asked_tables, fingerprint
from training.curation.checks.contamination import WITHOUT_SUITES
from training.data.rows import files_sha256
from training.run import Interrupted
from training.sweep import config as sweep_config
from training.sweep import results, view
from training.sweep.config import SweepPlan
from training.sweep.grid import SweepPoint
from training.sweep.results import SweepMeasure, SweepRow, SweepTable
from training.sweep.test_winner import asked_before, check, confirm
from training.sweep.view import write_plot
from training.validation import Questions

ADAPTER = "adapter: "
"""How `tunegate train` names what it made."""


class Ended(Struct, frozen=True, kw_only=True):
    run: Path | None = None
    """Run folder of a finished training."""
    error: str | None = None
    """Why there is none, in one line."""
    stopped: bool = False
    """It was asked to stop, and can go on."""


class Processes:
    """A context that starts trainings one after another and passes Ctrl-C or a polite kill on to the one that runs.

    A training has a session of its own, so that each signal reaches it once. A second one ends it at once. The
    terminal is lent to it for its live view.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        self.options = options
        """Further options of every `tunegate train`."""
        self.asked_to_stop = False
        self._running: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Processes:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True
        if self._running is not None:
            self._running.send_signal(signal.SIGINT)

    def train(self, config: Path, relay: Callable[[str], None]) -> Ended:
        """Run `tunegate train` on a configuration to its end; `relay` takes each line that it prints."""
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
            self._running = process
            if self.asked_to_stop:
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
                process.send_signal(signal.SIGINT)
                raise
            finally:
                process.wait()
                self._running = None
        return _ended(process.returncode, run, last)


def _ended(code: int, run: Path | None, last: str) -> Ended:
    if code == EXIT_OK and run is not None:
        return Ended(run=run)
    if code in (EXIT_INTERRUPTED, -signal.SIGINT, -signal.SIGTERM):
        return Ended(stopped=True)
    if code < 0:
        name = signal.Signals(-code).name
        return Ended(error=f"killed by {name}; the last it said was: {last or 'nothing'}")
    return Ended(error=last.removeprefix("tunegate: ") or f"ended with code {code} and said nothing")


DIGEST_CHARS = 8


class Sweep(Struct, frozen=True, kw_only=True):
    """A sweep about to run, or that has run."""

    path: Path
    """The sweep file."""
    plan: SweepPlan
    """What it asks for."""
    asked: dict[str, Questions]
    """By table of the training configuration: cases that every point answers while it trains."""
    folder: Path
    """Its folder."""
    table: SweepTable
    """What is known of its points."""

    @property
    def root(self) -> Path:
        """Folder of the run folders."""
        return Path(self.plan.config.output.dir)


def prepare(path: Path) -> Sweep:
    """Read and check everything that a sweep names; no weight is loaded and nothing is written."""
    before_torch()
    plan = sweep_config.load(path)
    config = plan.config
    asked = _questions(config)
    chosen = asked.get("select")
    measure = SweepMeasure()
    if chosen:
        metric = chosen.metric
        measure = SweepMeasure(name=metric.name, higher_is_better=metric.higher_is_better, suite=chosen.suite.name)
    safe = re.sub(r"[^a-z0-9]+", "-", config.output.name.lower()).strip("-")
    folder = Path(config.output.dir) / f"sweep-{safe}-{plan.digest[:DIGEST_CHARS]}"
    rows = [SweepRow(number=p.number, values=p.values, steps_planned=p.steps) for p in plan.points]
    new = SweepTable(name=config.output.name, measure=measure, rows=rows)
    return Sweep(path=path, plan=plan, asked=asked, folder=folder, table=results.read(folder) or new)


def _questions(config: Config) -> dict[str, Questions]:
    if not any(asked.suite for asked in asked_tables(config).values()):
        return {}
    base = resolve.resolve(config.base)
    renderer = Renderer(base.path)
    found = {name: validation.load(asked, name, base, renderer) for name, asked in asked_tables(config).items()}
    return {name: one for name, one in found.items() if one is not None}


def sweep(path: Path, engine: str | None = None, without_suites: bool = False) -> Sweep:
    """Train what is not trained yet, keep the table after every point, confirm the winner.

    UserError where no point could be trained; `training.run.Interrupted` where the user stopped it.
    """
    made = prepare(path)
    if chosen := _to_ask(made):
        check(chosen, made.plan.config, engine)
    progress = Progress()
    (made.folder / "points").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(made.folder / ".lock", timeout=0):
            made = _train_all(made, progress.say, without_suites)
            if made.table.winner is None:
                raise UserError(_no_winner(made.table))
            progress.say(f"sweep: {made.folder / 'sweep.md'}")
            made = _confirmed(made, engine, progress)
    except Timeout:
        raise UserError(f"{path}: this sweep is already running in another process. Wait for it") from None
    return made


def _no_winner(found: SweepTable) -> str:
    if found.ranked:
        metric = found.ranked[0].metric
        return (
            f"no point could be measured: {metric.reason if metric else 'no validation was made'}. Look at its answers"
        )
    failed = "\n".join(f"  point {row.number} ({view.changes(row.values)}): {row.error}" for row in found.failed)
    return f"no point of {len(found.rows)} could be trained. The same command tries them again\n{failed}"


def _train_all(made: Sweep, say: Callable[[str], None], without_suites: bool) -> Sweep:
    points, pace = made.plan.points, SweepPace()
    inputs = {point.number: _inputs(point.config, made.asked) for point in points}
    waiting: list[SweepPoint] = []
    for point, row in zip(points, made.table.rows, strict=True):
        if _is_kept(row, inputs[point.number], made):
            pace.add(row.wall_s or 0.0, point.rows_seen)
        else:
            waiting.append(point)
    if len(waiting) < len(points):
        say(f"sweep: {len(points) - len(waiting)} of {len(points)} points are trained already")
    with Processes([WITHOUT_SUITES] if without_suites else []) as processes:
        for place, point in enumerate(waiting):
            left = pace.left(sum(p.rows_seen for p in waiting[place:]))
            wait = f"; about {format_duration(left)} left for this and the rest" if left and left >= 1 else ""
            say(f"sweep: point {point.number} of {len(points)}: {point.says}{wait}")
            start = time.monotonic()
            row = _train(point, made, processes, inputs[point.number], say)
            pace.add(time.monotonic() - start, point.rows_seen)
            made = _keep(made, row)
    return _keep(made, *made.table.rows)


class SweepPace:
    """Says how long the points that are left will take, from those that are finished, by the rows that they see."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.rows = 0

    def add(self, seconds: float, rows: int) -> None:
        """A point has ended."""
        self.seconds += seconds
        self.rows += rows

    def left(self, rows: int) -> float | None:
        """Seconds for so many rows; None where no point is finished."""
        return rows * self.seconds / self.rows if self.rows else None


def _inputs(config: Config, asked: dict[str, Questions]) -> str:
    """Digest of all that a training's result depends on."""
    files = [files_sha256(config.data.train), files_sha256(config.data.validation)]
    cases = {name: found.digest for name, found in asked.items()}
    return digest([fingerprint(config), resolve.resolve(config.base).digest, files, cases])


def _is_kept(row: SweepRow, inputs: str, made: Sweep) -> bool:
    """The point was trained on what it would be trained on now, and its run folder is still there."""
    return row.status == "finished" and row.inputs == inputs and (made.root / row.run / runs_folder.SEAL).exists()


def _train(point: SweepPoint, made: Sweep, processes: Processes, inputs: str, say: Callable[[str], None]) -> SweepRow:
    """Train one point in a process; its row. Interrupted where the user stopped it."""
    file = made.folder / "points" / f"{point.number:02d}.toml"
    head = f"# Point {point.number} of {made.path.name}: {point.says}\n# Train it alone with: tunegate train {file}\n"
    write_atomic(file, head + point.text, results.REFUSED)
    ended = processes.train(file, lambda line: say(f"  {line}"))
    row = SweepRow(number=point.number, values=point.values, steps_planned=point.steps)
    if ended.run is not None:
        record = runs_folder.load_manifest(ended.run).training or {}
        return results.finished(row, ended.run.name, record, inputs)
    if ended.stopped or processes.asked_to_stop:
        raise Interrupted(
            f"sweep stopped at point {point.number} of {len(made.plan.points)}. The same command goes on: "
            f"tunegate sweep {made.path}"
        )
    say(f"sweep: point {point.number} failed: {ended.error}")
    return replace(row, status="failed", error=ended.error)


def _keep(made: Sweep, *rows: SweepRow) -> Sweep:
    """Put rows into the table and write it: the numbers first, then what is drawn from them."""
    new = {row.number: row for row in rows}
    now = replace(made.table, rows=[new.get(row.number, row) for row in made.table.rows])
    results.write(now, made.folder)
    write_atomic(made.folder / "sweep.md", view.markdown(now), results.REFUSED)
    write_plot(now, made.folder / "sweep.svg")
    return replace(made, table=now)


def _to_ask(made: Sweep) -> Questions | None:
    """Where the test is still to be asked: the cases that choose whom."""
    return None if made.table.confirmed or not made.plan.settings.confirm else made.asked.get("select")


def _confirmed(made: Sweep, engine: str | None, progress: Progress) -> Sweep:
    """Ask the winner the test, where it is still to be asked."""
    chosen, best = _to_ask(made), made.table.winner
    if chosen is None or best is None:
        return made
    suite = chosen.suite
    progress.say(f"sweep: the winner, point {best.number}, is asked the {len(suite.cases)} test cases of {suite.name}")
    config = made.plan.points[best.number - 1].config
    found = confirm(suite, chosen.metric.name, best, config, engine, progress)
    earlier = asked_before(made.root, suite.name, made.folder)
    done = replace(made.table, confirmed=replace(found, earlier=earlier))
    return _keep(replace(made, table=done))


def planned(path: Path, width: int) -> str:
    """What the sweep would train, as text."""
    made = prepare(path)
    measure = made.table.measure
    return view.dry(made.plan.points, f"{measure.name} of {measure.suite}" if measure.suite else measure.name, width)


def shown(made: Sweep, width: int) -> str:
    """The table of a sweep that has run, as text, and where the winner lies."""
    best = made.table.winner
    adapter = f"\nadapter: {made.root / best.run / 'adapter'}" if best else ""
    return f"{view.show(made.table, width)}{adapter}"
