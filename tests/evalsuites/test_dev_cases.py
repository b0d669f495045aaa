"""Validation cases of every suite: those behind its dev rows, no test case among them, scored as the suite scores."""

import json
import runpy
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import evalsuites
from evalsuites.public import data
from evalsuites.training_rows import dev_cases
from harness.errors import UserError
from harness.schema import Case
from harness.suites.cases import load_cases
from harness.suites.prompts import messages
from harness.suites.suite import Suite
from tests.evalsuites.judging import answered, available, levels

FOLDER = Path(evalsuites.__path__[0])
ROWS = ["--rows", "24", "--seed", "3"]
COMMANDS = {
    "brand/voice": ("cases.py", ROWS),
    "finance/report": ("cases.py", ROWS),
    "general/claims": ("cases.py", ROWS),
    "legal/citations": ("cases.py", ROWS),
    "legal/clauses": ("cases.py", ROWS),
    "legal/extraction": ("cases.py", ROWS),
    "legal/clauses_long": ("cases.py", ROWS),
    "legal/paragraphs": ("cases.py", ROWS),
    "legal/summaries": ("cases.py", ROWS),
    "policy/handbook": ("cases.py", ROWS),
    "public/contractnli": ("build_training.py", []),
    "public/cuad": ("build_training.py", ["--passages", "160"]),
    "public/plain_english": ("build_training.py", ["--own", "0"]),
}
"""What writes a suite's rows and cases, with options for few of them."""
CHECKING_ONLY = {"public/legalbench"}
"""Suites without training rows, whose data is for checking."""
CHOOSING = {
    "brand/voice": "usable_rate",
    "finance/report": "report_clean_rate",
    "general/basics": "accuracy",
    "general/claims": "balanced_accuracy",
    "general/facts": "accuracy",
    "legal/citations": "accuracy",
    "legal/clauses": "clause_exact_set",
    "legal/clauses_long": "clause_exact_set",
    "legal/extraction": "span_f1",
    "legal/paragraphs": "clause_exact_set",
    "legal/summaries": "complete_summary_rate",
    "policy/handbook": "answer_correct",
    "public/contractnli": "accuracy",
    "public/cuad": "clause_exact_set",
    "public/plain_english": "reference_coverage",
}
"""A metric of each suite that a checkpoint can be chosen by."""
SIZES = {
    *("answer_words", "claims_per_answer", "compression"),
    *("copied_share", "length_share", "words_per_sentence", "long_word_share"),
}
"""Metrics of form: a right answer has some length and some long words."""


BLAMED = {"legal/summaries": "fabrication_"}
"""Suites whose right answers the fabrication scorer blames in part; their READMEs say how many."""


class Dev(NamedTuple):
    """What a suite's command wrote."""

    suite: Suite
    cases: list[Case]
    rows: list[dict]
    """The dev rows; none for the suites that have no training rows."""
    trained: list[dict]
    """Training rows."""

    @property
    def answers(self) -> dict[str, str]:
        """The right answer of each case."""
        if not self.rows:
            return {case.id: case.expected[0] for case in self.cases}
        return {c.id: row["messages"][-1]["content"] for c, row in zip(self.cases, self.rows, strict=True)}


@pytest.fixture(scope="module")
def dev(request, tmp_path_factory):
    """The dev cases of the suite that the test names, through the command that a user runs."""
    name = request.param
    suite = available(name)
    if name not in COMMANDS:
        return Dev(suite, load_cases(FOLDER / "general/basics/dev.jsonl"), [], [])
    out = tmp_path_factory.mktemp("dev")
    if name.startswith("public/"):
        run(name, "--out", str(out))
        rows = [read_rows(out / f"{split}.jsonl") for split in ("validation", "train")]
        return Dev(suite, load_cases(out / "dev_cases.jsonl"), *rows)
    for split in ("dev-cases", "dev", "train"):
        run(name, "--split", split, "--out", str(out / split))
    return Dev(suite, load_cases(out / "dev-cases"), read_rows(out / "dev"), read_rows(out / "train"))


def run(name: str, *args: str) -> None:
    file, options = COMMANDS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [file, *args, *options])
        runpy.run_path(str(FOLDER / name / file), run_name="__main__")


