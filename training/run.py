"""Turns a configuration into a finished training run: a run folder with adapter, log, curve and record.

    <output.dir>/<utc>-<name>-<8 hex>/
      run.json  train_log.jsonl  loss_curve.svg  adapter/
      last/       state of an unfinished run; gone once the run is finished
      MANIFEST.sha256

The same command goes on with an unfinished run, and returns a finished one as it is.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from filelock import FileLock, Timeout

from harness import checkpoints, store
from harness.digest import digest
from harness.engines.preflight import examine
from harness.errors import EXIT_INTERRUPTED, MissingExtra, UserError
from harness.provenance import environment, git_state
from harness.schema import BASELINE, CANDIDATE, Manifest
from harness.threads import before_torch
from training import model_card, model_checks
from training.config_file import load
from training.diagnosis import diagnose
from training.hooks import DATA, RESULT
from training.job import Job, prepare
from training.rates import rates
from training.stop import StopSignal
from training.team import Team
from training.trackers import Trackers

if TYPE_CHECKING:
    from training.checkpointing import State

REFUSALS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
)
"""How a disk says that it takes nothing."""


class Interrupted(UserError):
    """The user stopped the training; the same command goes on with it."""

    exit_code = EXIT_INTERRUPTED


def train(
    config_path: Path | str,
    *,
    run_dir: Path | None = None,
    progress: Callable[[Any], None] | None = None,
    fresh: bool = False,
    without_suites: bool = False,
) -> Path:
    """Train as the TOML file says; returns the run folder.

    An unfinished run of the same settings and data goes on, a finished one is returned at once; `fresh` starts anew.
    `run_dir` names the run to go on with; other settings or data than it began with are a UserError that names them.
    `without_suites` allows a training where no suite is found whose cases its rows could be compared with.
    `progress` takes every `training.hooks.Update`; without it they are shown on stderr. Of several processes of a
    launcher only the first returns; the others end here.
    """
    for package in ("torch", "transformers", "peft", "accelerate"):
        _need(package)
    before_torch()
    team = Team()
    from training.progress import TrainingProgress

    shown = TrainingProgress(quiet=progress is not None or not team.is_first, is_alone=team.size == 1)
    with closing(shown), ExitStack() as held:
        shown.at(DATA)
        own = team.in_turn(
            lambda: prepare(load(Path(config_path), model_checks.model_problems), shown.say, without_suites)
        )
        job = agreed(team, own)
        shown.held = job.held
        with _disk(Path(job.config.output.dir)):
            folder, finished = team.from_first(lambda: _claim(config_path, job, run_dir, fresh, held))
            if finished:
                shown.say(f"training: already finished: {folder}. --fresh trains again")
            else:
                _train(job, team, store.RunFolder(folder), progress or shown, shown)
        if not team.is_first:
            team.leave()
        return folder


def agreed(team: Team, job: Job) -> Job:
    """The job, with the memory plan of the first process; settings and data must be the same in all of them."""
    fingerprint, checkpointing = team.from_first(lambda: (job.fingerprint, job.checkpointing))
    others = [key for key, value in fingerprint.items() if job.fingerprint.get(key) != value]

    def compare() -> None:
        if others:
            raise UserError(
                f"{', '.join(others)} differ from the first process's. Every machine needs the same files and settings"
            )

    team.in_turn(compare)
    return msgspec.structs.replace(job, checkpointing=checkpointing)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Say in one line what the disk refuses; whatever else goes wrong keeps its traceback."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise UserError(
            f"{error.filename or folder}: cannot be written ({error.strerror}). Free space and run the same command "
            "again; what was finished is kept"
        ) from None


def _claim(config_path: Path | str, job: Job, run_dir: Path | None, fresh: bool, held: ExitStack) -> tuple[Path, bool]:
    """The run's folder, and whether the run is finished; no other training has it until `held` is closed."""
    root = Path(job.config.output.dir)
    root.mkdir(parents=True, exist_ok=True)
    try:
        held.enter_context(FileLock(root / f".{digest(job.fingerprint)[:16]}.lock", timeout=0))
    except Timeout:
        raise UserError(f"{config_path}: this training is already running in another process. Wait for it") from None
    name = job.config.output.name
    begun = run_dir or (None if fresh else find(root, name, job.fingerprint))
    folder = begun or root / store.new_run_id(name)
    return folder, (folder / store.SEAL).exists()


def _need(package: str) -> None:
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtra("training", package, "train")


def find(root: Path, name: str, wanted: dict[str, Any]) -> Path | None:
    """The newest run of this name with the same settings and data; a finished one goes first."""
    same = []
    for folder in sorted(root.glob("*/")):
        if not (folder / "run.json").exists():
            continue
        manifest = store.load_manifest(folder)
        record = manifest.training or {}
        if manifest.kind == "train" and record.get("fingerprint") == wanted and record["name"] == name:
            same.append(((folder / store.SEAL).exists(), folder.name, folder))
    return max(same)[2] if same else None


