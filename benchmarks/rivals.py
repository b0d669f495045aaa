"""What a tuned model's rivals are worth: other ways of answering, judged by a suite's own scorers and gates.

`bag_of_words` and `examples_in_prompt` give the answers; their options and tables are here.
"""

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks.domain_adapters import shown
from harness.checkpoints.bundled_model import EMBEDDED
from harness.errors import EXIT_USAGE
from harness.runs import folder as runs_folder
from harness.schema import BASELINE, CANDIDATE
from harness.suites.suite import Suite

Answers = Callable[[str], dict[str, str]]
"""A suite's answers by case id, given the suite's name."""


def suite_of(name: str) -> Suite:
    """A shipped suite with its own cases."""
    module = importlib.import_module(f"evalsuites.{name.replace('/', '.')}.test_{name.rpartition('/')[2]}")
    suite: Suite = module.suite
    return suite


def judge(suite: str, answers: dict[str, str], other: dict[str, str] | None, out: Path) -> runs_folder.Results:
    """Run the suite on these answers by case, next to a tuned model's where there are any; returns the run."""
    out.mkdir(parents=True, exist_ok=True)
    script = out / "answers.json"
    script.write_text(json.dumps({BASELINE: answers, CANDIDATE: other} if other else {CANDIDATE: answers}), "utf-8")
    models = ["compare", EMBEDDED, EMBEDDED] if other else ["eval", EMBEDDED]
    command = [sys.executable, "-m", "tunegate.cli.main", *models, "--suite", f"evalsuites/{suite}"]
    command += ["--engine", "fake", "--script", str(script), "--runs", str(out), "--no-answer-cache"]
    left = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
    if left not in (0, 1):
        raise SystemExit(f"{suite}: the comparison left with {left}")
    return runs_folder.load_results(max(p for p in out.glob("*/") if (p / runs_folder.SEAL).exists()))


def answers_of(run: Path, suite: str) -> dict[str, str]:
    """A run's tuned answers by case; empty where it has none on the suite."""
    return {
        record.case.id: record.completion.text
        for name, record in runs_folder.stream(run)
        if name == suite and record.variant == CANDIDATE
    }


def rows_of(suite: str, metrics: Sequence[str], results: runs_folder.Results) -> Iterator[list[str]]:
    """Yield a table row a metric: the rival, the model and the model's difference where there is one."""
    assert results.metrics is not None
    for name in metrics:
        levels = {
            row.variant: row.estimate
            for row in results.metrics.metrics
            if (row.suite, row.metric, row.slice) == (suite, name, None)
        }
        paired = [
            row.comparison.difference
            for row in results.metrics.comparisons
            if (row.suite, row.comparison.metric, row.slice) == (suite, name, None)
        ]
        sides = [levels[BASELINE], levels[CANDIDATE]] if paired else [levels[CANDIDATE]]
        yield [f"`{suite}`", name, *map(shown, sides), *map(shown, paired)]


def parser(description: str | None, out: Path) -> argparse.ArgumentParser:
    """The options that every rival has."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", action="append", metavar="SUITE", help="this suite; may be given again")
    made.add_argument("--against", type=Path, metavar="RUN", help="a run of a tuned model; needs one --only")
    made.add_argument("--out", type=Path, default=out)
    return made


def report(name: str, suites: Mapping[str, Sequence[str]], args: argparse.Namespace, answers: Answers) -> None:
    """Judge the rival of this name on the suites that were asked for, and print a table; leaves for unknown suites."""
    chosen = args.only or list(suites)
    if unknown := [suite for suite in chosen if suite not in suites]:
        _leave(f"{unknown[0]}: expected one of {', '.join(suites)}")
    others = {suite: answers_of(args.against, suite) for suite in chosen} if args.against else {}
    if missing := [suite for suite, texts in others.items() if not texts]:
        _leave(f"--against {args.against}: found no answers to {missing[0]}; give its suites with --only")
    heads = [name, "tuned", f"tuned minus {name}"] if args.against else [name]
    print(f"| suite | metric | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    for suite in chosen:
        results = judge(suite, answers(suite), others.get(suite), args.out / suite.replace("/", "-"))
        for row in rows_of(suite, suites[suite], results):
            print(f"| {' | '.join(row)} |", flush=True)
        print(f"{suite}: {results.path}", file=sys.stderr)


def _leave(line: str) -> NoReturn:
    print(line, file=sys.stderr)
    raise SystemExit(EXIT_USAGE)
