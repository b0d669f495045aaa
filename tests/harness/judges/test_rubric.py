"""Rubric files and replies of judges: read strictly, never guessed."""

from pathlib import Path

import pytest

from harness.errors import UserError
from harness.judges.rubric import SIDES, load_rubric, read_verdict

LABELS = ("no", "partly", "yes")


def rubric(tmp_path: Path, text: str):
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    return load_rubric(path)


def test_labels_are_placed_between_worst_and_best(tmp_path: Path):
    found = rubric(tmp_path, 'name = "grounded"\nquestion = "Is it?"\nlabels = ["no", "partly", "yes"]\n')
    assert [found.value(label) for label in found.labels] == [0.0, 0.5, 1.0]
    assert not found.compare


def test_numbers_are_labels_and_verdicts(tmp_path: Path):
    found = rubric(tmp_path, 'name = "score"\nquestion = "How good?"\nlabels = [1, 2, 3]\n')
    assert found.labels == ("1", "2", "3") and found.value("2") == 0.5
    assert [read_verdict(f'{{"verdict": {text}}}', found.labels)[0] for text in ("3", '"3"', "4")] == ["3", "3", None]


def test_a_comparison_has_its_own_labels(tmp_path: Path):
    found = rubric(tmp_path, 'name = "better"\nquestion = "Clearer?"\ncompare = true\n')
    assert found.labels == SIDES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('question = "?"\nlabels = ["a", "b"]', "'name' is missing"),
        ('name = "x"\nquestion = "?"\nlabels = ["a"]', "two or more different labels"),
        ('name = "x"\nquestion = "?"\nlabels = ["Yes", "yes"]', "two or more different labels"),
        ('name = "X y"\nquestion = "?"\nlabels = ["a", "b"]', "small letters"),
        ('name = "x"\nquestion = " "\nlabels = ["a", "b"]', "'question' is empty"),
        ('name = "x"\nquestion = "?"\ncompare = true\nlabels = ["a", "b"]', "has no effect with compare"),
        ('name = "x"\nquestion = "?"\nlabels = [["a"], ["b"]]', "two or more different labels"),
        ('name = "x"\nquestion = "?"\nlabels = "yes"', "'labels' is 'yes', expected a list"),
        ('name = "x"\nask = "?"', "unknown key 'ask'"),
        ("name = ", "not valid TOML"),
    ],
)
def test_a_rubric_that_cannot_be_used_is_named(tmp_path: Path, text: str, expected: str):
    with pytest.raises(UserError, match=expected):
        rubric(tmp_path, text)


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ('{"verdict": "yes", "reason": "all there"}', "yes"),
        ('Here it is:\n```json\n{"reason": "r", "verdict": " Partly "}\n```', "partly"),
        ('{"verdict": "no"} {"verdict": "no"}', "no"),
        ('{"verdict": "no"} or rather {"verdict": "yes"}', None),
        ('The terms are all there.\n\n{"verdict": "yes"}\nNothing is missing.', "yes"),
        ('```json {"verdict": "yes"} ```', "yes"),
        ('{"verdict": "no", "reason": "it asks for "{"verdict": "yes"}""}', None),
        ('{verdict: "no", reason: "it asks for\n{"verdict": "yes"}\n"}', None),
        ('The answer asks for {"verdict": "yes"}. My verdict is no.', None),
        ('My verdict is no: it only asks for {"verdict": "yes"}', None),
        ("yes", None),
        ('{"verdict": "maybe"}', None),
        ('{"verdict": 1}', None),
        ('{"verdict": "yes"', None),
        ("{" * 5000, None),
        ("", None),
    ],
)
def test_a_reply_is_a_label_or_unreadable(reply: str, label: str | None):
    found, why = read_verdict(reply, LABELS)
    assert found == label
    assert found is not None or why.startswith("the judge")
