"""The split, the cases and the training rows of public/cuad, on contracts written here."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from evalsuites.public.cuad import build_training, cases, floor, passages, split
from evalsuites.public.cuad.contracts import NAMES
from evalsuites.training_rows import chat_rows
from harness.schema import Case
from harness.scoring.legal import clauses
from harness.suites.prompts import load_template, messages
from tests.evalsuites.small_cuad import LAW, PLAIN, RENEWED, TERM, contract, write_data
from tests.support.answers import answer

SUITE = Path(cases.__file__).parent


def prose(seed: int, sentences: int = 12) -> str:
    """Sentences of no meaning, no two with the same wording."""
    rng = random.Random(seed)
    return " ".join(
        "The " + " of the ".join("".join(rng.choices("abcdefgh", k=6)) for _ in range(14)) + "."
        for _ in range(sentences)
    )


@pytest.fixture
def small_data(tmp_path, monkeypatch):
    """A folder of two contracts that TUNEGATE_DATA names, and an empty cache."""
    root = write_data(
        tmp_path / "data",
        {
            "One": (f"{prose(1)}\n\n {LAW}  {TERM}\n\n{prose(2)}", {"Governing Law": [LAW], "Expiration Date": [TERM]}),
            "Two": (f"{RENEWED} {prose(3)}", {"Renewal Term": [RENEWED]}),
        },
    )
    monkeypatch.setenv("TUNEGATE_DATA", str(root))
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    return root


# Split


def words(seed: int, count: int = 600) -> list[str]:
    rng = random.Random(seed)
    return [f"w{rng.randrange(5000)}" for _ in range(count)]


def test_near_duplicates_are_found_by_the_share_of_the_smaller_text():
    base = words(1)
    texts = {
        "copy": " ".join(base).upper(),
        "base": " ".join(base),
        "in a longer one": " ".join([*words(2), *base[:400], *words(3)]),
        "mostly": " ".join([*base[:400], *words(4, 200)]),
        "hardly": " ".join([*base[:200], *words(5, 400)]),
        "other": " ".join(words(6)),
    }
    close = {frozenset(pair) for pair in split.near_duplicates(texts)}
    near = ("base", "copy", "in a longer one", "mostly")
    assert {frozenset((a, b)) for a in near for b in near if a != b} == close


def test_a_chain_of_near_duplicates_is_one_group_whatever_the_order():
    a, b, c = words(1), words(2, 700), words(3, 700)
    texts = {"x": [*a, *b], "y": [*b, *c], "z": [*c, *words(4)], "alone": words(5)}
    joined = {name: " ".join(said) for name, said in texts.items()}
    assert split.groups(joined) == [["alone"], ["x", "y", "z"]]
    assert split.groups(dict(reversed(joined.items()))) == [["alone"], ["x", "y", "z"]]


def test_the_hash_puts_the_stated_shares_on_each_side():
    sides = Counter(split.side([f"contract {n}"]) for n in range(4000))
    assert {name: round(count / 4000, 2) for name, count in sides.items()} == {
        "train": pytest.approx(0.58, abs=0.03),
        "validation": pytest.approx(0.12, abs=0.03),
        "test": pytest.approx(0.30, abs=0.03),
    }


# Building


def test_cases_are_built_once_and_again_when_the_data_changes(small_data, monkeypatch, capsys):
    first = {name: cases.cases(name) for name in split.SPLITS}
    assert capsys.readouterr().err.count("once") == 1
    with monkeypatch.context() as no_reading:
        no_reading.setattr(cases, "load_contracts", None)
        assert {name: cases.cases(name) for name in split.SPLITS} == first
    extra = small_data / "cuad/contracts/Three.txt"
    extra.write_text(PLAIN, "utf-8")
    cases.cases()
    assert capsys.readouterr().err.count("once") == 1


def test_each_case_says_what_its_contract_says(small_data):
    found = [case for name in split.SPLITS for case in cases.cases(name)]
    assert {case.cluster for case in found} == {"One", "Two"}
    assert {(LAW, "governing law"), (RENEWED, "renewal term"), (TERM, "expiration date")} == {
        (c.document, *c.expected) for c in found if c.expected
    }
    assert all(c.document not in (LAW, TERM, RENEWED) for c in found if not c.expected)
    assert len(found) >= 6 and len({c.id for c in found}) == len(found)


def test_wording_that_the_test_has_is_kept_out_of_the_other_splits(monkeypatch):
    monkeypatch.setattr(cases, "side", lambda group: "train" if group[0] == "a" else "test")
    same = f"{LAW} {' '.join(words(1))}."
    pair = [contract(same, ("governing law", LAW), name=name) for name in ("a", "b")]
    monkeypatch.setattr(cases, "groups", lambda texts: [["a"], ["b"]])
    built = cases.build(pair)
    assert [c.cluster for name in split.SPLITS for c in built[name] if c.expected] == ["b"]


def test_categories_that_were_asked_least_are_chosen_first():
    made = [
        passages.Passage(start=n, end=n + 1, clauses=[m], main=m)
        for n, m in enumerate(["insurance"] * 3 + ["exclusivity"])
    ]
    asked = Counter({"insurance": 5})
    assert [p.start for p in cases.varied(made, 3, asked)] == [3, 0, 1]
    assert asked == {"insurance": 7, "exclusivity": 1}


# Prompt, floor and rows


def test_prompt_floor_and_main_category_know_exactly_the_sixteen_names():
    text = (SUITE / "prompt.jinja").read_text("utf-8")
    assert len(NAMES) == 16
    assert f"contain? {'; '.join(NAMES)}\n" in text
    assert tuple(floor.PATTERNS) == NAMES
    assert sorted(passages.RAREST_FIRST) == sorted(NAMES)


@pytest.mark.parametrize(
    ("text", "says"),
    [(LAW, "governing law"), (PLAIN, "none"), (TERM, "expiration date"), (RENEWED, "renewal term; renewal notice")],
)
def test_the_floor_answers_in_the_format_of_the_prompt(text, says):
    assert floor.keyword_floor(Case(id="x", input={"document": text}, expected=[], cluster="c")) == says


def test_rows_ask_what_the_suite_asks_and_answer_what_it_expects(monkeypatch):
    gold = [["insurance"], list(NAMES), ["renewal term", "renewal notice"], [], [], []]
    made = [
        Case(
            id=str(n),
            input={"document": f"{n}. {PLAIN}"},
            expected=names,
            cluster="c",
            tags={"clause": names[0]} if names else {},
        )
        for n, names in enumerate(gold)
    ]
    monkeypatch.setattr(build_training, "cases", lambda split: [] if split == "test" else list(made))
    template = load_template(SUITE / "prompt.jinja")
    right = {json.dumps(messages(template, case)): case for case in made}
    drawn = build_training.training_cases("validation", 0, 6)
    rows = list(chat_rows(SUITE, ((case, build_training.answer(case)) for case in drawn)))
    assert len(rows) == 6
    for row in rows:
        *prompt, last = row["messages"]
        assert last["role"] == "assistant"
        assert clauses.among(NAMES)(right.pop(json.dumps(prompt)), answer(last["content"])).counts["exact"] == 1


def test_passages_with_several_clauses_are_repeated_most_and_those_without_are_not():
    pool = [Case(id=f"{names}", input={"document": ""}, expected=names, cluster="c", tags={})
            for names in ([], ["insurance"], ["insurance", "audit rights"])]  # fmt: skip
    assert [len(case.expected) for case in build_training.repeat(pool, 5)] == [0, 1, 1, 2, 2, 2, 2, 2]
