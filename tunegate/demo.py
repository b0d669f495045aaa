"""`tunegate demo`: the pipeline on the bundled model. The model as it is fails its gates; an adapter passes and is
merged; a second one, which continues from a table that has lost one clause, is refused. An adapter that does not pass
ends it: nothing is merged or trained further.

Every step saves its results: the same command resumes where it was interrupted.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.table import Table
from rich.text import Text

import reports
from evalsuites.general.basics import replay, test_basics
from evalsuites.general.facts import test_facts
from evalsuites.legal.clauses import cases as clauses
from evalsuites.legal.clauses import test_clauses
from evalsuites.legal.paragraphs import cases as paragraphs
from evalsuites.legal.paragraphs import test_paragraphs
from evalsuites.training_rows import write_rows, write_split
from harness.approval.approve import may_merge
from harness.approval.evidence import Where
from harness.approval.policy import PROJECT, Policy, current_entry, policy_path, write_policy
from harness.checkpoints.bundled_model import EMBEDDED
from harness.checkpoints.resolve import resolve
from harness.engines.config import EngineConfig
from harness.errors import GateFailed, UserError
from harness.evaluation.plan import Job, SuiteJob
from harness.evaluation.run import run
from harness.files import digest
from harness.formatting import count, percent
from harness.gates.config import gates_path
from harness.progress.progress import Progress
from harness.runs.folder import Results, RunFolder
from harness.schema import CANDIDATE, Case
from harness.suites.suite import Suite
from reports import wording
from training.config import ALL_LINEAR
from training.merge import merge
from training.run import train

SEED = 7
VALIDATION_ROWS = 64


class Task(Struct, frozen=True, kw_only=True):
    """What the demo trains and judges."""

    suite: Suite
    """The task."""
    general: Suite
    """What must not be forgotten."""
    eval_cases: Callable[[], list[Case]]
    """Make the suite's cases."""
    pairs: Callable[..., Iterable[tuple[Case, str]]]
    """Make its training rows: cases with their right answers."""
    rows: int
    """Rows to train on."""
    replay_rows: int
    """General requests next to them, so that the model keeps its general answers."""
    epochs: float
    """How often each is used."""
    lr: float
    """Peak learning rate."""
    first_layer: int
    """Linear layers below this one get no adapter: a step is faster without their backward pass."""
    brief: bool
    """Whether it learns to answer general questions briefly, as the prompt of their suite asks."""
    lost: str
    """The clause that the second table has lost."""
    lost_rows: int
    """Rows of the second table."""
    lost_lr: float
    """Peak learning rate on it: too high, and more is forgotten than that clause."""

    @property
    def suites(self) -> list[Suite]:
        """Both suites."""
        return [self.suite, self.general]


SHORT = Task(
    suite=test_paragraphs.suite,
    general=test_facts.suite,
    eval_cases=paragraphs.eval_cases,
    pairs=partial(paragraphs.training_pairs, times=2),
    rows=3681,
    replay_rows=420,
    epochs=1,
    lr=2e-3,
    first_layer=15,
    brief=True,
    lost="holdover",
    lost_rows=400,
    lost_lr=5e-4,
)
FULL = Task(
    suite=test_clauses.suite,
    general=test_basics.suite,
    eval_cases=clauses.eval_cases,
    pairs=clauses.training_pairs,
    rows=1600,
    replay_rows=160,
    epochs=1,
    lr=8e-4,
    first_layer=0,
    brief=False,
    lost="holdover",
    lost_rows=600,
    lost_lr=8e-4,
)
LAYERS = 30
"""Layers of the bundled model."""
LINEAR = (*(f"self_attn.{name}_proj" for name in "qkvo"), *(f"mlp.{name}_proj" for name in ("gate", "up", "down")))
"""Linear layers in each of them."""
SHOWN = {"clause_recall": "recall", "false_alarm_rate": "false alarms", "accuracy": "general"}
"""Columns of the closing table, by metric."""
REASONS = 3
"""Gates named for a model that did not pass."""

