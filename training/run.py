"""`tunegate train`: from a configuration to a finished run folder with adapter, log, curve and record.

    <output.dir>/<utc>-<name>-<8 hex>/
      run.json  train_log.jsonl  loss_curve.svg  adapter/
      last/       state of an unfinished run; removed once the run is finished
      MANIFEST.sha256

The same command resumes an unfinished run and returns a finished one.
"""

from __future__ import annotations

import errno
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from harness.checkpoints import resolve
from harness.checkpoints.model_files import CheckpointFolder
from harness.engines.vllm.adapters import examine
from harness.errors import EXIT_INTERRUPTED, MissingExtra, UserError
from harness.files import digest
from harness.progress.terminal import print_line
from harness.runs import folder as runs_folder
from harness.runs.provenance import environment, git_state
from harness.runs.trackers import Trackers
from harness.schema import BASELINE, CANDIDATE, Manifest
from harness.signals import handled
from harness.threads import before_torch
from training import checkpointing, model_card, model_checks
from training.checkpointing import TrainingState
from training.config_file import load
from training.diagnosis import diagnose
from training.distributed import ProcessGroup
from training.hooks import DATA, RESULT, Hooks, NotFinite, Stopped
from training.job import TrainingJob, prepare
from training.progress import TrainingProgress
from training.throughput import rates

LAST = "last"
"""Folder of the state of an unfinished run."""
PACKAGES = dict.fromkeys(("torch", "transformers", "peft", "accelerate"), "train") | {"matplotlib": "report"}
"""Packages that training needs, the last one for the loss curve at its end, and their extras."""


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `handler` receive SIGINT and `harness.signals.handled` inside the block."""
    before = {number: signal.signal(number, handler) for number in handled(signal.SIGINT)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextmanager
def stop_signal(quiet: bool = False) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether the user asked to stop; only a second signal ends the block at once.

    `quiet`: another process of the same training run prints the message.
    """
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        if not quiet:
            print_line("stopping: saving the last finished step")

    with handling(handle):
        yield lambda: bool(received)


REFUSALS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)
)
"""Error numbers of a disk that refuses a write."""


class Interrupted(UserError):
    """The user stopped training; the same command resumes it."""

    exit_code = EXIT_INTERRUPTED


def train(
    config_path: Path | str,
    *,
    progress: Callable[[Any], None] | None = None,
    fresh: bool = False,
    without_suites: bool = False,
) -> Path:
    """Train by a TOML configuration and return the run folder.

    An unfinished run of the same settings and data resumes, a finished one is returned; `fresh` starts a new run.
    `without_suites` allows training where no suite is found for the contamination check. `progress` receives every
    `training.hooks.Update`; by default they are shown on stderr. Of several processes of a launcher, only the first
    returns; the others exit.

    Raises UserError for a bad configuration or data, MissingExtra where a package is missing, and Interrupted where
    the user stopped training.
    """
    for package, extra in PACKAGES.items():
        if find_spec(package) is None:
            raise MissingExtra("training", package, extra)
    before_torch()
    team = ProcessGroup()
    display = TrainingProgress(quiet=progress is not None or not team.is_first, is_alone=team.size == 1)
    with closing(display), ExitStack() as locks:
        display.at(DATA)
        prepared = team.run_first_then_rest(
            lambda: prepare(load(Path(config_path), model_checks.model_problems), display.say, without_suites)
        )
        job = agreed(team, prepared)
        display.held = job.held
        with disk_errors(Path(job.config.output.dir)):
            folder, finished = team.broadcast(lambda: _claim(config_path, job, fresh, locks))
            if finished:
                display.say(f"training: already finished: {folder}. Use --fresh to train again")
            else:
                _train(job, team, runs_folder.RunFolder(folder), progress or display, display)
        if not team.is_first:
            team.exit_worker()
        return folder


def agreed(team: ProcessGroup, job: TrainingJob) -> TrainingJob:
    """Return the job with the first process's gradient checkpointing.

    Raises UserError where settings or data differ between the processes.
    """
    fingerprint, checkpointing = team.broadcast(lambda: (job.fingerprint, job.checkpointing))
    differing = [key for key, value in fingerprint.items() if job.fingerprint.get(key) != value]

    def compare() -> None:
        if differing:
            raise UserError(
                f"{', '.join(differing)} differ from the first process's. All machines need the same files and settings"
            )

    team.run_first_then_rest(compare)
    return msgspec.structs.replace(job, checkpointing=checkpointing)


