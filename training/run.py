"""Turns a configuration into a finished training run: a run folder with adapter, log, curve and record.

    <output.dir>/<utc>-<name>-<8 hex>/
      run.json  train_log.jsonl  loss_curve.svg  adapter/
      last/       state of an unfinished run; gone once the run is finished
      MANIFEST.sha256

The same command goes on with an unfinished run, and returns a finished one as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

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
from training.config import load
from training.diagnosis import diagnose
from training.job import Job, prepare
from training.rates import rates
from training.stop import StopSignal
from training.trackers import Trackers


class Interrupted(UserError):
    """The user stopped the training; the same command goes on with it."""

    exit_code = EXIT_INTERRUPTED


def train(
    config_path: Path | str,
    *,
    run_dir: Path | None = None,
    progress: Callable[[Any], None] | None = None,
    fresh: bool = False,
) -> Path:
    """Train as the TOML file says; returns the run folder.

    An unfinished run of the same settings and data goes on, a finished one is returned at once; `fresh` starts anew.
    `run_dir` names the run to go on with; other settings or data than it began with are a UserError that names them.
    `progress` takes every `training.loop.Update`; without it they are shown on stderr.
    """
    for package in ("torch", "transformers", "peft", "accelerate"):
        _need(package)
    before_torch()
    from training.progress import TrainingProgress

    shown = TrainingProgress(quiet=progress is not None)
    config = load(Path(config_path), model_checks.model_problems)
    job = prepare(config, shown.say)
    root = Path(config.output.dir)
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / f".{digest(job.fingerprint)[:16]}.lock", timeout=0):
            folder = run_dir or (None if fresh else find(root, config.output.name, job.fingerprint))
            if folder is not None and (folder / store.SEAL).exists():
                shown.say(f"training: already finished: {folder}. --fresh trains again")
                return folder
            return _train(job, folder, progress or shown, shown)
    except Timeout:
        raise UserError(f"{config_path}: this training is already running in another process. Wait for it") from None
    finally:
        shown.close()


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


def _train(job: Job, folder: Path | None, progress: Callable[[Any], None], shown: Any) -> Path:
    from training.checkpointing import State, load, rewind_log, save
    from training.loop import Hooks, Stopped
    from training.session import fit

    run = (
        store.RunFolder(folder)
        if folder
        else store.RunFolder.create(Path(job.config.output.dir), job.config.output.name)
    )
    state = (load(run.path / "last", job.fingerprint) if folder else None) or State(fingerprint=job.fingerprint)
    rewind_log(run.path / "train_log.jsonl", state.step)
    manifest = _manifest(job, run.path)
    run.write_manifest(manifest)
    if state.step:
        shown.say(f"training: goes on after step {state.step} of {len(job.steps)}: {run.path}")
    trackers = Trackers(job.config.records.trackers, run.path, job.fingerprint, state.step, shown.say)

    def log(row: dict[str, Any]) -> None:
        run.append_log(row)
        trackers.log(row)

    with closing(trackers), StopSignal() as stop:
        hooks = Hooks(log=log, save=lambda s: save(run.path / "last", s), progress=progress, stop=stop.is_set)
        try:
            facts = fit(job, state, hooks, run.path / "adapter")
        except (Stopped, KeyboardInterrupt):
            _end(run, manifest, "interrupted")
            raise Interrupted(
                f"training stopped after step {state.step} of {len(job.steps)}. The same command goes on: {run.path}"
            ) from None
        except Exception:
            _end(run, manifest, "failed")
            raise
    _finish(job, run, manifest, facts, shown.say)
    shown.say(f"training: finished: {run.path}")
    return run.path


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


def _end(run: store.RunFolder, manifest: Manifest, status: Any, **more: Any) -> None:
    run.write_manifest(msgspec.structs.replace(manifest, status=status, ended=store.now(), **more))


def _finish(
    job: Job, run: store.RunFolder, manifest: Manifest, facts: dict[str, Any], say: Callable[[str], None]
) -> None:
    """Curve, diagnosis, record, model card and seal."""
    from training.curves import write_curve

    log = store.load_run(run.path).train_log
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
    _end(run, manifest, "finished", training=record, checkpoints=manifest.checkpoints | {CANDIDATE: adapter})
    model_card.write_adapter_card(store.load_run(run.path))
    run.seal()
    shutil.rmtree(run.path / "last", ignore_errors=True)
