"""Text of a suite is found in rows, whole, edited, cut out or inside; boilerplate and formulas are not counted."""

import json
import random
from pathlib import Path

import pytest

from harness.errors import UserError
from tests.training.curation.conftest import case, edited, prose, sample
from training.curation.check import CheckSettings, Sample
from training.curation.checks import contamination, suite_index
from training.data.rows import TrainingRow, Turn

CASE = prose("case", 100)
LONG = prose("contract", 1200)
LAW = (
    "This Agreement shall be governed by and construed in accordance with the laws of the State of Georgia without "
    "regard to its rules"
)


@pytest.fixture
def find(write_cases):
    """Rows found among prompts, or in a sample, against cases or cases of these texts."""

    def run(rows, *cases):
        folder = write_cases([one if isinstance(one, dict) else case(n, one) for n, one in enumerate(cases, 1)])
        return contamination.find(rows if isinstance(rows, Sample) else sample(*rows), CheckSettings(suites=[folder]))

    return run


@pytest.mark.slow
@pytest.mark.parametrize("text", [
    CASE,
    CASE.upper().replace(" ", "  ").replace("THE", "THE,"),
    edited(CASE, *range(0, 100, 20)),
    f"{prose(1, 200)} {CASE} {prose(2, 200)}",
    " ".join(LONG.split()[300:380]),
    f"Read this and answer in one word.\n\n{CASE}",
    CASE.replace(" ", "_"),
    " ".join(f'<span class="w" id="{n}">{word}</span>' for n, word in enumerate(CASE.split())),
    CASE.replace(" ", "<BR />"),
    CASE.replace(" ", "&nbsp;"),
    " ".join(f"<w>{word}</w>" for word in CASE.split()),
    json.dumps(json.dumps({"document": CASE.replace(" ", "\n")})),
    json.dumps(CASE.replace(" ", " \N{EM DASH} ")),
    CASE.translate(str.maketrans("aeopc", "аеорс")),  # Cyrillic.
    CASE.upper().translate(str.maketrans("AEHIKMOPTXZ", "ΑΕΗΙΚΜΟΡΤΧΖ")),  # Greek.
])  # fmt: skip
def test_a_copy_is_found_in_every_shape(find, text):
    found = find([prose(7), text], CASE, LONG)
    assert [finding.row for finding in found.findings] == [1]
    assert found.findings[0].quote != ""


def test_a_copy_of_a_case_with_markup_is_found_without_it(find):
    tagged = " ".join(f"<b>{word}</b>" for word in CASE.split())
    assert [finding.row for finding in find([CASE, CASE.replace(" ", "_")], tagged).findings] == [0, 1]


def test_a_copy_is_found_in_what_only_the_base_model_reads(find):
    """Its probabilities after that text are learnt, and so is what the text says."""

    def row(context):
        messages = [Turn(role="user", content=prose(7)), Turn(role="assistant", content="none")]
        turns = [Turn(role="user", content=context), Turn(role="assistant", content="yes")]
        return TrainingRow(messages=messages, where="replay.jsonl:1", is_replay=True, base_context=turns)

    assert [finding.row for finding in find(Sample([row(prose(8)), row(CASE)]), CASE).findings] == [1]


@pytest.mark.parametrize("hidden", [f"<p {CASE}>", f'<p title="{CASE}">', f"<row {CASE[:60]}>{CASE[60:]}"])
def test_no_text_is_hidden_by_a_tag_around_it(find, hidden):
    assert [finding.row for finding in find([hidden], CASE).findings] == [0]


def test_the_reason_names_suite_case_document_and_passage(find):
    (finding,) = find([CASE], prose(3), CASE).findings
    assert finding.reason == "100 words, 100% of the row and 100% of the case: suite legal/mini, case c2 of k2"
    assert CASE.startswith(finding.quote.rstrip("…"))
    assert finding.other == "legal/mini: c2"


