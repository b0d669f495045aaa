"""What does tuning bring in each domain? One adapter a suite, each judged on its suite's test cases and general ones.

    python benchmarks/domain_adapters.py [--only legal/citations] [--tokens 200000] [--out runs/domains]
    python benchmarks/domain_adapters.py --together [--only ...]

For every suite: training rows, validation rows and validation cases from its own generator; replay rows (the base
model's own answers to general requests) mixed in; one training whose adapter is chosen by the validation loss, or with
`--select` by the suite's metric on validation cases, which may take longer than the training; then `tunegate compare`
of base and adapter on the suite and on general/basics. A suite's rows are as many as make up `--tokens`. Public suites
need TUNEGATE_DATA. Interrupted, it continues where it stopped. Prints two Markdown tables, paired differences and
trainings; two to three hours on two CPU cores. With `--together` one adapter is trained on the rows of all these
suites, `--tokens` in all, and judged on all. `--untuned` names another model than the bundled one. With `--base` a
merged model is trained further, and still judged next to the untuned one.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.checkpoints import resolve
from harness.checkpoints.bundled_model import EMBEDDED
from harness.errors import EXIT_INTERRUPTED, EXIT_USAGE
from harness.runs import folder as runs_folder
from harness.schema import BASELINE, CANDIDATE, FLOOR, ComparisonRow, Estimate, MetricRow
from harness.suites.prompts import Renderer
from tunegate.demo import linear_layers

GENERAL = "general/basics"
DEV_CASES = 48
MOST_ROWS = 3000


class Setting(NamedTuple):
    """What an adapter is trained on and how."""

    tokens: int = 200_000
    """Of training rows, a suite or, together, in all."""
    untuned: str = EMBEDDED
    """The model that writes the replay rows and is compared with."""
    base: str | None = None
    """The model that gets the adapter, if another: a merge of the untuned one is trained further."""
    replay: int = 150
    """Rows with the untrained model's own answers to general requests."""
    rate: float = 1e-3
    """Highest learning rate."""
    epochs: float = 1
    """Passes over the rows."""
    rows_per_step: int = 4
    """More for a large base, which reads its weights once a step."""
    first_layer: int = 0
    """Layers of the bundled model below this one get no adapter, which makes a step faster."""
    seed: int = 7
    """Of the order of rows and the adapter's first weights."""
    rows: str = ""
    """More options of the module that writes a suite's rows, as on a command line."""
    validation_rows: int = 48
    """Whose loss chooses the adapter, where `select` is not set."""
    select: bool = False
    """Whether the suite's metric chooses the adapter, in place of the validation loss; for one suite only."""


USUAL = Setting()
METRICS: dict[str, tuple[str, ...]] = {
    "legal/clauses": ("clause_micro_f1", "clause_recall", "clause_exact_set", "false_alarm_rate"),
    "public/cuad": ("clause_micro_f1", "clause_recall", "clause_exact_set", "false_alarm_rate"),
    "legal/citations": ("accuracy", "citation_fabrication_rate"),
    "policy/handbook": ("answer_correct", "invented_guideline_rate", "invented_department_rate"),
    "brand/voice": ("usable_rate", "banned_term_rate"),
    "finance/report": ("report_clean_rate", "figure_fabrication_rate"),
    "legal/summaries": ("term_recall", "fabrication_rate"),
    "public/contractnli": ("balanced_accuracy", "accuracy"),
    "public/plain_english": ("reference_coverage", "fabrication_response_rate"),
}
"""By suite, the metrics that are shown; with `--select` the first chooses the adapter."""

CONFIG = """base = {base}

[data]
train = {train}
validation = {validation}

[lora]
r = 16
alpha = 32
target_modules = {layers}

[optim]
lr = {rate}

[train]
rows_per_step = {rows_per_step}
group_prefix = true
epochs = {epochs:g}
seed = {seed}
validate_every = {every}

[output]
dir = "runs"
name = {name}
"""
SELECT = """
[select]
suite = {suite}
cases = ["dev_cases.jsonl"]
metric = {metric}
"""


def python(*words: str) -> None:
    """Run a module of this project; its failure ends everything with its own words."""
    left = subprocess.run([sys.executable, "-m", *words], check=False).returncode
    if left:
        raise SystemExit(left)


