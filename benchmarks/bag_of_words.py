"""Does a language model beat a bag of words that learned from the same rows?

    python -m benchmarks.bag_of_words [--only legal/paragraphs] [--against RUN] [--out runs/words]

For suites with a fixed set of answers: one logistic regression a question (a clause type, or a statement of
ContractNLI) over TF-IDF weights of words and pairs of words, trained on all training rows of the suite, its strength
chosen by cross-validation over whole documents. Its answers to the test cases go through the suite's scorers and gates
as a model's do (`--engine fake`); the runs with their reports stay in `--out`. With `--against`, a run of a tuned model
on the suite is the other side, paired by case: the difference is the model's minus the bag's.

Needs scikit-learn (`pip install 'tunegate[bench]'`); public suites need TUNEGATE_DATA. A few minutes on two CPU cores.
"""

import importlib
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import rivals
from evalsuites.public.cuad.contracts import NAMES
from harness.schema import Case

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


def answers(suite: str) -> dict[str, str]:
    """The answers to a suite's test cases, after learning from its training cases."""
    words = Words(training_cases(suite))
    return {case.id: words.answer(case) for case in rivals.suite_of(suite).cases}


def main(arguments: Sequence[str] | None = None) -> None:
    args = rivals.parser(__doc__, Path("runs/words")).parse_args(arguments)
    rivals.report("bag of words", SUITES, args, answers)


if __name__ == "__main__":
    main()