def read_rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def prompts(rows: list[dict]) -> list[list[dict]]:
    return [row["messages"][:-1] for row in rows]


every_suite = pytest.mark.parametrize("dev", CHOOSING, indirect=True)
every_command = pytest.mark.parametrize("dev", COMMANDS, indirect=True)


def test_no_suite_is_without_dev_cases():
    suites = {"/".join(file.parts[-3:-1]) for file in FOLDER.glob("*/*/test_*.py")}
    assert set(CHOOSING) == suites - CHECKING_ONLY
    assert set(COMMANDS) == set(CHOOSING) - {"general/basics", "general/facts"}


@pytest.mark.slow
@every_command
def test_dev_cases_are_those_behind_the_dev_rows_in_their_order(dev):
    asked = [messages(dev.suite.template, case) for case in dev.cases]
    assert asked == prompts(dev.rows)
    assert len(asked) >= 6


@every_suite
def test_no_dev_case_is_a_test_case(dev):
    assert {case.id for case in dev.cases}.isdisjoint(case.id for case in dev.suite.cases)
    asked = [case.input for case in dev.suite.cases]
    assert [case.id for case in dev.cases if case.input in asked] == []


@every_command
def test_no_training_row_asks_what_a_dev_case_asks(dev):
    trained = prompts(dev.trained)
    assert len(trained) >= 24
    assert [prompt for prompt in prompts(dev.rows) if prompt in trained] == []


@every_suite
def test_every_dev_case_can_be_scored(dev):
    checks = [scorer.check for scorer in dev.suite.scorers if getattr(scorer, "check", None)]
    assert [problem for case in dev.cases for check in checks for problem in check(case)] == []


@every_suite
def test_right_answers_put_every_metric_at_its_best(dev):
    found = levels(dev.suite, answered(dev.suite, lambda case: dev.answers[case.id], dev.cases))
    best = {metric.name: float(metric.higher_is_better) for metric in dev.suite.metrics if metric.name not in SIZES}
    blamed = BLAMED.get(dev.suite.name, "nothing")
    measured = {name: found[name].value for name in best if found[name].value is not None and blamed not in name}
    assert measured == {name: best[name] for name in measured}
    assert CHOOSING[dev.suite.name] in measured


@every_suite
def test_answers_of_other_cases_do_not(dev):
    answers = [dev.answers[case.id] for case in dev.cases]
    others = dict(zip((case.id for case in dev.cases), answers[1:] + answers[:1], strict=True))
    found = levels(dev.suite, answered(dev.suite, lambda case: others[case.id], dev.cases))
    assert found[CHOOSING[dev.suite.name]].value < 0.9


def test_ids_get_a_prefix_only_where_the_suite_has_one_of_them():
    pairs = [(Case(id=name, input={}, expected=[], cluster="c"), "none") for name in ("a", "b")]
    assert [case.id for case in dev_cases(pairs, [])] == ["a", "b"]
    assert [case.id for case in dev_cases(pairs, [pairs[1][0]])] == ["dev-a", "dev-b"]


def test_an_id_that_comes_twice_is_refused():
    pair = (Case(id="a", input={}, expected=[], cluster="c"), "none")
    with pytest.raises(UserError, match="'a' is already used"):
        dev_cases([pair, pair], [])


def test_a_case_of_several_validation_rows_is_one_dev_case(tmp_path):
    one, other = (Case(id=n, input={"question": n}, expected=[n], cluster="c") for n in ("a", "b"))
    drawn = {"train": [other], "validation": [one, other, one]}
    written = data.write_training_files(tmp_path, FOLDER / "general" / "basics", drawn, lambda case: case.expected[0])
    assert written == {"train": 1, "validation": 3, "dev_cases": 2}
    assert load_cases(tmp_path / "dev_cases.jsonl") == [one, other]


def test_no_clause_is_left_out_of_dev_cases(tmp_path, capsys):
    out = tmp_path / "dev_cases.jsonl"
    with pytest.raises(SystemExit):
        run("legal/clauses", "--split", "dev-cases", "--out", str(out), "--without", "repair")
    assert "takes no --without" in capsys.readouterr().err
    assert not out.exists()
