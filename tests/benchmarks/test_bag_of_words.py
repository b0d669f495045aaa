"""The bag of words learns what words tell, answers as a suite asks, and is judged by the suite."""

from pathlib import Path

import pytest

from benchmarks import bag_of_words as bag
from harness.schema import Case

TYPES = ("holdover", "early termination")
TEXTS = {
    "holdover": "A tenant who stays past the last day owes double rent for each month number {}.",
    "early termination": "Either party may end the lease sooner by a notice of {} days in writing.",
    "": "The landlord paints walls and repairs gutters within {} days.",
}


def case(number: int, name: str) -> Case:
    expected = [name] if name else []
    text = TEXTS[name].format(number)
    return Case(
        id=f"{number}",
        input={"document": text, "clause_types": "; ".join(TYPES)},
        expected=expected,
        cluster=f"{number}",
    )


def test_it_learns_clause_types_from_their_words() -> None:
    words = bag.Words([case(3 * at + kind, name) for at in range(10) for kind, name in enumerate(TEXTS)])
    assert [words.answer(case(900 + at, name)) for at, name in enumerate(TEXTS)] == [*TYPES, "none"]


def test_a_statement_with_one_label_has_that_label_and_an_unknown_one_no_answer() -> None:
    def asks(statement: str) -> Case:
        return Case(
            id=statement,
            input={"document": "Any text."},
            expected=["Entailment"],
            tags={"statement": statement},
            cluster="a",
        )

    words = bag.Words([asks("one")] * 3)
    assert (words.answer(asks("one")), words.answer(asks("two"))) == ("Entailment", "")


def test_its_answers_are_judged_and_paired_with_a_run(tmp_path: Path) -> None:
    cases = bag.test_cases("legal/paragraphs")
    answers = {each.id: "none" for each in cases}
    alone = bag.judge("legal/paragraphs", answers, None, tmp_path / "alone")
    assert [row[2] for row in bag.rows_of("legal/paragraphs", alone)][:1] == ["0.0% (0.0% to 3.5%)"]
    right = {each.id: "; ".join(each.expected) or "none" for each in cases}
    paired = bag.judge("legal/paragraphs", answers, right, tmp_path / "paired")
    recall = next(bag.rows_of("legal/paragraphs", paired))
    assert recall[2].startswith("0.0%") and recall[3].startswith("100.0%") and recall[4].startswith("100.0%")
    assert bag.answers_of(paired.path, "legal/paragraphs") == right


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--only", "legal/clause"], "legal/clause: expected one of legal/paragraphs, "),
        (["--only", "public/cuad", "--against", "."], "--against .: "),
    ],
)
def test_bad_input_is_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        bag.main(words)
    said = capsys.readouterr().err
    assert (left.value.code, said.count("\n")) == (4, 1) and said.startswith(line)