def write_rows(suite: str, folder: Path, tokens: int, setting: Setting = USUAL) -> int:
    """Write the training files of a suite; returns the number of its rows, about `tokens` tokens in all."""
    options = shlex.split(setting.rows)
    counts = {"train": MOST_ROWS, "validation": setting.validation_rows, "dev_cases": DEV_CASES}
    if suite.startswith("public/"):
        python(rows_module(suite), "--out", str(folder), *options)
    else:
        files = {"train": "train", "dev": "validation", "dev-cases": "dev_cases"}
        for split, name in files.items():
            python(rows_module(suite), "--split", split, "--rows", str(counts[name]),
                   "--out", str(folder / f"{name}.jsonl"), *options)  # fmt: skip
    for name in ("validation", "dev_cases"):
        _keep(folder / f"{name}.jsonl", counts[name])
    return _keep(folder / "train.jsonl", _rows_of(folder / "train.jsonl", tokens, setting.untuned))


def rows_module(suite: str) -> str:
    """The module that writes a suite's training rows."""
    return f"evalsuites.{suite.replace('/', '.')}.{'build_training' if suite.startswith('public/') else 'cases'}"


def _rows_of(file: Path, tokens: int, model: str) -> int:
    """How many of the file's rows, from its start, have so many tokens."""
    renderer = Renderer(resolve.resolve(model).path)
    lines = file.read_text("utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        tokens -= len(renderer.training(json.loads(line)["messages"])[0])
        if tokens < 0:
            return number
    return len(lines)


def _keep(file: Path, count: int) -> int:
    lines = file.read_text("utf-8").splitlines(keepends=True)[:count]
    file.write_text("".join(lines), "utf-8")
    return len(lines)


def train(suites: Sequence[str], folder: Path, setting: Setting) -> Path:
    """Write rows and configuration, and train; returns the run. What is finished is not done again."""
    config = folder / "train.toml"
    if not config.exists():
        parts = [folder] if len(suites) == 1 else [folder / named(suite) for suite in suites]
        for part in parts:
            part.mkdir(parents=True, exist_ok=True)
        shares = zip(suites, parts, strict=True)
        rows = sum(write_rows(suite, part, setting.tokens // len(suites), setting) for suite, part in shares)
        python(
            "evalsuites.general.basics.replay", "--checkpoint", setting.untuned,
            "--out", str(folder / "replay.jsonl"), "--rows", str(setting.replay),
        )  # fmt: skip
        within = [part.relative_to(folder) for part in parts]
        text = CONFIG.format(
            base=json.dumps(setting.base or setting.untuned),
            train=json.dumps([*(str(part / "train.jsonl") for part in within), "replay.jsonl"]),
            validation=json.dumps([str(part / "validation.jsonl") for part in within]),
            layers=json.dumps(linear_layers(setting.first_layer)),
            rate=setting.rate,
            epochs=setting.epochs,
            rows_per_step=setting.rows_per_step,
            seed=setting.seed,
            every=max(1, int((rows + setting.replay) * setting.epochs) // setting.rows_per_step // 3),
            name=json.dumps(folder.name),
        )
        if setting.select:
            where = os.path.relpath(Path("evalsuites") / suites[0], folder)
            text += SELECT.format(suite=json.dumps(where), metric=json.dumps(METRICS[suites[0]][0]))
        config.write_text(text, "utf-8")
    python("tunegate.cli.main", "train", str(config))
    return max(p for p in (folder / "runs").glob("*/") if (p / runs_folder.SEAL).exists())


def named(suite: str) -> str:
    """A suite's name as that of a folder."""
    return suite.replace("/", "-")


def compare(suites: Sequence[str], folder: Path, trained: Path, untuned: str) -> Path:
    """Judge the adapter next to its base on the test cases, general ones among them; returns the run."""
    judged = folder / "judged"
    done = [p for p in judged.glob("*/") if (p / runs_folder.SEAL).exists()]
    if not done:
        command = [sys.executable, "-m", "tunegate.cli.main", "compare", untuned, str(trained)]
        command += [word for suite in (*suites, GENERAL) for word in ("--suite", f"evalsuites/{suite}")]
        command += ["--runs", str(judged)]
        left = subprocess.run(command, env=os.environ, check=False).returncode
        if left not in (0, 1):
            raise SystemExit(f"{', '.join(suites)}: the comparison left with {left}")
        done = [p for p in judged.glob("*/") if (p / runs_folder.SEAL).exists()]
    return max(done)


def results(suites: Sequence[str], judged: Path) -> list[list[str]]:
    """The test's figures of these suites, and of the general one."""
    run = runs_folder.load_run(judged)
    assert run.metrics is not None
    found = []
    for of, metric in [*((suite, name) for suite in suites for name in METRICS[suite]), (GENERAL, "accuracy")]:
        here = [m for m in run.metrics.metrics if (m.suite, m.metric, m.slice) == (of, metric, None)]
        levels = {row.variant: row for row in here}
        paired = next(
            row
            for row in run.metrics.comparisons
            if (row.suite, row.comparison.metric, row.slice) == (of, metric, None)
        )
        found.append(
            [f"`{of}`", metric, *(_level(levels.get(v)) for v in (BASELINE, FLOOR, CANDIDATE)), _paired(paired)]
        )
    return found


def training(suites: Sequence[str], trained: Path) -> list[str]:
    """What one training was and found."""
    record = runs_folder.load_manifest(trained).training or {}
    chosen, forgetting = record["selection"], record["forgetting"]
    by = f"{chosen['metric']} {_value(chosen['before'])} to {_value(chosen['best'])}" if chosen else "validation loss"
    return [
        ", ".join(f"`{suite}`" for suite in suites),
        f"{record['train']['rows']:,}",
        f"{record['train']['tokens']:,}",
        f"{record['best_step']} of {record['steps']}",
        by,
        f"{forgetting['before']:.2f} to {forgetting['after']:.2f}",
        f"{record['wall_s']:.0f}",
        record["diagnosis"]["name"],
    ]


def _base(name: str) -> str:
    """A folder as an absolute path, since the configuration is elsewhere; other names as they are."""
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def _value(estimate: dict[str, Any]) -> str:
    return "not measured" if estimate["value"] is None else f"{estimate['value']:.1%}"


def _level(row: MetricRow | None) -> str:
    return shown(row.estimate) if row else "-"


def shown(found: Estimate) -> str:
    """An estimate in percent with its interval."""
    if found.value is None or found.low is None or found.high is None:
        return "-" if found.value is None else f"{found.value:.1%}"
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _paired(row: ComparisonRow) -> str:
    found = row.comparison.difference
    if found.value is None:
        return f"not measured: {found.reason}"
    return f"{100 * found.value:+.1f} ({100 * (found.low or 0):+.1f} to {100 * (found.high or 0):+.1f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="SUITE", help="this suite; may be given again")
    parser.add_argument(
        "--tokens", type=int, default=USUAL.tokens, help="of training rows, a suite or, together, in all"
    )
    parser.add_argument("--untuned", type=_base, default=USUAL.untuned, metavar="MODEL", help="what is tuned")
    parser.add_argument("--base", type=_base, default=USUAL.base, metavar="MODEL", help="a merge of it: train further")
    parser.add_argument("--replay", type=int, default=USUAL.replay, metavar="ROWS", help="general rows")
    parser.add_argument("--rows", default=USUAL.rows, metavar="OPTIONS", help="of the module that writes the rows")
    parser.add_argument("--rate", type=float, default=USUAL.rate, help="highest learning rate")
    parser.add_argument("--epochs", type=float, default=USUAL.epochs, help="passes over the rows")
    parser.add_argument("--rows-per-step", type=int, default=USUAL.rows_per_step)
    parser.add_argument("--first-layer", type=int, default=USUAL.first_layer, help="lowest layer with an adapter")
    parser.add_argument("--seed", type=int, default=USUAL.seed)
    parser.add_argument("--out", type=Path, default=Path("runs/domains"))
    parser.add_argument("--together", action="store_true", help="one adapter for all these suites")
    parser.add_argument("--validation-rows", type=int, default=USUAL.validation_rows, help="whose loss chooses")
    parser.add_argument("--select", action="store_true", help="choose each adapter by its suite's metric")
    parser.add_argument("--train-only", action="store_true", help="judge nothing, and print the adapter's folder")
    args = parser.parse_args(arguments)
    if unknown := [suite for suite in args.only or () if suite not in METRICS]:
        parser.exit(EXIT_USAGE, f"{unknown[0] or 'no suite'}: expected one of {', '.join(METRICS)}\n")
    if args.select and args.together:
        parser.exit(EXIT_USAGE, "--select: found --together too; one suite's metric can choose, not several\n")
    setting = Setting(**{name: getattr(args, name) for name in Setting._fields})
    figures: list[list[str]] = []
    trainings: list[list[str]] = []
    chosen = args.only or list(METRICS)
    for suites in [chosen] if args.together else [[suite] for suite in chosen]:
        folder = args.out / ("together" if args.together else named(suites[0]))
        trained = train(suites, folder, setting)
        if args.train_only:
            print(f"adapter: {trained / 'adapter'}", flush=True)
            continue
        figures += results(suites, compare(suites, folder, trained, setting.untuned))
        trainings.append(training(suites, trained))
        print(table(("suite", "metric", "baseline", "keyword floor", "tuned", "tuned minus baseline"), figures))
        print(table(("suite", "rows", "tokens", "kept step", "on validation cases", "general loss", "s", "curves"),
                    trainings), flush=True)  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
