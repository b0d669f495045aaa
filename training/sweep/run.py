"""Trains every point of a sweep, one process after another, compares them, and asks the winner the test once.

    <output.dir>/sweep-<name>-<8 hex>/
      points/01.toml ...   configuration of each point; `tunegate train` takes it
      sweep.json  sweep.md  sweep.svg

Run folders of the points lie where every training's do. The same command goes on: a finished point is not trained
again, an interrupted one goes on where it stopped, a failed one is tried again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import replace

from harness import checkpoints, store
from harness.clock import clock
from harness.digest import digest
from harness.errors import UserError
from harness.progress import Progress
from harness.prompts import Renderer
from harness.threads import before_torch
from training import questions
from training.config import Config, asked_tables, fingerprint
from training.curation.refusal import WITHOUT_SUITES
from training.questions import Questions
from training.rows import files_sha256
from training.run import Interrupted
from training.sweep import settings, table, view
from training.sweep.confirm import asked_before, check, confirm
from training.sweep.plot import write_plot
from training.sweep.points import Point
from training.sweep.process import Processes
from training.sweep.settings import Plan
from training.sweep.table import Measure, Row, Table

DIGEST_CHARS = 8


class Sweep(Struct, frozen=True, kw_only=True):
    """A sweep about to run, or that has run."""

    path: Path
    """The sweep file."""
    plan: Plan
    """What it asks for."""
    asked: dict[str, Questions]
    """By table of the training configuration: cases that every point answers while it trains."""
    folder: Path
    """Its folder."""
    table: Table
    """What is known of its points."""

    @property
    def root(self) -> Path:
        """Folder of the run folders."""
        return Path(self.plan.config.output.dir)


def prepare(path: Path) -> Sweep:
    """Read and check everything that a sweep names; no weight is loaded and nothing is written."""
    before_torch()
    plan = settings.load(path)
    config = plan.config
    asked = _questions(config)
    chosen = asked.get("select")
    measure = Measure()
    if chosen:
        metric = chosen.metric
        measure = Measure(name=metric.name, higher_is_better=metric.higher_is_better, suite=chosen.suite.name)
    safe = re.sub(r"[^a-z0-9]+", "-", config.output.name.lower()).strip("-")
    folder = Path(config.output.dir) / f"sweep-{safe}-{plan.digest[:DIGEST_CHARS]}"
    rows = [Row(number=p.number, values=p.values, steps_planned=p.steps) for p in plan.points]
    new = Table(name=config.output.name, measure=measure, rows=rows)
    return Sweep(path=path, plan=plan, asked=asked, folder=folder, table=table.read(folder) or new)


def _questions(config: Config) -> dict[str, Questions]:
    if not any(asked.suite for asked in asked_tables(config).values()):
        return {}
    base = checkpoints.resolve(config.base)
    renderer = Renderer(base.path)
    found = {name: questions.load(asked, name, base, renderer) for name, asked in asked_tables(config).items()}
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


def _no_winner(found: Table) -> str:
    if found.ranked:
        metric = found.ranked[0].metric
        return (
            f"no point could be measured: {metric.reason if metric else 'no validation was made'}. Look at its answers"
        )
    failed = "\n".join(f"  point {row.number} ({view.changes(row.values)}): {row.error}" for row in found.failed)
    return f"no point of {len(found.rows)} could be trained. The same command tries them again\n{failed}"


def _train_all(made: Sweep, say: Callable[[str], None], without_suites: bool) -> Sweep:
    points, pace = made.plan.points, Pace()
    inputs = {point.number: _inputs(point.config, made.asked) for point in points}
    waiting: list[Point] = []
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
            wait = f"; about {clock(left)} left for this and the rest" if left and left >= 1 else ""
            say(f"sweep: point {point.number} of {len(points)}: {point.says}{wait}")
            start = time.monotonic()
            row = _train(point, made, processes, inputs[point.number], say)
            pace.add(time.monotonic() - start, point.rows_seen)
            made = _keep(made, row)
    return _keep(made, *made.table.rows)


class Pace:
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
    return digest([fingerprint(config), checkpoints.resolve(config.base).digest, files, cases])


def _is_kept(row: Row, inputs: str, made: Sweep) -> bool:
    """The point was trained on what it would be trained on now, and its run folder is still there."""
    return row.status == "finished" and row.inputs == inputs and (made.root / row.run / store.SEAL).exists()


def _train(point: Point, made: Sweep, processes: Processes, inputs: str, say: Callable[[str], None]) -> Row:
    """Train one point in a process; its row. Interrupted where the user stopped it."""
    file = made.folder / "points" / f"{point.number:02d}.toml"
    head = f"# Point {point.number} of {made.path.name}: {point.says}\n# Train it alone with: tunegate train {file}\n"
    table.replace_file(file, (head + point.text).encode())
    ended = processes.train(file, lambda line: say(f"  {line}"))
    row = Row(number=point.number, values=point.values, steps_planned=point.steps)
    if ended.run is not None:
        record = store.load_manifest(ended.run).training or {}
        return table.finished(row, ended.run.name, record, inputs)
    if ended.stopped or processes.asked_to_stop:
        raise Interrupted(
            f"sweep stopped at point {point.number} of {len(made.plan.points)}. The same command goes on: "
            f"tunegate sweep {made.path}"
        )
    say(f"sweep: point {point.number} failed: {ended.error}")
    return replace(row, status="failed", error=ended.error)


def _keep(made: Sweep, *rows: Row) -> Sweep:
    """Put rows into the table and write it: the numbers first, then what is drawn from them."""
    new = {row.number: row for row in rows}
    now = replace(made.table, rows=[new.get(row.number, row) for row in made.table.rows])
    table.write(now, made.folder)
    table.replace_file(made.folder / "sweep.md", view.markdown(now).encode())
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