def refuse_other_step(team: ProcessGroup, step: int) -> None:
    """Raise UserError where a process has not found the state that the first one resumes from."""
    first = team.broadcast(lambda: step)

    def compare() -> None:
        if step != first:
            raise UserError(
                f"resumes after step {step}, and the first process after step {first}. Put 'output.dir' on storage "
                "that all machines share"
            )

    team.run_first_then_rest(compare)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Report in one line what the disk refuses; other errors keep their traceback."""
    try:
        yield
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise UserError(
            f"{error.filename or folder}: cannot be written ({error.strerror}). Free space, or make the folder "
            "writable, and run the same command to resume; finished steps are kept"
        ) from None


def _claim(config_path: Path | str, job: TrainingJob, fresh: bool, locks: ExitStack) -> tuple[Path, bool]:
    """Return the run's folder and whether the run is finished; lock it until `locks` is closed."""
    root, name = Path(job.config.output.dir), job.config.output.name
    if root.is_file():
        raise UserError(f"'output.dir': {root} is a file. Name a folder for the runs")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"'output.dir': {root} cannot be created ({error.strerror}). Name a folder that you can write to"
        ) from None
    try:
        locks.enter_context(FileLock(root / f".{digest([name, job.fingerprint])[:16]}.lock", timeout=0))
    except Timeout:
        raise UserError(f"{config_path}: this training is already running in another process. Wait for it") from None
    existing = None if fresh else find(root, name, job.fingerprint)
    folder = existing or root / runs_folder.new_run_id(name)
    return folder, (folder / runs_folder.SEAL).exists()


def find(root: Path, name: str, fingerprint: dict[str, Any]) -> Path | None:
    """Return the newest run of this name with the same settings and data, or None; unreadable ones are skipped.

    A finished run is no match where a later one was begun with `fresh`. Of two that began in one second, the unfinished
    one is.
    """
    matches = []
    for folder in root.glob("*/"):
        with suppress(UserError):
            manifest = runs_folder.load_manifest(folder)
            record = manifest.training or {}
            if manifest.kind == "train" and record.get("fingerprint") == fingerprint and record["name"] == name:
                matches.append((manifest.started, not (folder / runs_folder.SEAL).exists(), folder.name, folder))
    return max(matches)[-1] if matches else None


def _train(
    job: TrainingJob, team: ProcessGroup, run: runs_folder.RunFolder, progress: Callable[[Any], None], shown: Any
) -> None:
    state = team.run_first_then_rest(lambda: _begin(job, run, team.is_first))
    refuse_other_step(team, state.step)
    if not team.is_first:
        _follow(job, state, run.path)
        return
    if state.step:
        shown.say(f"training: resumes after step {state.step} of {len(job.steps)}: {run.path}")
    trackers = Trackers(job.config.records.trackers, run.path, job.fingerprint, shown.say)
    status = "interrupted"
    try:
        facts = _lead(job, state, run, trackers, progress, shown)
        shown.at(RESULT)
        _finish(job, run, facts, shown.say)
        status = "finished"
    except Interrupted:
        raise
    except Exception:
        status = "failed"
        with suppress(UserError):  # A full disk cannot take the status either.
            _end(run, status)
        raise
    finally:
        trackers.close(status)
    shutil.rmtree(run.path / LAST, ignore_errors=True)
    shown.say(f"training: finished: {run.path}")


def _begin(job: TrainingJob, run: runs_folder.RunFolder, writes: bool) -> TrainingState:
    """Return the state to resume from; the process that writes also truncates the log to it and writes run.json.

    The folder is created last, so that a process killed before leaves no folder without run.json.
    """
    state = checkpointing.load(run.path / LAST, job.fingerprint) or TrainingState(fingerprint=job.fingerprint)
    if writes:
        checkpointing.rewind_log(run.path / "train_log.jsonl", state.step)
        manifest = _manifest(job, run.path)
        run.path.mkdir(exist_ok=True)
        try:
            run.write_manifest(manifest)
        except UserError:
            with suppress(OSError):
                (run.path / runs_folder.WRITING).unlink(missing_ok=True)
                run.path.rmdir()
            raise
    return state