def test_a_leaked_answer_is_found(find):
    reference = prose("reference", 50)
    rows = [(prose(1, 200), "none"), (prose(2, 200), reference)]
    found = find(rows, {**case(1, CASE), "expected": [reference, "none"]})
    assert [(f.row, "(its expected answer)" in f.reason) for f in found.findings] == [(1, True)]


def test_a_short_case_is_found_where_it_is_the_prompt(find):
    question = "Who repairs the roof of the old mill?"
    rows = [question, f"Q: {question}", f"{prose(4)}\n\n<q>{question}</q>"]
    others = [f"{prose(4)} {question} {prose(5)}", "Who repairs the roof of the barn?"]
    assert [f.row for f in find([*rows, *others], question, CASE).findings] == [0, 1, 2]


@pytest.mark.parametrize("before", [[], [("user", "Who paints the fence?"), ("assistant", "the tenant")]])
def test_a_short_case_is_found_in_a_message_of_a_longer_conversation(find, before):
    question = "Who repairs the roof of the old mill?"
    texts = [("system", prose(4, 20)), *before, ("user", question), ("assistant", "the owner")]
    row = TrainingRow(messages=[Turn(role=role, content=text) for role, text in texts], where="a.jsonl:1")
    (finding,) = find(Sample([row]), question, "Who paints the fence?").findings
    assert "100% of the row and 100% of the case" in finding.reason


def test_a_case_that_was_added_meanwhile_is_compared(write_cases):
    """A notebook trains several times in one process."""
    settings = CheckSettings(suites=[write_cases([case(1, prose("other"))])])
    assert contamination.find(sample(CASE), settings).findings == []
    write_cases([case(1, prose("other")), case(2, CASE)])
    assert len(contamination.find(sample(CASE), settings).findings) == 1


@pytest.mark.parametrize("around", [30, 10])
def test_a_formula_that_contracts_share_is_said_and_not_counted(find, around):
    found = find([f"{prose(1, around)} {LAW}."], f"{prose(3, 25)} {LAW} {prose(4, 20)}")
    assert found.findings == []
    assert "a run of 13 words with a case, but too little else, are not counted: 1." in found.notes[1]
    assert "governed by and construed" in found.notes[1]


def test_a_formula_that_a_row_repeats_is_counted_once(find):
    row = " ".join(f"{prose(n, 30)} {LAW}." for n in range(4))
    assert find([row], f"{LAW} {prose(9, 20)}").findings == []


TASK = "Decide which of these clauses the text below contains and answer with their names only, divided by semicolons: "


@pytest.mark.parametrize("prompts", [
    lambda texts: [*(f"{TASK}\n\n{text}" for text in texts), f"{TASK.replace('text', 'lease')}\n\n{prose(99)}"],
    lambda texts: [f"{TASK}{text}" for text in texts],
    lambda texts: [f"{TASK}{prose(n, 12)}\n\n{text}" for n, text in enumerate(texts)],
    lambda texts: ["\n".join(f"{TASK}{text}" for text in texts)],
])  # fmt: skip
def test_a_whole_short_case_is_found_whatever_is_around_it(find, prompts):
    texts = [prose(n, 25) for n in range(8)]
    rows = prompts(texts)
    found = [finding.row for finding in find(rows, *texts).findings]
    assert found == list(range(len(rows)))[: len(texts)]


def test_a_document_with_several_questions_is_one_document_without_clusters(find):
    documents = [prose(n, 200) for n in range(3)]
    cases = [case(f"{d}-{q}", text, question=f"Question {q}?") for d, text in enumerate(documents) for q in range(6)]
    assert [f.row for f in find(documents, *cases).findings] == [0, 1, 2]


def test_a_script_without_spaces_is_compared_by_characters(find):
    signs = [chr(0x4E00 + 7 * n) for n in range(300)]
    texts = ["".join(random.Random(n).sample(signs, 60)) for n in range(4)]
    row = f"{''.join(signs[:80])}{texts[2][10:]}。"
    assert [(f.row, f.other) for f in find([row, "".join(signs)], *texts[1:]).findings] == [(0, "legal/mini: c2")]


