"""The suite public/plain_english: reading, split, rows and floors, on pairs written here and the real ones."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from evalsuites.public import data
from evalsuites.public.plain_english import build_training, cases, floor, pairs
from evalsuites.public.plain_english.pairs import Pair
from evalsuites.public.plain_english.test_plain_english import suite
from harness.errors import UserError
from harness.schema import Case
from harness.scoring.base import run
from harness.suites.prompts import load_template, messages
from tests.evalsuites.judging import answered, levels, outcomes
from tests.evalsuites.separation import shared_runs
from tests.support.answers import answer

SUITE = Path(cases.__file__).parent
PASSAGE = "we may close the account of a member who has not signed in for a year. we write to the member before that."
SUMMARY = "a member who does not sign in for a year loses the account."


def pair(name="p1", passage=PASSAGE, summary=SUMMARY, documents=("hollowmere",)):
    return Pair(id=name, passage=passage, summary=summary, documents=tuple(documents))


def write_data(root, rows):
    (root / "plain_english_contracts").mkdir()
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (root / "plain_english_contracts" / "pairs.jsonl").write_text("\n".join(lines), "utf-8")
    return root / "plain_english_contracts"


def row(uid="p1", doc="Privacy Policy", urls="{'shop.hollowmere.org', 'hollowmere.net'}"):
    found = {"uid": uid, "doc": doc, "original_text": f" {PASSAGE}\n", "reference_summary": SUMMARY}
    return found | ({"urls": urls} if urls else {})


@pytest.fixture(scope="module")
def real(public_data):
    """Cases by split, from the real pairs."""
    if not (public_data / "plain_english_contracts").is_dir():
        pytest.skip("TUNEGATE_DATA holds no plain-English pairs")
    return {name: cases.cases(name) for name in cases.SPLITS}


# Reading


def test_a_pair_is_tied_by_its_services_or_else_by_its_document(tmp_path):
    own = row("p2", doc="Alder Maps Terms of Service", urls="")
    first, second = pairs.load(write_data(tmp_path, [own, row()]))
    assert (first.id, first.passage, first.documents) == ("p1", PASSAGE, ("hollowmere", "shop"))
    assert second.documents == ("Alder Maps Terms of Service", "alder")


def test_all_broken_lines_are_refused_together(tmp_path):
    folder = write_data(tmp_path, [row(), "{", '{"uid": "x"}', json.dumps(row() | {"urls": "import os"})])
    with pytest.raises(UserError, match=r"3 problems(.|\n)*:2:(.|\n)*:3:(.|\n)*:4:"):
        pairs.load(folder)


# Which pairs, which split


@pytest.mark.parametrize(
    ("passage", "summary", "usable"),
    [
        (PASSAGE, SUMMARY, True),
        ("we may close it.", "they may close it for you.", False),
        (PASSAGE * 20, SUMMARY, False),
        (PASSAGE, "hi.", False),
        (PASSAGE, PASSAGE, False),
        (PASSAGE, "pixels track the browser fingerprints of visitors.", False),
        (PASSAGE, "a member who does not sign in for 30 days loses the account.", False),
    ],
    ids=["good", "short passage", "long passage", "remark", "no shorter", "off the passage", "another figure"],
)
def test_a_pair_is_used_where_the_summary_sums_up_the_passage(passage, summary, usable):
    assert cases.is_usable(pair(passage=passage, summary=summary)) is usable


def distinct(seed, words=40):
    return " ".join(f"{chr(97 + seed % 26)}{chr(97 + seed // 26)}{chr(97 + i % 26)}x" for i in range(words))


def test_pairs_that_share_a_service_a_document_or_wording_are_one_group():
    made = [
        pair("a", distinct(0), documents=("one",)),
        pair("b", distinct(1), documents=("one", "two")),
        pair("c", distinct(2), documents=("two",)),
        pair("d", f"{distinct(2, 30)} {distinct(3, 10)}", documents=("three",)),
        pair("e", f"{distinct(2, 10)} {distinct(4, 30)}", documents=("four",)),
    ]
    found = {name: [p.id for p in members] for name, members in cases.groups(made).items()}
    assert found == {"one": ["a", "b", "c", "d"], "four": ["e"]}
    assert {name: [p.id for p in members] for name, members in cases.groups(made[::-1]).items()} == found


def test_groups_fill_the_test_and_validation_up_to_their_shares():
    made = [pair(f"p{n:03}", distinct(n), documents=(f"service {n}",)) for n in range(100)]
    assert Counter(split for _, split in cases.split_of(made).values()) == {"test": 66, "validation": 5, "train": 29}
    large = [pair(f"q{n}", distinct(200 + n), documents=("large",)) for n in range(80)]
    found = cases.split_of([*made, *large])
    assert {found[p.id] for p in large} in ({("large", "test")}, {("large", "train")})


def test_a_summary_that_the_test_expects_is_left_out_of_training(monkeypatch):
    made = [pair("a"), pair("b"), pair("c", summary="a member must sign in once in every year or be closed.")]
    sides = {"a": ("x", "test"), "b": ("y", "train"), "c": ("z", "train")}
    monkeypatch.setattr(cases, "split_of", lambda found: sides)
    assert [case.id for case in cases.build(made, "train")] == ["c"]
    assert [case.id for case in cases.build(made, "test")] == ["a"]


def test_the_floor_is_the_start_of_the_first_sentence():
    case = Case(id="x", input={"document": PASSAGE}, expected=[], cluster="c")
    assert floor.lead(case) == "we may close the account of a member who has not signed in for a year."
    longer = Case(id="x", input={"document": "word " * 40}, expected=[], cluster="c")
    assert len(floor.lead(longer).split()) == floor.WORDS


# The real pairs


def test_there_are_enough_cases_services_and_lengths(real):
    asked = real["test"]
    assert len(asked) >= 150 and len({case.cluster for case in asked}) >= 30
    assert min(Counter(case.tags["passage"] for case in asked).values()) >= 20


def test_prompts_are_short(real):
    template = load_template(SUITE / "prompt.jinja")
    sizes = [sum(len(m["content"].split()) for m in messages(template, case)) for case in real["test"]]
    assert max(sizes) < 350 and sorted(sizes)[len(sizes) // 2] < 120


def test_no_wording_is_in_two_splits(real):
    training = [*real["train"], *real["validation"]]
    summaries = set().union(*(cases.runs_of(c.expected[0]) for c in real["test"]))
    assert [c.id for c in training if len(cases.runs_of(c.expected[0]) & summaries) >= 3] == []
    asked = set().union(*(cases.runs_of(c.document) for c in real["test"]))
    shared = {c.id: len(cases.runs_of(c.document) & asked) / len(cases.runs_of(c.document)) for c in training}
    assert {name: share for name, share in shared.items() if share > 0.25} == {}
    assert len(shared_runs(real["test"], training)) <= 10, "stock phrases of the trade, 'at any time without ...'"


def test_rows_ask_what_the_suite_asks_and_answer_what_scores(real, tmp_path):
    written = build_training.write(tmp_path, 0)
    held_out = len(real["validation"])
    assert written == {"train": len(real["train"]) + build_training.OWN, "validation": held_out, "dev_cases": held_out}
    template = load_template(SUITE / "prompt.jinja")
    training = [*real["train"], *build_training.own_cases(build_training.OWN, 0)]
    wanted = {json.dumps(messages(template, c)): c.expected[0] for c in training}
    for line in (tmp_path / "train.jsonl").read_text("utf-8").splitlines():
        *prompt, last = json.loads(line)["messages"]
        assert last["content"].lower() == wanted[json.dumps(prompt)]
        assert last["content"][0] == last["content"][0].upper()


def test_rows_held_out_for_validation_are_not_trained_on(real):
    train, validation = (
        {case.document for case in build_training.training_cases(split, 0, held_out=60)} for split in data.SPLITS
    )
    whole = {case.document for split in data.SPLITS for case in build_training.training_cases(split, 0)}
    assert not train & validation and train | validation == whole
    with pytest.raises(UserError, match="--held-out is 292: expected 0 to 291"):
        build_training.write(Path("unused"), 0, held_out=292)


def test_own_rows_share_no_wording_with_the_test_and_are_in_its_form(real):
    own = build_training.own_cases(600, 1)
    assert shared_runs(real["test"], own) == set()
    assert (
        set()
        .union(*(cases.runs_of(c.expected[0]) for c in own))
        .isdisjoint(set().union(*(cases.runs_of(c.expected[0]) for c in real["test"])))
    )
    for case in own:
        said = case.document + case.expected[0]
        assert re.fullmatch(r"[a-z0-9 .]+", said), case.id
        assert "  " not in said


def test_own_summaries_are_shorter_in_other_words_and_state_no_new_figure():
    """As the gates ask of an answer: figures are those of the passage, and little is copied."""
    for case in build_training.own_cases(build_training.OWN, 0):
        text = build_training.answer(case)
        scores = run(suite.scorers, case, answer(text))
        assert scores.facts.fabricated == [], text
        assert scores.plain.copied == 0 and scores.plain.words < 0.75 * scores.plain.source_words, text


def test_own_rows_differ_by_seed_and_use_every_phrase():
    count = build_training.OWN
    first, other = ([c.document for c in build_training.own_cases(count, seed)] for seed in (0, 1))
    assert first != other and first == [c.document for c in build_training.own_cases(count, 0)]
    assert len(set(first)) == count


@pytest.fixture(scope="module")
def judged(real):
    """Levels and outcomes of the absolute gates by way of answering."""
    stock = (
        "You agree that the service may change, use or share your personal data, content and account at any time "
        "without notice. You are responsible for your use of the service."
    )
    models = {
        "reference": lambda case: case.expected[0],
        "floor": floor.lead,
        "copy": lambda case: case.document,
        "stock sentence": lambda case: stock,
        "every third word": lambda case: " ".join(case.document.split()[::3][:18]),
    }
    made = {}
    for name, answering in models.items():
        records = answered(suite, answering)
        made[name] = (levels(suite, records), outcomes(suite, records))
    assert len(real["test"]) == len(suite.cases)
    return made


@pytest.mark.slow
def test_case_tests_hold_for_summaries_and_not_for_copies_or_invented_figures(real):
    covers, own_words, no_figure = (test.function for test in suite.tests)

    def holds(test, record):
        try:
            test(record)
        except AssertionError:
            return False
        return True

    right = answered(suite, lambda case: case.expected[0])
    assert all(holds(test, record) for test in (covers, no_figure) for record in right)
    assert sum(holds(own_words, record) for record in right) > 0.9 * len(right)
    assert not any(holds(covers, record) for record in answered(suite, lambda case: "Yes."))
    assert not any(holds(own_words, record) for record in answered(suite, lambda case: case.document))
    assert not any(holds(no_figure, record) for record in answered(suite, lambda case: "You have 7,391 days."))


@pytest.mark.slow
def test_no_answer_without_understanding_passes_the_gates(judged):
    for name, (_, found) in judged.items():
        if name != "reference":
            assert "fail" in found.values(), name
    assert judged["floor"][1]["copied_share-at_most-0.4"] == "fail"
    assert judged["stock sentence"][1]["reference_coverage-at_least-0.28"] == "fail"


def test_the_readme_states_sizes_and_floors_as_measured(real, judged):
    stated = (SUITE / "README.md").read_text("utf-8")
    metrics = ("reference_coverage", "copied_share", "length_share", "words_per_sentence", "long_word_share")
    for name in ("reference", "floor", "copy", "stock sentence"):
        figures = " | ".join(f"{judged[name][0][metric].value:.3f}" for metric in metrics)
        assert f"| {name} | {figures} |" in stated
    parts = [real[name] for name in ("train", "validation", "test")]
    assert f"| passages | {' | '.join(str(len(part)) for part in parts)} |" in stated
    assert f"| groups | {' | '.join(str(len({c.cluster for c in part})) for part in parts)} |" in stated
