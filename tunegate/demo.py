"""`tunegate demo`: the pipeline on the bundled model: data, baseline, LoRA training, tuned model, gates, report.

Every step saves its results: the same command resumes where it was interrupted.
"""

from __future__ import annotations

import json
from pathlib import Path

import reports
from evalsuites.general.basics import replay, test_basics
from evalsuites.legal.clauses import cases, test_clauses
from evalsuites.training_rows import write_rows, write_split
from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig
from harness.evaluation.plan import Job, SuiteJob, default_checkpoint
from harness.evaluation.run import run
from harness.files import digest, file_link
from harness.progress.progress import Progress
from harness.runs.folder import Results, RunFolder, load_run
from harness.suites.suite import Suite
from reports.render import terminal
from training.run import train

ROWS = 1600
VALIDATION_ROWS = 64
ROWS_PER_REPLAY_ROW = 6
"""One row in so many is the model's own answer to a general request, so that it does not forget how to answer them."""
SEED = 7

CONFIG = """# Written by `tunegate demo`; run it alone with: tunegate train {path}
base = "{base}"

[data]
train = ["data/train.jsonl", "data/replay.jsonl"]
validation = ["data/validation.jsonl"]
suites = {suites}

[lora]
r = 16
alpha = 32

[optim]
lr = 1e-3

[train]
rows_per_step = 4
epochs = {epochs}
seed = {seed}
validate_every = 100

[output]
dir = "{runs}"
name = "demo"
"""


def run_demo(runs: Path, rows: int | None, engine: str | None) -> str:
    """Run the pipeline and return its closing lines. Raises UserError; an interruption loses no finished step."""
    progress = Progress()
    rows = rows or ROWS
    base = default_checkpoint()
    folder = runs / f"demo-{digest([rows, SEED, CONFIG])[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    progress.say(f"[1/6] model: {base}")
    resolve(base)
    progress.say(f"[2/6] training data: {rows} rows, none of them in the suite, and some general answers")
    config = write_data(folder, runs, rows, base)
    write_replay(folder, rows, base, engine, progress)
    suites = [test_clauses.suite, test_basics.suite]
    progress.say("[3/6] baseline: the untrained model")
    job = demo_job(suites, base, None, engine)
    run(job, RunFolder.create(runs, "demo-baseline"), progress)
    progress.say("[4/6] training a LoRA adapter")
    trained = train(config)
    progress.say("[5/6] tuned model against baseline")
    job = demo_job(suites, str(trained), base, engine)
    results = run(job, RunFolder.create(runs, "demo-tuned"), progress, parent_run_id=trained.name)
    progress.say("[6/6] report")
    files = reports.publish([results.path, trained], folder)
    terminal.show(load_run(results.path))
    return closing(results, files)


def demo_job(suites: list[Suite], candidate: str, baseline: str | None, engine: str | None) -> Job:
    """Build a job with all cases of the suites."""
    parts = [SuiteJob(suite=s, cases=s.cases) for s in suites]
    return Job(suites=parts, candidate=candidate, baseline=baseline, engine=EngineConfig(name=engine))


def write_data(folder: Path, runs: Path, rows: int, base: str) -> Path:
    """Write training and validation rows and the configuration; equal settings give equal bytes."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for split, name, count in (("train", "train", rows), ("dev", "validation", VALIDATION_ROWS)):
        file = data / f"{name}.jsonl"
        write_split(test_clauses.suite.folder, split, file, count, SEED, cases.eval_cases, cases.training_pairs)
    config = folder / "train.toml"
    text = config_text(config, base, runs)
    if not config.exists() or config.read_text("utf-8") != text:
        config.write_text(text, "utf-8")
    return config


def config_text(path: Path, base: str, runs: Path) -> str:
    """Render the demo's training configuration, with the suites that its rows are compared with."""
    folders = [str(suite.folder) for suite in (test_clauses.suite, test_basics.suite)]
    return CONFIG.format(path=path, base=base, epochs=1, seed=SEED, runs=runs.resolve(), suites=json.dumps(folders))


def write_replay(folder: Path, rows: int, base: str, engine: str | None, progress: Progress) -> None:
    """Write general requests with the model's own answers, which the answer cache has the second time."""
    count = max(1, min(rows // ROWS_PER_REPLAY_ROW, replay.ROWS))
    replayed = replay.replay(base, count, SEED, engine=EngineConfig(name=engine), progress=progress)
    write_rows(folder / "data" / "replay.jsonl", replayed.rows)


def closing(results: Results, files: list[Path]) -> str:
    """Return the last lines of the demo: the gates' result, the files of the report and the link to open it."""
    passed = sum(v.outcome == "pass" for v in results.verdicts)
    word = "PASS" if passed == len(results.verdicts) else "NOT PASSED"
    listed = "\n".join(f"report: {line}" for line in reports.named(files))
    counted = f"Gates: {word}, {passed} of {len(results.verdicts)} passed."
    return f"Pipeline finished. {counted}\n{listed}\n{file_link(files[0])}"
