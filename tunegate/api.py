"""The Python API: evaluate, compare and train from a script or a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.engines.config import EngineConfig
    from tunegate.results import RunResults

SUITES = ("evalsuites",)


def evaluate(
    checkpoint: str | Path,
    suites: str | Path | Sequence[str | Path] = SUITES,
    *,
    engine: str | EngineConfig | None = None,
    thresholds: str | Path | None = None,
    repeats: int | None = None,
    long: bool = False,
    runs: str | Path | None = None,
    quiet: bool = False,
) -> RunResults:
    """Run suites on one checkpoint, judge the gates that need no baseline, and write a run folder.

    Args:
        checkpoint: Hub ID, model folder, adapter folder, training run, or `smollm2-135m-instruct`.
        suites: A suite's folder, a folder that contains suites, or several of them.
        engine: `vllm`, `transformers`, `ray` or `fake`; by default vLLM where it can be imported. `engine_config`
            gives one with options, such as a server's address.
        thresholds: A copy of `evalsuites` whose gates.toml files are used in place of the suites' own.
        repeats: Completions per case; by default what each suite says.
        long: Also run suites marked long.
        runs: Folder of the run folders; by default that of the project in the working directory.
        quiet: Print no progress.

    Returns:
        The manifest, metrics and verdicts of the run, the path of its folder, and the suites that did not run.

    Raises:
        UserError: A suite, a checkpoint or an option cannot be used. The message is one line.
        EngineFailed: The engine could not start or stopped; finished completions are cached.
    """
    return _run(checkpoint, None, suites, engine, thresholds, repeats, long, runs, quiet)


def compare(
    baseline: str | Path,
    tuned: str | Path,
    suites: str | Path | Sequence[str | Path] = SUITES,
    *,
    engine: str | EngineConfig | None = None,
    thresholds: str | Path | None = None,
    repeats: int | None = None,
    long: bool = False,
    runs: str | Path | None = None,
    quiet: bool = False,
) -> RunResults:
    """Run suites on two checkpoints, pair them by case, judge every gate, and write a run folder.

    Checkpoints that share tokenizer and chat template receive identical token IDs; others render their own prompts from
    the same cases, and the manifest says so.

    Args:
        baseline: Checkpoint to compare with, or `accepted` for each suite's baseline.json.
        tuned: Checkpoint to judge.
        suites: A suite's folder, a folder that contains suites, or several of them.
        engine: `vllm`, `transformers`, `ray` or `fake`; by default vLLM where it can be imported. `engine_config`
            gives one with options, such as a server's address.
        thresholds: A copy of `evalsuites` whose gates.toml files and baselines are used in place of the suites' own.
        repeats: Completions per case and checkpoint; by default what each suite says.
        long: Also run suites marked long.
        runs: Folder of the run folders; by default that of the project in the working directory.
        quiet: Print no progress.

    Returns:
        The manifest, metrics and verdicts of the run, the path of its folder, and the suites that did not run. Only
        `pass` for every gate allows a merge: this function does not raise for a failed gate.

    Raises:
        UserError: A suite, a checkpoint or an option cannot be used. The message is one line.
        EngineFailed: The engine could not start or stopped; finished completions are cached.
    """
    return _run(tuned, baseline, suites, engine, thresholds, repeats, long, runs, quiet)


def train(config: str | Path, *, fresh: bool = False, contamination_check: bool = True) -> Path:
    """Train a LoRA adapter as a TOML file says; an interrupted run resumes.

    Args:
        config: Training configuration (docs/training.md).
        fresh: Start over instead of resuming.
        contamination_check: Refuse to train where there is no suite to compare the rows with.

    Returns:
        The run folder; the adapter is in its folder `adapter`.

    Raises:
        UserError: The configuration or its data cannot be used. All problems are in one message.
    """
    from training.run import train as run_training

    return run_training(config, fresh=fresh, without_suites=not contamination_check)


def load_run(run: str | Path = "latest", *, runs: str | Path | None = None) -> RunResults:
    """Load the results of a past evaluation or comparison.

    Args:
        run: Run folder, its name, a unique part of it, or `latest`.
        runs: Folder of the run folders; by default that of the project in the working directory.

    Returns:
        The manifest, metrics and verdicts of the run, as `evaluate` and `compare` return them.

    Raises:
        UserError: No such run, a run that cannot be read, or one that is not an evaluation. The message is one line.
    """
    from harness.errors import UserError
    from harness.runs.folder import load_results
    from harness.runs.project import find_run, runs_of
    from tunegate.results import RunResults

    results = load_results(find_run(str(run), runs_of(runs, Path.cwd())))
    if results.manifest.kind != "eval":
        raise UserError(f"{results.path}: a {results.manifest.kind} run, which has no scores. Name an evaluation")
    return RunResults.of(results)


def _run(
    candidate: str | Path,
    baseline: str | Path | None,
    suites: str | Path | Sequence[str | Path],
    engine: str | EngineConfig | None,
    thresholds: str | Path | None,
    repeats: int | None,
    long: bool,
    runs: str | Path | None,
    quiet: bool,
) -> RunResults:
    from harness.engines.options import engine_config
    from harness.errors import UserError
    from harness.evaluation.plan import Job, SuiteJob
    from harness.evaluation.run import run
    from harness.gates.config import suites_left_out
    from harness.progress.progress import Progress
    from harness.runs.folder import RunFolder
    from harness.runs.project import runs_of
    from harness.suites.discovery import available, find_suites, gates_without_suite
    from tunegate.results import RunResults

    folders = suites if isinstance(suites, Sequence) and not isinstance(suites, str) else [suites]
    if repeats is not None and repeats < 1:
        raise UserError(f"repeats={repeats}: expected 1 or more")
    found = list(find_suites([str(folder) for folder in folders]))
    loaded, not_run = available(found, "" if long else "long=True")
    if not loaded:
        raise UserError(f"no suite can run: {'; '.join(not_run) or 'none was found. Name a folder with a suite'}")
    bars = None if thresholds is None else Path(thresholds)
    not_run += [*gates_without_suite(folders, found), *suites_left_out(bars, {suite.name for suite in found})]
    progress = Progress(quiet=quiet)
    for reason in not_run:
        progress.say(f"not run: {reason}")
    job = Job(
        suites=[SuiteJob(suite=suite, cases=suite.cases) for suite in loaded],
        candidate=str(candidate),
        baseline=None if baseline is None else str(baseline),
        engine=engine_config(engine) if engine is None or isinstance(engine, str) else engine,
        bars=bars,
        repeats=repeats,
    )
    folder = RunFolder.create(runs_of(runs, Path.cwd()), "compare" if baseline is not None else "eval")
    return RunResults.of(run(job, folder, progress), not_run)