def _train(job: Job, team: Team, run: store.RunFolder, progress: Callable[[Any], None], shown: Any) -> None:
    from training.writing import LAST

    state = team.in_turn(lambda: _begin(job, run, team.is_first))
    if not team.is_first:
        _follow(job, state, run.path)
        return
    if state.step:
        shown.say(f"training: goes on after step {state.step} of {len(job.steps)}: {run.path}")
    try:
        facts = _lead(job, state, run, progress, shown)
        shown.at(RESULT)
        _finish(job, run, facts, shown.say)
    except Interrupted:
        raise
    except Exception:
        with suppress(UserError):  # A full disk takes no record of it either.
            _end(run, "failed")
        raise
    shutil.rmtree(run.path / LAST, ignore_errors=True)
    shown.say(f"training: finished: {run.path}")


def _begin(job: Job, run: store.RunFolder, writes: bool) -> State:
    """The state to go on from; the process that writes also cuts the log back to it and opens the record.

    The folder comes last, so that a training killed on its way leaves none without a record.
    """
    from training.checkpointing import State, load, rewind_log
    from training.writing import LAST

    state = load(run.path / LAST, job.fingerprint) or State(fingerprint=job.fingerprint)
    if writes:
        rewind_log(run.path / "train_log.jsonl", state.step)
        manifest = _manifest(job, run.path)
        run.path.mkdir(exist_ok=True)
        try:
            run.write_manifest(manifest)
        except UserError:
            with suppress(OSError):
                run.path.rmdir()
            raise
    return state


def _lead(job: Job, state: State, run: store.RunFolder, progress: Callable[[Any], None], shown: Any) -> dict[str, Any]:
    """Train, write, and return what the run records of it."""
    from training.hooks import Stopped
    from training.session import fit
    from training.writing import Writer

    trackers = Trackers(job.config.records.trackers, run.path, job.fingerprint, state.step, shown.say)
    with closing(trackers), StopSignal() as stop:
        writer = Writer(run, trackers, stop.is_set)
        try:
            facts = fit(job, state, writer.hooks(progress, shown.at), run.path / "adapter")
        except (Stopped, KeyboardInterrupt):
            writer.check()
            _end(run, "interrupted")
            raise Interrupted(
                f"training stopped after step {state.step} of {len(job.steps)}. The same command goes on: {run.path}"
            ) from None
        writer.check()
    return facts


def _follow(job: Job, state: State, path: Path) -> None:
    """Train beside the first process, which writes, and says why where it ends early."""
    from training.hooks import Hooks, NotFinite, Stopped
    from training.session import fit

    with StopSignal(quiet=True) as stop, suppress(Stopped, KeyboardInterrupt, NotFinite):
        hooks = Hooks(log=_nothing, save=_nothing, progress=_nothing, stop=stop.is_set)
        fit(job, state, hooks, path / "adapter")


def _nothing(_: Any) -> None:
    pass


def _manifest(job: Job, path: Path) -> Manifest:
    began = path / "run.json"
    started = store.load_manifest(path).started if began.exists() else store.now()
    config: dict[str, Any] = msgspec.to_builtins(job.config)
    training = {
        "name": job.config.output.name,
        "config": config,
        "dtype": job.dtype,
        "steps_planned": len(job.steps),
        "train": job.train.facts,
        "validation": job.validation.facts if job.validation else None,
        "contamination": job.contamination,
        "data": model_card.data_facts(job.config.data),
        "fingerprint": job.fingerprint,
    }
    return Manifest(
        run_id=path.name,
        kind="train",
        status="running",
        started=started,
        git=git_state(Path.cwd()),
        checkpoints={BASELINE: job.base},
        env=environment(),
        training=training,
    )


def _end(run: store.RunFolder, status: Any, **more: Any) -> None:
    manifest = store.load_manifest(run.path)
    run.write_manifest(msgspec.structs.replace(manifest, status=status, ended=store.now(), **more))


def _finish(job: Job, run: store.RunFolder, facts: dict[str, Any], say: Callable[[str], None]) -> None:
    """Curve, diagnosis, record, model card and seal."""
    from training.curves import write_curve

    begun = store.load_run(run.path)
    log, manifest = begun.train_log, begun.manifest
    write_curve(log, run.path / "loss_curve.svg")
    adapter = checkpoints.resolve(str(run.path))
    files = {f"adapter/{f.name}": checkpoints.file_sha256(f) for f in sorted((run.path / "adapter").iterdir())}
    record = {
        **(manifest.training or {}),
        **facts,
        "rates": rates(log, facts["peak_flops_per_s"]),
        "files_sha256": files,
        "serving": msgspec.to_builtins(examine(run.path / "adapter", Path(job.base.path))),
    }
    diagnosis = diagnose(log, record, job.config)
    record["diagnosis"] = msgspec.to_builtins(diagnosis)
    for line in diagnosis.says:
        say(f"training: {line}")
    _end(run, "finished", training=record, checkpoints=manifest.checkpoints | {CANDIDATE: adapter})
    model_card.write_adapter_card(store.load_run(run.path))
    run.seal()
