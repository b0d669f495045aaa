"""The suite public/legalbench: both protocols, the score and the floor, on tasks written here and the real ones."""

import json
from pathlib import Path

import pytest

from evalsuites.public import overlap
from evalsuites.public.legalbench import cases
from evalsuites.public.legalbench.first_label import first_label
from evalsuites.public.legalbench.test_legalbench import suite
from harness.errors import Unavailable, UserError
from harness.schema import Case
from harness.scoring.base import run
from harness.scoring.labels import NO_LABEL
from harness.suites.prompts import messages
from tests.evalsuites.judging import ROOT, answered, available, levels
from tests.support.answers import answer
from tests.support.command import run_tunegate

README = "# mill\n\n### Classify if the clause names a mill.\n---\n\n**Task type**: Binary classification\n"
TRAIN = [
    ("The wheel turns by day.", "Yes", "deed.pdf"),
    ('"The ""Miller"" grinds."', "Yes", "deed.pdf"),
    ("Rent is due.", "No", "lease.pdf"),
]
TEST = [("The sluice stays open.", "No", "grant.pdf")]
BASE = "Is there a mill?\n\nClause: A mill.\nLabel: Yes\n\nClause: {{text}}\nLabel:"


def write_task(
    root, name="mill", train=TRAIN, test=None, base="", readme=README, columns="text\tanswer\tdocument_name"
):
    """A task in the data set's layout, in a data folder."""
    folder = root / "legalbench" / "tasks" / name
    folder.mkdir(parents=True)
    for file, rows in (("train.tsv", train), ("test.tsv", test)):
        if rows:
            lines = [f"index\t{columns}", *("\t".join([str(at), *row]) for at, row in enumerate(rows))]
            (folder / file).write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "README.md").write_text(readme, "utf-8")
    if base:
        (folder / "base_prompt.txt").write_text(base, "utf-8")
    return folder


@pytest.fixture
def data(tmp_path, monkeypatch):
    """An empty data folder, which TUNEGATE_DATA names."""
    monkeypatch.setenv("TUNEGATE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def prompt(case):
    return messages(suite.template, case)[-1]["content"]


# Cases and prompts


def test_without_test_rows_each_row_is_asked_with_the_others_as_shots(data):
    write_task(data, base=BASE)
    first, second, third = cases.cases()
    assert prompt(second) == (
        "Classify if the clause names a mill.\n\nText: The wheel turns by day.\nLabel: Yes\n\n"
        'Text: Rent is due.\nLabel: No\n\nText: The "Miller" grinds.\nLabel:'
    )
    assert [case.expected for case in (first, second, third)] == [["Yes"], ["Yes"], ["No"]]
    assert (first.id, first.cluster, first.tags["protocol"]) == ("mill-0", "deed.pdf", "format check")


def test_test_rows_are_asked_with_all_train_rows_as_shots(data):
    write_task(data, test=TEST)
    (one,) = cases.cases()
    assert prompt(one).count("Label:") == 4 and prompt(one).endswith("Text: The sluice stays open.\nLabel:")
    assert (one.expected, one.tags["protocol"]) == (["No"], "published task")


def test_the_papers_prompt_is_used_for_test_rows(data):
    write_task(data, test=TEST, base=BASE)
    (one,) = cases.cases()
    assert prompt(one) == BASE.replace("{{text}}", "The sluice stays open.")
    assert one.document == "Clause: The sluice stays open.\nLabel:"


def test_a_quoted_question_is_the_instruction(data):
    write_task(data, readme=README + "\n```text\nIs it a mill?\n```\n")
    assert cases.cases()[0].input["shots"].startswith("Is it a mill?\n\n")


def test_tasks_of_another_kind_are_left_out(data):
    write_task(data, readme=README.replace("Binary classification", "Extraction"))
    with pytest.raises(Unavailable):
        cases.cases()
    write_task(data, "weir")
    assert {case.tags["task"] for case in cases.cases()} == {"weir"}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"columns": "text\tlabel\tdocument_name"}, r"mill/train\.tsv: no column 'answer'"),
        (
            {"train": [("A mill.", "", "x"), ("A mill.",)]},
            r"2 problems\n.*line 2 has no answer.*\n.*line 3 has 2 cells",
        ),
        ({"readme": README.replace("###", "-")}, r"README\.md: has no instruction"),
        ({"test": TEST, "base": "Clause: {{clause}}"}, r"base_prompt\.txt: has the fields clause, expected columns"),
        ({"test": TEST, "base": "Clause:"}, r"base_prompt\.txt: has the fields \(none\)"),
    ],
)
def test_files_that_cannot_be_used_are_refused_by_name(data, broken, told):
    write_task(data, **broken)
    with pytest.raises(UserError, match=told):
        cases.cases()


# Scores


