"""The suite general/claims: sentences, passages, sides of documents, balance; evaluation is never trained on."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from msgspec import structs

from evalsuites.general.claims import cases, floor, sets, split
from evalsuites.general.claims.pairs import LABELS, NOT_SUPPORTED, SUPPORTED, Pair
from evalsuites.general.claims.split import EVALUATION, TRAIN, VALIDATION
from evalsuites.general.claims.test_claims import suite
from harness.errors import Unavailable
from harness.schema import Case
from tests.evalsuites.judging import available
from tests.support.answers import answer

SUITE = Path(cases.__file__).parent
NAME = "general/claims"
SOURCE = (
    "The Tenant shall pay rent of $1,200 on the first day of each month. "
    "The Landlord keeps the roof and the outer walls in repair. "
    "Either party may terminate this lease with sixty days' notice in writing. "
    "The Tenant keeps no animals, except two cats."
)


def pair(name="a", origin="wice", source=SOURCE, sentence="The Tenant may keep two cats.", label=SUPPORTED):
    return Pair(
        id=name,
        origin=origin,
        document=split.document_key(source),
        domain="legal",
        kind="faithful" if label == SUPPORTED else "meaning-exception",
        source=source,
        sentence=sentence,
        label=label,
    )


@pytest.fixture(scope="module")
def real():
    """The pairs of each side that rows and cases are made of."""
    available(NAME)
    used = {
        side: [each for listed in cases.twins(side).values() for both in listed for each in both]
        for side in split.SIDES
    }
    return used | {EVALUATION: cases.suite_pairs()}


# Sides


def test_a_key_ignores_case_spaces_and_punctuation():
    assert split.document_key("Two cats, at most.") == split.document_key("two\ncats AT most")
    assert split.document_key("Two cats") != split.document_key("Two dogs")


def distinct(seed, words=80):
    return " ".join(f"{chr(97 + seed % 26)}{chr(97 + seed // 26)}{n}" for n in range(words))


def test_documents_with_half_of_their_runs_in_common_are_near_duplicates():
    texts = {"a": distinct(0), "b": distinct(0, 50) + distinct(1, 30), "c": distinct(2), "d": "x"}
    assert split.near_duplicates(texts) == [("a", "b")]


def test_documents_about_which_one_sentence_is_judged_are_one_group():
    judged = "The committee meets on the first Monday."
    made = [pair(str(n), source=distinct(n), sentence=judged if n < 2 else f"{judged} {n}") for n in range(4)]
    found = split.split(made, {})
    first, second, third, _ = (found.group[each.document] for each in made)
    assert first == second != third
    generic = split.split([structs.replace(each, sentence="Yes, it is so.") for each in made], {})
    assert len(set(generic.group.values())) == 4


def test_one_document_for_evaluation_takes_its_group_along():
    made = [
        pair("a", "infotabs", distinct(0)),
        pair("b", "faithbench", distinct(0).upper()),
        pair("c", "infotabs", distinct(0, 60)),
    ]
    found = split.split(made, {})
    assert {found.side(each.document) for each in made} == {EVALUATION}


def test_settled_sides_are_kept():
    made = [pair(str(n), "completions", distinct(n), sentence=f"{n} is here.") for n in range(200)]
    settled = {made[0].document: EVALUATION, made[1].document: VALIDATION}
    found = split.split(made, settled)
    assert [found.side(each.document) for each in made[:2]] == [EVALUATION, VALIDATION]
    assert {found.side(each.document) for each in made[2:]} == {TRAIN, VALIDATION}


def test_a_document_of_no_set_is_never_for_evaluation():
    found = split.split([], {})
    counted = Counter(found.side(split.document_key(distinct(n))) for n in range(300))
    assert counted[TRAIN] > 10 * counted[VALIDATION] > 0 and counted[EVALUATION] == 0


# Twins


def test_twins_balance_each_set_and_leave_no_sentence_that_tells_the_label(monkeypatch):
    told = "The statement that recurs in every set of the data."
    made = [pair(f"s{n}", source=distinct(n), sentence=told) for n in range(9)]
    made += [pair(f"n{n}", source=distinct(n + 9), sentence=told, label=NOT_SUPPORTED) for n in range(2)]
    made += [pair(f"o{n}", source=distinct(n + 20), sentence=f"{n} other", label=NOT_SUPPORTED) for n in range(30)]
    monkeypatch.setattr(cases, "pairs", lambda: made)
    monkeypatch.setattr(cases, "sides", lambda: split.Split(group={}, side_by_group={p.document: TRAIN for p in made}))
    (listed,) = cases.twins(TRAIN).values()
    assert len(listed) == 2, "two of the sentence are not supported, so two supported ones are kept"
    assert all((good.label, bad.label) == (SUPPORTED, NOT_SUPPORTED) for good, bad in listed)


# The rules


@pytest.mark.parametrize(
    ("sentence", "naive", "novel"),
    [
        ("The Tenant shall pay rent of $1,200.", False, False),
        ("The Tenant shall pay rent of $1,300.", True, False),
        ("Dogs bark loudly outside my old cabin.", False, True),
    ],
)
def test_the_rules_flag_values_and_words_that_the_source_lacks(sentence, naive, novel):
    assert floor.naive(SOURCE, sentence) == naive
    assert floor.novel(SOURCE, sentence) == novel
    case = Case(id="x", input={"document": SOURCE, "sentence": sentence}, expected=[], cluster="c")
    assert floor.rule_floor(case) == ("No" if novel else "Yes")


# The real sets


def test_without_the_data_one_line_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNEGATE_DATA", str(tmp_path))
    for read in sets.SETS:
        if read != "completions":
            with pytest.raises(Unavailable, match="TUNEGATE_DATA") as told:
                list(sets.SETS[read]())
            assert len(str(told.value).splitlines()) == 1


@pytest.mark.slow
def test_no_document_of_the_evaluation_is_trained_on(real):
    """By its text in whatever set it is, not by the code that keeps them apart."""
    texts = {side: {" ".join(re.findall(r"\w+", each.source.lower())) for each in used} for side, used in real.items()}
    assert all(len(found) > 300 for found in texts.values())
    assert texts[EVALUATION].isdisjoint(texts[TRAIN] | texts[VALIDATION])
    assert texts[VALIDATION].isdisjoint(texts[TRAIN])


def test_no_near_copy_of_a_document_of_the_evaluation_is_trained_on(real):
    """Of no training document are half of the runs of eight words in one document of the evaluation."""
    holders = defaultdict(set)
    for at, text in enumerate({each.source for each in real[EVALUATION]}):
        for run in runs(text):
            holders[run].add(at)
    near = []
    for text in {each.source for each in real[TRAIN]}:
        own = runs(text)
        shared = Counter(at for run in own for at in holders.get(run, ()))
        if shared and max(shared.values()) > max(2, 0.5 * len(own)):
            near.append(text[:80])
    assert near == []


def runs(text):
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[at : at + 8]) for at in range(len(words) - 7)}


def test_no_document_with_a_reported_sentence_is_trained_on(real, public_data):
    """A document that FRANK, xsum_hallucination, begin and dialogue_audit share has one side in all of them."""
    sources = {split.document_key(row["source"]) for row in read(public_data / "frank" / "summaries.jsonl")}
    for name in ("xsum_hallucination", "begin", "dialogue_audit"):
        sources |= {split.document_key(row["text"]) for row in read(public_data / name / "docs.jsonl")}
    trained = {each.document for each in real[TRAIN] + real[VALIDATION]}
    evaluated = {each.document for each in cases.pairs() if cases.sides().side(each.document) == EVALUATION}
    assert len(sources & evaluated) > 300 and not evaluated & trained
    shared = {split.document_key(row["text"]) for row in read(public_data / "xsum_hallucination" / "docs.jsonl")} & {
        split.document_key(row["source"]) for row in read(public_data / "frank" / "summaries.jsonl")
    }
    assert len(shared) > 50
    by_origin = defaultdict(set)
    for each in real[TRAIN]:
        by_origin[each.origin].add(each.document)
    reported = {each.document for each in real[EVALUATION] if each.origin in ("frank", "xsum_hallucination")}
    assert reported and not reported & set().union(*by_origin.values())


def read(file):
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_frozen_completions_and_sets_for_checking_are_never_trained_on(real):
    truth = sets.known_truth()
    frozen = {
        split.document_key(truth.DOCUMENTS[domain]()[known.document])
        for domain in sets.TEXTS
        for known in truth.load(domain, "frozen")
    }
    assert len(frozen) == 30
    trained = real[TRAIN] + real[VALIDATION]
    assert not frozen & {each.document for each in trained}
    assert not set(split.CHECKING) & {each.origin for each in trained}


@pytest.mark.slow
def test_a_sentence_of_a_completion_is_not_supported_where_an_error_is_marked():
    truth = sets.known_truth()
    by_id = {known.id: known for domain in sets.TEXTS for known in truth.load(domain, "tuning")}
    found = {
        known: [each for each in sets.completions() if each.id.startswith(f"completions-{known}-")]
        for known in [*by_id][:40]
    }
    for name, listed in found.items():
        kinds = Counter(each.kind for each in listed if each.label != SUPPORTED)
        assert sum(kinds.values()) <= len(by_id[name].errors)
        assert set(kinds) <= {error.type for error in by_id[name].errors}
    assert sum(each.label != SUPPORTED for listed in found.values() for each in listed) > 20


def test_cases_are_balanced_over_labels_in_every_set_and_domain(real):
    cells = defaultdict(Counter)
    for case in suite.cases:
        cells[case.tags["origin"]][case.expected[0] == "Yes"] += 1
        cells[case.tags["domain"]][case.expected[0] == "Yes"] += 1
    assert len(cells) >= 24
    assert [name for name, found in cells.items() if found[True] != found[False]] == []
    assert 1500 <= len(suite.cases) <= 2100
    assert {case.tags["label"] for case in suite.cases} == set(LABELS)


@pytest.mark.parametrize(("text", "predicted"), [("No, because it says 5.", "No"), ("Yes and no.", "(no label)")])
def test_a_reason_behind_the_label_is_no_part_of_it(text, predicted):
    case = Case(id="x", input={"document": "", "sentence": ""}, expected=["No"], cluster="c")
    assert suite.scorers[0](case, answer(text)).extracted["predicted"] == [predicted]


def test_training_rows_are_balanced_and_a_set_can_be_left_out_or_come_first(real):
    made = list(cases.training_pairs("train", 400, 3))
    counted = Counter(case.tags["origin"] for case, _ in made)
    assert Counter(answer == "Yes" for _, answer in made) == {True: 200, False: 200}
    assert max(counted.values()) <= 3 * 400 / len(counted), "the sets in turn"
    left = Counter(case.tags["origin"] for case, _ in cases.training_pairs("train", 400, 3, without="summedits"))
    assert "summedits" in counted and "summedits" not in left and sum(left.values()) == 400
    begun = Counter(case.tags["origin"] for case, _ in cases.training_pairs("train", 400, 3, first="summedits"))
    assert begun == {"summedits": 400}


@pytest.mark.slow
def test_the_readme_states_sets_and_rules_as_measured(real):
    stated = (SUITE / "README.md").read_text("utf-8")
    for origin in sets.SETS:
        columns = [
            Counter(each.label == SUPPORTED for each in real[side] if each.origin == origin) for side in split.SIDES
        ]
        cells = " | ".join(str(sum(found.values())) for found in columns)
        assert re.search(rf"\| `{origin}` \|.*\| {re.escape(cells)} \|", stated), f"{origin}: {cells}"
    listed = sorted(real[EVALUATION], key=lambda each: each.document)
    for name, rule in floor.RULES.items():
        for count, seen in ((None, "the whole source"), (cases.WINDOWS, "the passages")):
            cells = " | ".join(f"{value:.3f}" for value in floor.balanced_accuracy(listed, rule, count))
            assert f"| {name} | {seen} | {cells} |" in stated, f"{name}, {seen}: {cells}"
