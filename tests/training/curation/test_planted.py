"""Each planted fault is found once, by its own check, with its reason and the row or case it matches."""

import time

import pytest

from harness.errors import UserError
from tests.training.curation.conftest import case, edited, prose, row, sample
from training.curation.check import CheckSettings
from training.curation.checks import bias
from training.curation.review import CHECKS, review

CLEAN = [row(prose(n), "repair" if n % 3 else "none") for n in range(12)]
CASE = prose("case", 80)
NEAR = edited(prose(5), 30)


def checked(path, suites, **settings):
    """Findings by check, for checks that found something."""
    done = review([str(path)], CheckSettings(suites=[suites], **settings))
    return {result.name: result.result.findings for result in done.results if result.result.findings}, done


def only(*names):
    """Actions that skip every other check."""
    return {check.name: "skip" for check in CHECKS if check.name not in names}


def test_clean_rows_give_no_finding_in_any_check(write_jsonl, write_cases):
    findings, done = checked(write_jsonl(CLEAN), write_cases([case(1, CASE)]))
    assert findings == {}
    assert {result.name for result in done.results} == {check.name for check in CHECKS}
    assert done.drops == {} and done.masked == set()


def test_a_language_in_capitals_is_the_same_language(write_jsonl, write_cases):
    findings, done = checked(write_jsonl(CLEAN), write_cases([case(1, CASE)]), language="EN")
    assert findings == {} and not any("English only" in result.result.skipped for result in done.results)


@pytest.mark.slow
@pytest.mark.parametrize(("planted", "check", "reason", "other"), [
    (row(prose(3).upper() + " \n", "None"), "exact_duplicates", "repeats {file}:4", "{file}:4"),
    (row(prose(3).replace("o", "о"), "nоne"), "exact_duplicates", "repeats {file}:4", "{file}:4"),
    (row(NEAR, "repair"), "near_duplicates", "of its runs of 5 words with {file}:6", "{file}:6"),
    (row(CASE), "contamination", "100% of the row and 100% of the case: suite legal/mini, case c1 of k1",
     "legal/mini: c1"),
    (row(f"{prose(90)} Pay to DE89 3704 0044 0532 0130 00."), "pii", "contains IBAN", ""),
    (row(f"{prose(91)} The tenent agrees."), "typos", "“tenent”: not a word of the list", ""),
    (row(prose(92), "gonna fix that, lol"), "informal", "“gonna”, “lol”: slang; write “going to”", ""),
    (row(prose(4), "insurance"), "conflicting_answers", "the prompt of {file}:5 with another answer", "{file}:5"),
    (row("Der Mieter zahlt die Miete am ersten Tag jedes Monats an den Vermieter und hält die Wohnung sauber."),
     "language", "in de, not en", ""),
])  # fmt: skip
def test_a_planted_fault_is_found_once_with_its_reason(write_jsonl, write_cases, planted, check, reason, other):
    path = write_jsonl([*CLEAN, planted])
    findings, _ = checked(path, write_cases([case(1, CASE)]))
    findings.pop("typos", None) if check == "language" else None
    assert list(findings) == [check]
    (finding,) = findings[check]
    assert finding.row == len(CLEAN)
    assert reason.format(file=path) in finding.reason
    assert finding.other == other.format(file=path)


def test_a_word_of_five_rows_is_a_term_and_said(write_jsonl, write_cases):
    rows = [*CLEAN, *(row(f"{prose(100 + n)} The tenqor agrees.") for n in range(5))]
    findings, done = checked(write_jsonl(rows), write_cases([case(1, CASE)]))
    assert findings == {}
    (typos,) = [result.result for result in done.results if result.name == "typos"]
    assert typos.notes == ["Unknown words in 5 rows or more, treated as terms: tenqor (5)."]


def test_a_style_guide_decides_what_is_banned(write_jsonl, write_cases, tmp_path):
    guide = tmp_path / "style.toml"
    switches = ("contractions", "emoji", "repeated_marks", "all_caps", "lists", "slang", "typos", "grammar_slips")
    tone = "".join(f"{name} = {str(name != 'contractions').lower()}\n" for name in switches)
    guide.write_text(f'client = "A"\n[tone]\n{tone}[[banned]]\nid = "cheap"\nterms = ["cheap"]\nuse = ["fair"]\n')
    path = write_jsonl([*CLEAN, row(prose(92), "A cheap flat."), row(prose(93), "It doesn't matter here.")])
    findings, _ = checked(path, write_cases([case(1, CASE)]), style=str(guide))
    assert {name: [(f.row, f.reason) for f in some] for name, some in findings.items()} == {
        "banned_terms": [(12, "“cheap”: banned.cheap; write “fair”")],
        "informal": [(13, "“doesn't”: no contractions")],
    }