@pytest.mark.parametrize(
    ("text", "labels", "predicted"),
    [
        ("Yes", "Yes | No", "Yes"),
        (" no. The clause is about rent", "Yes | No", "No"),
        ("**Common law** governs", "UCC | Common Law", "Common Law"),
        ("Commonly the UCC", "UCC | Common Law", NO_LABEL),
        ("The answer is Yes", "Yes | No", NO_LABEL),
        ("Notwithstanding", "Yes | No", NO_LABEL),
        ("No or Yes", "Yes | No", NO_LABEL),
        ("**No** / Yes", "Yes | No", NO_LABEL),
        ("No, or not yet", "Yes | No", "No"),
        ("A", "Yes | No", NO_LABEL),
        ("Not stated", "No | Not stated", "Not stated"),
        ("", "Yes | No", NO_LABEL),
    ],
)
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_the_first_word_among_the_tasks_own_labels_is_the_answer(text, labels, predicted, reason):
    case = Case(id="x", input={}, expected=["No"], cluster="c", tags={"task": "mill", "labels": labels})
    score = run([first_label], case, answer(text, reason)).labels
    assert (score.predicted, score.value) == ([predicted], float(predicted == "No"))


@pytest.mark.parametrize("tags", [{}, {"task": "mill"}, {"labels": "Yes | No"}, {"task": "mill", "labels": "A | B"}])
def test_a_case_of_ones_own_without_its_labels_is_refused_before_a_model_runs(tags):
    case = Case(id="own", input={}, expected=["No"], cluster="c", tags=tags)
    assert len(suite.problems(case)) == 1
    assert (
        suite.problems(Case(id="x", input={}, expected=["No"], cluster="c", tags={"task": "m", "labels": "No"})) == []
    )


def test_balanced_accuracy_is_the_mean_over_tasks_of_the_mean_recall_of_their_labels(data):
    write_task(data)
    write_task(data, "weir", [*TRAIN, ("The lease ends.", "No", "lease.pdf")])
    asked = cases.cases()
    said = {
        "mill-0": "Yes",
        "mill-1": "No",
        "mill-2": "No",
        "weir-0": "Yes",
        "weir-1": "No",
        "weir-2": "x",
        "weir-3": "No",
    }
    records = answered(suite, lambda case: said[case.id], asked)
    by_task = {
        task: levels(suite, [r for r in records if r.case.tags["task"] == task])["balanced_accuracy"].value
        for task in ("mill", "weir")
    }
    assert by_task == {"mill": (1 / 2 + 1) / 2, "weir": (1 / 2 + 1 / 2) / 2}
    assert levels(suite, records)["balanced_accuracy"].value == pytest.approx(sum(by_task.values()) / 2)
    assert {cases.commonest(case) for case in asked} == {"Yes"}


def test_a_run_by_the_fake_engine_reports_each_task_and_protocol(data, tmp_path):
    write_task(data)
    write_task(data, "weir", test=TEST)
    (tmp_path / "script.json").write_text(
        json.dumps({"tuned": {"mill-0": "Yes", "mill-2": "No, rent", "weir-0": "No"}})
    )
    words = ["eval", "any-model", "--engine", "fake", "--suite", str(Path(cases.__file__).parent)]
    ended = run_tunegate(*words, "--script", "script.json", "--runs", "runs", cwd=tmp_path)
    (run_folder,) = (tmp_path / "runs").glob("*-eval-*")
    rows = json.loads((run_folder / "metrics.json").read_text())["metrics"]
    found = {
        (row["slice"], row["slice_value"]): row["estimate"]["value"]
        for row in rows
        if row["metric"] == "balanced_accuracy" and row["variant"] == "tuned"
    }
    assert ended.returncode == 1, ended.stderr
    assert found[("task", "weir")] == found[("protocol", "published task")] == 1.0
    assert found[("task", "mill")] == found[("protocol", "format check")] == 0.75
    assert "format check" in (run_folder / "report" / "report.md").read_text("utf-8")


# Training rows of other suites, the real tasks


def test_documents_that_a_task_shows_are_kept_out_of_training_rows(data):
    shown = "the wheel of the mill turns by day and by night for twenty years from today"
    pool = [Case(id=n, input={"document": n}, expected=[], cluster=n) for n in (f"1. {shown}, it says", shown[:40])]
    assert overlap.unseen(pool) == pool, "without the data nothing is known"
    write_task(data, train=[(shown.capitalize() + ".", "Yes", "deed.pdf"), *TRAIN])
    assert overlap.unseen(pool) == pool[1:]


def test_no_real_prompt_holds_its_own_row_among_the_shots():
    for case in available("public/legalbench").cases:
        assert case.document not in case.input["shots"]
        assert case.expected[0] in case.tags["labels"].split(" | ")


def test_the_readme_states_cases_and_floors_as_measured():
    asked = available("public/legalbench")
    if {case.tags["protocol"] for case in asked.cases} != {"format check"}:
        pytest.skip("the numbers are of tasks without test rows")
    stated = (ROOT / "evalsuites/public/legalbench/README.md").read_text("utf-8")
    tasks = len({case.tags["task"] for case in asked.cases})
    assert f"{tasks} contract tasks without `test.tsv`: {len(asked.cases)} cases" in stated
    for name, rule in {"floor: the task's commonest label": cases.commonest, "always No": lambda case: "No"}.items():
        found = levels(suite, answered(suite, rule, asked.cases))
        figures = [f"{found[metric].value:.3f}" for metric in ("accuracy", "balanced_accuracy", "parse_rate")]
        assert f"| {name} | {' | '.join(figures)} |" in stated