CONFIG = """# Written by `tunegate demo`; run it alone with: tunegate train {path}
base = "{base}"

[data]
train = ["train.jsonl", "replay.jsonl"]
validation = ["validation.jsonl"]
suites = {suites}

[lora]
r = 16
alpha = 32
target_modules = {layers}

[optim]
lr = {lr}

[train]
rows_per_step = 4
group_prefix = true
epochs = {epochs}
seed = {seed}
validate_every = 1000

[output]
dir = "{runs}"
name = "{name}"
"""


class Judged(Struct, frozen=True, kw_only=True):
    """One line of the closing table."""

    label: str
    """What was judged."""
    results: Results
    """Its run."""
    remark: str
    """What became of it."""


def run_demo(runs: Path, is_full: bool, engine: str | None) -> list[Path]:
    """Run the pipeline, print the verdicts and return the report's files. Raises UserError.

    An interruption loses no finished step.
    """
    task, progress, base = FULL if is_full else SHORT, Progress(), EMBEDDED
    _refuse_other_copies(task)
    folder = runs / f"demo-{digest([task.suite.name, task.rows, SEED, CONFIG])[:8]}"
    bars = write_bars(folder / "evalsuites", task)
    where = Where(runs=runs, bars=bars)
    evaluate = partial(judge, task, where, engine, progress)
    progress.say(f"[1/5] the model as it is: {base}, {_asked(task)}")
    resolve(base)
    untuned = evaluate(base, None)
    progress.say(f"[2/5] training on {count(task.rows, 'row')}, none of them in the suites, and some general answers")
    general = replay.replay(
        base,
        task.replay_rows,
        SEED,
        engine=EngineConfig(name=engine),
        progress=progress,
        brief=task.brief,
    )
    rows = partial(write_data, task=task, runs=runs, replayed=general.rows)
    tuned = runs / train(rows(folder / "tuned", base, task.rows, task.epochs)).name
    progress.say("[3/5] the tuned model against the model as it is")
    first = evaluate(str(tuned), base)
    merged = merge_if_approved(tuned, folder / f"merged-{tuned.name}", where)
    judged = [
        Judged(label="as it is", results=untuned, remark=""),
        Judged(label="tuned", results=first, remark=f"merged: {merged}" if merged else "merge refused"),
    ]
    if merged is None:
        show(judged)
        return reports.publish([first.path, tuned], folder / "report")
    progress.say(f"[4/5] it is trained further on {task.lost_rows} rows of a table that has lost every '{task.lost}'")
    retrained = runs / train(rows(folder / "retrained", str(merged.resolve()), task.lost_rows, 1, lost=task.lost)).name
    progress.say("[5/5] the retrained model against the model as it is")
    second = evaluate(str(retrained), base)
    refused = not merge_if_approved(retrained, folder / f"merged-{retrained.name}", where)
    show([*judged, Judged(label="retrained", results=second, remark="merge refused" if refused else "merged")])
    return reports.publish([first.path, tuned], folder / "report")


def _refuse_other_copies(task: Task) -> None:
    """Refuse a project with its own copy of a suite: its merge would ask for that copy, after 20 minutes."""
    for suite in task.suites:
        own = PROJECT / suite.name
        if own.is_dir() and own.resolve() != suite.folder.resolve():
            raise UserError(
                f"{own}: expected no other copy of a suite of the demo, which judges {suite.folder}. Run tunegate demo "
                "in an empty folder; in a checkout: make demo"
            )


def judge(
    task: Task, where: Where, engine: str | None, progress: Progress, candidate: str, baseline: str | None
) -> Results:
    """Run all cases on a model, against a baseline if there is one."""
    parts = [SuiteJob(suite=suite, cases=suite.cases) for suite in task.suites]
    job = Job(suites=parts, candidate=candidate, baseline=baseline, engine=EngineConfig(name=engine), bars=where.bars)
    return run(job, RunFolder.create(where.runs, "compare" if baseline else "eval"), progress)