@pytest.mark.parametrize(("rows", "warned"), [(999, True), (1000, False)])
def test_too_few_rows_warn_and_block_nothing(write_jsonl, write_cases, rows, warned):
    path = write_jsonl([row(f"Row {n}") for n in range(rows)])
    done = review([str(path)], CheckSettings(actions=only("row_floor")))
    (floor,) = done.results
    assert floor.result.findings == [] and done.rows_after == rows
    assert [note[:40] for note in floor.result.notes] == ["999 rows; at least 1,000 are recommended"] * warned


def test_the_screen_finds_a_swapped_pair_with_another_answer(write_jsonl, write_cases):
    he = "Mr Hill asks whether his loan is granted. He earns as much as before."
    pair = [row(he, "granted"), row(he.replace("Mr", "Mrs").replace("his", "her").replace("He", "She"), "refused")]
    same = [row(prose(95) + " He pays.", "granted"), row(prose(95) + " She pays.", "granted")]
    settings = CheckSettings(actions=only("counterfactual_swaps"))
    done = review([str(write_jsonl([*pair, *same, row(he, "refused")]))], settings)
    (finding,) = done.results[0].result.findings
    assert (finding.row, finding.quote, finding.other_quote) == (1, "refused", "granted")
    assert done.results[0].result.notes[0].startswith("A screen, not a proof.")
    assert done.results[0].result.counts == {"both": 0, "he": 3, "she": 2}


def test_the_screen_is_quick_where_many_rows_have_one_prompt():
    many = sample(
        *(("He asks for a loan.", f"answer {n}") for n in range(20_000)), ("She asks for a loan.", "answer 0")
    )
    started = time.process_time()
    (finding,) = bias.find(many, CheckSettings()).findings
    assert (finding.row, finding.other) == (20_000, "a.jsonl:2")
    assert time.process_time() - started < 5


def test_rows_that_a_training_would_cut_or_refuse_are_told_apart(write_jsonl, write_cases, tiny_model):
    rows = [row("the tenant " * 3, "none"), row("the tenant " * 200, "none"), row("Say", "the tenant agrees " * 60)]
    actions = only("long_prompts", "long_answers", "lengths")
    settings = CheckSettings(base=str(tiny_model), max_length=64, actions=actions)
    done = review([str(write_jsonl(rows))], settings)
    assert {r.name: [f.row for f in r.result.findings] for r in done.results} == {
        "long_answers": [2], "long_prompts": [1], "lengths": [],
    }  # fmt: skip
    assert done.drops == {2: "long_answers"}
    from harness.suites.prompts import Renderer
    from training.data.rows import load_rows
    from training.data.tokenize import encode

    kept = load_rows([str(write_jsonl(rows[:2], "kept.jsonl"))])
    whole = encode(kept, Renderer(tiny_model), 5000)
    assert done.size[0] == "tokens" and done.size[2] == whole.tokens


def test_every_row_that_cannot_be_trained_as_it_is_served_is_named(write_jsonl, tiny_model):
    settings = CheckSettings(base=str(tiny_model), max_length=64, actions=only("lengths"))
    with pytest.raises(UserError, match=r"(?s)2 problems.*jsonl:1: message 2 has <\|im_end\|>.*jsonl:2: message 2"):
        review([str(write_jsonl([row("Say", "none<|im_end|> due")] * 2))], settings)


def test_shares_of_labels_and_of_negatives_are_of_all_rows(write_jsonl, write_cases):
    answers = ["none"] * 3 + ["repair; insurance"] * 4 + ["Repair."] * 2 + ["The document does not say."]
    rows = [row(prose(n), answer) for n, answer in enumerate(answers * 3)]
    done = review([str(write_jsonl(rows))], CheckSettings(actions=only("label_balance", "negatives")))
    negatives, balance = (result.result for result in done.results)
    assert negatives.counts == {"none": 9, "declines": 3, "answers": 18}
    assert balance.counts == {"repair": 18, "insurance": 12, "none": 9, "the document does not say": 3}


@pytest.mark.parametrize("answer", ["...", "."])
def test_answers_without_a_word_have_no_labels(write_jsonl, answer):
    settings = CheckSettings(actions=only("label_balance", "counterfactual_swaps"))
    done = review([str(write_jsonl([row(prose(n), answer) for n in range(3)]))], settings)
    assert done.results[-1].result.notes == ["Answers are free text, so there are no labels to count."]
