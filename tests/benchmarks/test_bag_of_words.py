"""The bag of words learns what words tell, and answers as a suite asks."""

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