def test_a_case_with_several_short_texts_is_found_by_the_longest(find):
    question = "Who repairs the roof of the old mill?"
    found = find([f"Q: {question}"], case(1, question, first="the tenant", second="the owner", third="nobody at all"))
    assert [f.row for f in found.findings] == [0]


def test_cases_that_cannot_be_compared_are_counted_and_not_among_those_compared(find):
    found = find([CASE], "translate house", *(f"Is it so or{' ' * n}not?" for n in range(1, 7)), CASE)
    assert found.notes[:2] == [
        "Compared with 1 case of 1 suite.",
        "Cases that cannot be compared, because they have fewer than 4 words or share all their text with other "
        "documents: 7 of legal/mini.",
    ]


def test_text_of_many_documents_is_boilerplate_and_not_counted(find):
    task = prose("task", 45)
    names = "; ".join(prose(f"name {n}", 2) for n in range(12))
    cases = [case(n, prose(f"doc {n}", 50), task=task, names=names) for n in range(6)]
    rows = [f"{task}\n{names}\n{prose(n, 50)}" for n in range(3)]
    found = find(rows, *cases)
    assert found.findings == []
    assert "rows that share some: 3. An example" in found.notes[1]
    leaked = find([*rows, f"{task}\n{names}\n{prose('doc 4', 50)}"], *cases)
    assert [(f.row, f.other) for f in leaked.findings] == [(3, "legal/mini: c4")]


def test_boilerplate_around_a_short_leak_does_not_hide_it(find):
    task = prose("task", 45)
    cases = [case(n, prose(f"doc {n}", 30), task=task) for n in range(6)]
    found = find([f"{task} {prose('doc 4', 30)}"], *cases)
    assert [f.other for f in found.findings] == ["legal/mini: c4"]


def test_text_of_few_documents_is_counted(find):
    task = prose("task", 45)
    cases = [case(n, prose(f"doc {n}", 50), task=task) for n in range(4)]
    assert [f.row for f in find([f"{task}\n{prose(9, 10)}"], *cases).findings] == [0]


def test_cases_of_one_document_stay_together_in_the_count(find):
    """Six cases of one contract are one document, so what they share is no boilerplate."""
    cases = [case(n, f"{CASE} {prose(n, 5)}", cluster="one") for n in range(6)]
    assert [f.row for f in find([CASE], *cases).findings] == [0]


def test_a_folder_without_a_suite_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no suite was found"):
        contamination.find(sample(CASE), CheckSettings(suites=[str(tmp_path)]))


def test_a_folder_without_a_suite_is_an_error_next_to_one_with_suites_too(write_cases, tmp_path):
    """Rows would pass as compared with what the user named."""
    (tmp_path / "test_own.py").write_text("def test_nothing():\n    pass\n")
    folders = [write_cases([case(1, CASE)]), str(tmp_path / "test_own.py")]
    with pytest.raises(UserError, match=r"test_own\.py: no suite was found"):
        contamination.find(sample(CASE), CheckSettings(suites=folders))


def test_without_any_suite_the_check_says_that_it_did_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(suite_index, "SHIPPED", tmp_path / "evalsuites")
    assert "no folder evalsuites is here or above" in contamination.find(sample(CASE), CheckSettings()).skipped


def test_the_projects_suites_are_found_from_a_folder_below_it(write_cases, tmp_path, monkeypatch):
    write_cases([case(1, CASE)])
    (tmp_path / "project" / "data" / "raw").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "data" / "raw")
    found = contamination.find(sample(CASE), CheckSettings())
    assert [finding.row for finding in found.findings] == [0]
    assert found.notes == ["Compared with 1 case of 1 suite."]


def test_where_only_the_shipped_suites_are_found_the_result_says_so(write_cases, tmp_path, monkeypatch):
    monkeypatch.setattr(suite_index, "SHIPPED", Path(write_cases([case(1, CASE)])))
    monkeypatch.chdir(tmp_path)
    notes = contamination.find(sample(prose(7)), CheckSettings()).notes
    assert "Rows were compared with tunegate's own suites only" in notes[1] and "--suite" in notes[1]