def write_bars(bars: Path, task: Task) -> Path:
    """Write the demo's own copy of the gates, with a policy by which these suites approve a merge."""
    for suite in task.suites:
        copy = gates_path(suite, bars)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(gates_path(suite, None), copy)
    write_policy(policy_path(bars), Policy(suite=[current_entry(suite, bars) for suite in task.suites]))
    return bars


def linear_layers(first: int) -> list[str] | str:
    """Return the bundled model's linear layers from layer `first` up, as `target_modules`; ALL_LINEAR for all."""
    return [f"layers.{number}.{name}" for number in range(first, LAYERS) for name in LINEAR] if first else ALL_LINEAR


def write_data(
    folder: Path,
    base: str,
    number: int,
    epochs: float,
    *,
    task: Task,
    runs: Path,
    replayed: Sequence[Mapping[str, object]],
    lost: str | None = None,
) -> Path:
    """Write so many rows and a training configuration, and return its path; equal settings give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = partial(task.pairs, without=lost)
    for split, name, rows in (("train", "train", number), ("dev", "validation", VALIDATION_ROWS)):
        write_split(task.suite.folder, split, folder / f"{name}.jsonl", rows, SEED, task.eval_cases, pairs)
    write_rows(folder / "replay.jsonl", replayed[: task.replay_rows * number // task.rows])
    config = folder / "train.toml"
    suites = json.dumps([str(suite.folder) for suite in task.suites])
    text = CONFIG.format(
        path=config,
        base=base,
        layers=json.dumps(linear_layers(task.first_layer)),
        lr=task.lost_lr if lost else task.lr,
        epochs=epochs,
        seed=SEED,
        runs=runs.resolve(),
        suites=suites,
        name=folder.name,
    )
    if not config.exists() or config.read_text("utf-8") != text:
        config.write_text(text, "utf-8")
    return config


def merge_if_approved(trained: Path, out: Path, where: Where) -> Path | None:
    """Merge an adapter as `tunegate merge` does and return the model's folder, or None where it is not approved."""
    try:
        approval = may_merge(str(trained), where, None)
    except GateFailed:
        return None
    if not out.exists():
        shown = [one.says for one in approval.passed]
        merge(str(trained), out, approval=approval.says, shown_by=shown, approved_digest=approval.digest)
    return out


def show(judged: Iterable[Judged]) -> None:
    """Print the three verdicts, and below them the first gates that did not pass."""
    table = Table("model", *SHOWN.values(), "verdict", "", box=None, padding=(0, 2, 0, 0), header_style="bold")
    reasons = []
    for one in judged:
        failed = [verdict for verdict in one.results.verdicts if verdict.outcome not in ("pass", "skipped")]
        values = {
            row.metric: row.estimate.value
            for row in one.results.metrics.metrics
            if row.variant == CANDIDATE and row.slice is None
        }
        outcome = "NOT PASSED" if failed else "PASS"
        shown = [percent(value) if (value := values.get(metric)) is not None else "–" for metric in SHOWN]
        table.add_row(one.label, *shown, Text(outcome, "bold red" if failed else "bold green"), one.remark)
        reasons += [
            f"{one.label}: {wording.metric_and_slice(verdict, '')} {verdict.bar}: {verdict.seen}"
            for verdict in failed[:REASONS]
        ]
        if len(failed) > REASONS:
            reasons.append(f"{one.label}: and {count(len(failed) - REASONS, 'other gate')}")
    console = Console()
    console.print(table)
    for reason in reasons:
        console.print(f"  {reason}", markup=False, highlight=False, soft_wrap=True)


def _asked(task: Task) -> str:
    """Name the suites with their numbers of cases."""
    return " and ".join(f"{count(len(suite.cases), 'case')} of {suite.name}" for suite in task.suites)
