"""The injected-error set: every edit is what it says, the frozen part is what was frozen, and faithful is faithful."""

import importlib.util
import json
import random
import sys
from pathlib import Path

import pytest

from benchmarks.claim_edits import figures

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def load(name: str):
    """A module of the benchmarks folder, which is no package."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.insert(0, str(BENCHMARKS))
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


injected, edits, names, text = (load(f"injected{part}") for part in ("", "_edits", "_names", "_text"))


def passage(words: str):
    return text.Passage("p", "own", "c", words, True)


def only(operator, words: str, kind: str = ""):
    """The first edit of one operator, of one kind where it is named."""
    return next(e for e in operator(passage(words), random.Random(1)) if kind in ("", e.kind))


def marked(edit) -> list[str]:
    return [edit.text[start:end] for start, end in edit.spans]


@pytest.mark.slow
def test_the_frozen_own_text_is_what_was_frozen():
    assert injected.summary(injected.copies("own")) == json.loads(injected.FROZEN.read_text())["own"]


@pytest.mark.slow
def test_the_frozen_public_text_is_what_was_frozen():
    if injected.cuad_folder() is None:
        pytest.skip("TUNEGATE_DATA names no folder with cuad/")
    assert injected.summary(injected.copies("cuad")) == json.loads(injected.FROZEN.read_text())["cuad"]


def test_about_a_third_of_the_sources_is_frozen_and_each_source_is_wholly_in_one_part():
    parts = {}
    for copy in injected.copies("own"):
        assert parts.setdefault(copy.case.cluster, copy.frozen) == copy.frozen
    assert 0.25 < sum(parts.values()) / len(parts) < 0.35


def test_every_error_stands_where_it_is_said_to_and_changes_the_text():
    for copy in injected.copies("own"):
        if copy.operator not in injected.FAITHFUL:
            assert copy.completion.text != copy.case.document, copy.case.id
            assert copy.spans, copy.case.id
            assert all(0 <= start <= end <= len(copy.completion.text) for start, end in copy.spans), copy.case.id


def test_outside_its_place_an_error_leaves_the_copy_as_the_source_was():
    for copy in injected.copies("own"):
        if copy.operator in ("swap a figure", "swap a section", "invent a party", "invent a department"):
            (start, end), source = copy.spans[0], copy.case.document
            said = copy.completion.text
            head = said[:start].removesuffix(" and ") if "added" in copy.kind else said[:start]
            assert source.startswith(head) or copy.operator == "invent a department", copy.case.id
            assert source.endswith(said[end:]) or copy.operator == "invent a department", copy.case.id


def test_untouched_copies_are_the_source():
    assert all(c.completion.text == c.case.document for c in injected.copies("own") if c.operator == "untouched")


def test_there_are_errors_of_every_operator_in_both_parts():
    seen = {(copy.operator, copy.frozen) for copy in injected.copies("own")}
    assert seen == {(name, part) for name in [*injected.OPERATORS, *injected.FAITHFUL] for part in (True, False)}


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("a fee of $1,250,000 is due", "money"),
        ("a share of 7.5% is due", "percent"),
        ("a share of ten percent (10%) is due", "percent"),
        ("within thirty (30) days of the notice", "duration"),
        ("on the 3rd day of March, 2024, the tenant", "date"),
        ("with three (3) copies of it", "count"),
    ],
)
def test_a_swapped_figure_keeps_its_form_and_has_a_value_that_the_source_lacks(words, kind):
    edit = only(edits.swap_figure, words)
    assert edit.kind == kind
    before, after = figures.figures(words), figures.figures(edit.text)
    assert [f.kind for f in before] == [f.kind for f in after]
    assert before[0].value != after[0].value


def test_a_words_and_numeral_figure_is_swapped_as_a_whole():
    (figure,) = figures.figures(only(edits.swap_figure, "within thirty (30) days of it").text)
    assert figure.style == "both"


def test_an_invented_section_is_no_known_one_and_a_swapped_one_is():
    words = "The deed was attested as O.C.G.A. § 44-5-30 requires of every grantor."
    for seed in range(200):
        for edit in edits.invent_section(passage(words), random.Random(seed)):
            assert not any(said.split()[-1] in text.KNOWN_SECTIONS for said in marked(edit))
        (swapped,) = edits.swap_section(passage(words), random.Random(seed))
        assert marked(swapped)[0].split()[-1] in set(text.KNOWN_SECTIONS) - {"44-5-30"}


def test_only_the_invented_name_is_marked():
    edit = only(edits.invent_party, "The Tenant keeps the roof in repair.", "company added")
    assert marked(edit)[0] in names.COMPANIES
    edit = only(edits.invent_department, "The tenant asks for consent before any work on the roof.", "added")
    assert marked(edit)[0] in names.OFFICES


def test_a_dropped_exception_leaves_a_seam_and_a_whole_sentence():
    edit = only(edits.drop_exception, "Rent is due monthly, except during the first year. It is paid by wire.")
    assert edit.text == "Rent is due monthly. It is paid by wire."
    assert edit.spans == ((19, 19),)
    edit = only(edits.drop_exception, "Unless the roof leaks, the tenant pays rent.")
    assert edit.text == "The tenant pays rent."


def test_swapped_parties_are_both_marked():
    edit = only(edits.swap_parties, "The Landlord shall repay the Tenant at once.")
    assert edit.text == "The Tenant shall repay the Landlord at once."
    assert marked(edit) == ["Tenant", "Landlord"]


def test_one_word_of_a_quotation_is_changed_inside_the_quotation_marks():
    words = 'The lease says that "the tenant shall keep the roof in repair" and no more.'
    edit = only(edits.change_quote, words, "quotation of the source")
    changed = [(a, b) for a, b in zip(words.split(), edit.text.split(), strict=True) if a != b]
    assert len(changed) == 1
    assert '"the' in edit.text[: edit.spans[0][0]]


def test_a_mark_that_closes_one_quotation_opens_no_other():
    assert [m["inside"] for m in edits.QUOTED.finditer('the "Buyer" and all of its heirs and "Seller" here')] == [
        "Buyer",
        "Seller",
    ]


def test_a_restatement_leaves_quotations_alone():
    words = 'He owes $1,250,000 and says "I owe Oakline Mills, Inc. no less than $1,250,000 in all" today.'
    (edit, *_) = edits.restate(passage(words), random.Random(1))
    assert '"I owe Oakline Mills, Inc. no less than $1,250,000 in all"' in edit.text
    assert not edit.text.removeprefix("In short: ").startswith("He owes $1,250,000 ")


def test_restated_figures_have_the_value_they_had():
    """Read back by the independent readings that the edits are made with."""
    for written in ("5%", "$3,000,000", "thirty (30) days", "24 months", "twelve percent", "140 owners"):
        (figure,) = figures.figures(written)
        for seed in range(20):
            again = figures.restated(figure, written, random.Random(seed))
            assert again != written
            assert again in ALLOWED[written], again


ALLOWED = {
    "5%": {"5 percent", "500 basis points", "five percent"},
    "$3,000,000": {"$3 million", "3,000,000 dollars", "three million dollars"},
    "thirty (30) days": {"30 days", "thirty days"},
    "24 months": {"twenty-four months", "two years"},
    "twelve percent": {"12%", "12 percent", "1200 basis points"},
    "140 owners": {"one hundred forty owners"},
}


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "zero"), (21, "twenty-one"), (110, "one hundred ten"), (1_250_000, "one million two hundred fifty thousand")],
)
def test_numbers_are_spelled(number, words):
    assert figures.spell(number) == words


def test_a_swapped_value_is_none_that_the_source_states_in_digits_or_words():
    words = "pay within 5 days, or in 2, 3, four, 6, seven, 8, 9, 10 or fifty of them"
    for seed in range(30):
        assert [e.kind for e in edits.swap_figure(passage(words), random.Random(seed))] == ["unit of a duration"]
    freed = words.replace("seven, ", "")
    assert only(edits.swap_figure, freed, "duration").text.startswith("pay within 7 days")


def test_a_name_can_be_altered_in_one_word_only():
    words = "The lease binds Dunmore Orchard Company and the Lease Accounting Department."
    (said,) = marked(only(edits.invent_party, words, "company altered"))
    assert said.startswith("Dunmore ") and said.endswith(" Company") and said != "Dunmore Orchard Company"
    (said,) = marked(only(edits.invent_department, words, "altered"))
    assert said.startswith("Lease ") and said.endswith(" Department") and "Accounting" not in said


def test_a_period_can_get_another_unit():
    edit = only(edits.swap_figure, "within thirty (30) business days of it", "unit of a duration")
    assert marked(edit) == ["thirty (30) business months"]
