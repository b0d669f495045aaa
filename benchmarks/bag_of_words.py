"""Does a language model beat a bag of words that learned from the same rows?

    python -m benchmarks.bag_of_words [--only legal/paragraphs] [--against RUN] [--out runs/words]

For suites with a fixed set of answers: one logistic regression a question (a clause type, or a statement of
ContractNLI) over TF-IDF weights of words and pairs of words, trained on all training rows of the suite, its strength
chosen by cross-validation over whole documents. Its answers to the test cases go through the suite's scorers and gates
as a model's do (`--engine fake`); the runs with their reports stay in `--out`. With `--against`, a run of a tuned model
on the suite is the other side, paired by case: the difference is the model's minus the bag's.

Needs scikit-learn (`pip install 'tunegate[bench]'`); public suites need TUNEGATE_DATA. A few minutes on two CPU cores.
"""

import argparse
import importlib
import json
import subprocess
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalsuites.public.cuad.contracts import NAMES
from harness.checkpoints.bundled_model import EMBEDDED
from harness.errors import EXIT_USAGE
from harness.runs import folder as runs_folder
from harness.schema import BASELINE, CANDIDATE, Case, Estimate

SUITES = {
    "legal/paragraphs": ("clause_recall", "clause_precision", "false_alarm_rate"),
    "legal/clauses": ("clause_recall", "clause_precision", "false_alarm_rate", "near_miss_rate"),
    "public/cuad": ("clause_recall", "clause_precision", "clause_exact_set", "false_alarm_rate"),
    "public/contractnli": ("accuracy", "balanced_accuracy", "contradiction_recall"),
}
"""By suite, the metrics that are shown."""
FOLDS = 5
STRENGTHS = [1.0, 10.0, 100.0, 1000.0]
"""Of the regression: scikit-learn's C, the inverse of its regularisation."""
FEWEST = 3
"""Training texts that a word or a pair must be in."""


def training_cases(suite: str) -> list[Case]:
    """Every training case of a suite, each once."""
    folder = f"evalsuites.{suite.replace('/', '.')}"
    if suite.startswith("public/"):
        cases = importlib.import_module(f"{folder}.build_training").training_cases("train", 0)
    else:
        module = importlib.import_module(f"{folder}.cases")
        cases = [case for case, _ in module.training_pairs("train", module.ROWS["train"], 0)]
    return list({case.id: case for case in cases}.values())


def test_cases(suite: str) -> list[Case]:
    """The suite's own cases."""
    name = suite.rpartition("/")[2]
    return list(importlib.import_module(f"evalsuites.{suite.replace('/', '.')}.test_{name}").suite.cases)


def questions(case: Case) -> Iterator[tuple[str, str]]:
    """Yield what a case asks, each with its right answer: a clause type with yes or no, or a statement with a label."""
    if "statement" in case.tags:
        yield case.tags["statement"], case.expected[0]
        return
    for name in case.input["clause_types"].split("; ") if "clause_types" in case.input else NAMES:
        yield name, "yes" if name in case.expected else "no"


class Words:
    """The regressions of one suite, by question."""

    def __init__(self, cases: Iterable[Case]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        rows = list(cases)
        self.vectors = TfidfVectorizer(ngram_range=(1, 2), min_df=FEWEST, sublinear_tf=True)
        held = self.vectors.fit_transform(case.document for case in rows)
        asked: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
        for number, case in enumerate(rows):
            for question, label in questions(case):
                asked[question].append((number, label, case.cluster))
        self.models = {
            question: _fitted(held[[number for number, _, _ in each]], [y for _, y, _ in each], [g for *_, g in each])
            for question, each in asked.items()
        }

    def answer(self, case: Case) -> str:
        """Return the answer in the format of the case's suite."""
        text = self.vectors.transform([case.document])
        found = {
            question: self.models[question].predict(text)[0]
            for question, _ in questions(case)
            if question in self.models
        }
        if "statement" in case.tags:
            return str(next(iter(found.values()), ""))
        return "; ".join(question for question, label in found.items() if label == "yes") or "none"


def _fitted(texts: Any, labels: Sequence[str], documents: Sequence[str]) -> Any:
    """A regression whose strength is chosen over whole documents; of one label alone, that label always."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

    if len(set(labels)) == 1:
        return DummyClassifier(strategy="most_frequent").fit(texts, labels)
    model = LogisticRegression(class_weight="balanced", max_iter=2000)
    folds = StratifiedGroupKFold(min(FOLDS, len(set(documents))))
    search = GridSearchCV(model, {"C": STRENGTHS}, cv=folds, scoring="f1_macro")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A fold may lack a rare label.
        return search.fit(texts, labels, groups=documents).best_estimator_


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


def shown(found: Estimate) -> str:
    """An estimate in percent with its interval."""
    if found.value is None or found.low is None or found.high is None:
        return "-" if found.value is None else f"{found.value:.1%}"
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def rows_of(suite: str, results: runs_folder.Results) -> Iterator[list[str]]:
    """Yield a table row a metric: the bag, the model and the model's difference where there is one."""
    assert results.metrics is not None
    for name in SUITES[suite]:
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="SUITE", help="this suite; may be given again")
    parser.add_argument("--against", type=Path, metavar="RUN", help="a run of a tuned model; needs one --only")
    parser.add_argument("--out", type=Path, default=Path("runs/words"))
    args = parser.parse_args(arguments)
    chosen = args.only or list(SUITES)
    if unknown := [suite for suite in chosen if suite not in SUITES]:
        parser.exit(EXIT_USAGE, f"{unknown[0]}: expected one of {', '.join(SUITES)}\n")
    others = {suite: answers_of(args.against, suite) for suite in chosen} if args.against else {}
    if missing := [suite for suite, texts in others.items() if not texts]:
        parser.exit(
            EXIT_USAGE, f"--against {args.against}: found no answers to {missing[0]}; give its suites with --only\n"
        )
    heads = ["bag of words", "tuned", "tuned minus bag"] if args.against else ["bag of words"]
    print(f"| suite | metric | {' | '.join(heads)} |\n|{'---|' * (2 + len(heads))}")
    for suite in chosen:
        words = Words(training_cases(suite))
        answers = {case.id: words.answer(case) for case in test_cases(suite)}
        results = judge(suite, answers, others.get(suite), args.out / suite.replace("/", "-"))
        for row in rows_of(suite, results):
            print(f"| {' | '.join(row)} |", flush=True)
        print(f"{suite}: {results.path}", file=sys.stderr)


if __name__ == "__main__":
    main()