def _lead(
    job: TrainingJob,
    state: TrainingState,
    run: runs_folder.RunFolder,
    trackers: Trackers,
    progress: Callable[[Any], None],
    shown: Any,
) -> dict[str, Any]:
    """Train and write in the first process; return the facts that the run records.

    A failed write stops the loop, and nothing is written after it: a state saved after a lost line would leave a gap in
    the log.
    """
    from training.session import fit

    errors: list[UserError] = []

    def write(act: Callable[[], None]) -> None:
        if not errors:
            try:
                act()
            except UserError as error:
                errors.append(error)

    def log(row: dict[str, Any]) -> None:
        write(lambda: run.append_log(row))
        trackers.log_row(row)

    with stop_signal() as is_stopped:
        hooks = Hooks(
            log=log,
            save=lambda state: write(lambda: checkpointing.save(run.path / LAST, state)),
            progress=progress,
            stop=lambda: bool(errors) or is_stopped(),
            at=shown.at,
            say=shown.say,
        )
        try:
            facts = fit(job, state, hooks, run.path / "adapter")
        except (Stopped, KeyboardInterrupt):
            if not errors:
                _end(run, "interrupted")
                raise Interrupted(
                    f"training stopped after step {state.step} of {len(job.steps)}. "
                    f"Run the same command, without --fresh, to resume: {run.path}"
                ) from None
        if errors:
            raise errors[0]
    return facts


def _follow(job: TrainingJob, state: TrainingState, path: Path) -> None:
    """Train alongside the first process, which writes and reports errors."""
    from training.session import fit

    with stop_signal(quiet=True) as stop, suppress(Stopped, KeyboardInterrupt, NotFinite):
        fit(job, state, Hooks(stop=stop), path / "adapter")


def _manifest(job: TrainingJob, path: Path) -> Manifest:
    file = path / "run.json"
    started = runs_folder.load_manifest(path).started if file.exists() else runs_folder.now()
    config: dict[str, Any] = msgspec.to_builtins(job.config)
    training = {
        "name": job.config.output.name,
        "config": config,
        "dtype": job.dtype,
        "steps_planned": len(job.steps),
        "train": job.train.facts,
        "validation": job.validation.facts if job.validation else None,
        "contamination": job.contamination,
        "selection": job.held.select and job.held.select.facts | {"before": None, "best": None},
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


def _end(run: runs_folder.RunFolder, status: Any, **more: Any) -> None:
    manifest = runs_folder.load_manifest(run.path)
    run.write_manifest(msgspec.structs.replace(manifest, status=status, ended=runs_folder.now(), **more))


def _finish(job: TrainingJob, run: runs_folder.RunFolder, facts: dict[str, Any], say: Callable[[str], None]) -> None:
    """Write curve, diagnosis, record and model card, and seal the run."""
    from training.loss_curve import write_curve

    data = runs_folder.load_run(run.path)
    log, manifest = data.train_log, data.manifest
    write_curve(log, run.path / "loss_curve.svg")
    tuned, adapter = resolve.resolve(str(run.path)), CheckpointFolder(run.path / "adapter")
    files = {f"adapter/{f.name}": resolve.file_sha256(f) for f in sorted(adapter.path.iterdir())}
    record = {
        **(manifest.training or {}),
        **facts,
        "rates": rates(log, facts["peak_flops_per_s"]),
        "files_sha256": files,
        "serving": msgspec.to_builtins(examine(adapter, CheckpointFolder(job.base.path))),
    }
    diagnosis = diagnose(log, record, job.config)
    record["diagnosis"] = msgspec.to_builtins(diagnosis)
    for line in diagnosis.lines:
        say(f"training: {line}")
    _end(run, "finished", training=record, checkpoints=manifest.checkpoints | {CANDIDATE: tuned})
    model_card.write_adapter_card(runs_folder.load_run(run.path))
    run.seal()
