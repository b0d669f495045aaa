"""The suite public/cuad on the real contracts: enough of each, gold as labelled, splits apart, the floor as stated."""

import ast
import csv
import json
import random
import re
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from evalsuites.public.cuad import build_training, cases, contracts, floor, passages, split
from evalsuites.public.cuad.contracts import CATEGORIES, NAMES
from harness.scoring.legal import clauses
from tests.support.answers import answer

SUITE = Path(cases.__file__).parent
DUPLICATES = (
    (
        "ADUROBIOTECH,INC_06_02_2020-EX-10.7-CONSULTING AGREEMENT",
        "ADUROBIOTECH,INC_06_02_2020-EX-10.7-CONSULTING AGREEMENT(1)",
    ),
    ("ChinaRealEstateInformationCorp_20090929", "LejuHoldingsLtd_20140121_DRS (on F-1)_EX-10.26_8473102"),
    ("INTELLIGENTHIGHWAYSOLUTIONS,INC_01_18_2018", "SIBANNAC,INC_12_04_2017"),
    ("IdeanomicsInc_20151124", "IdeanomicsInc_20160330"),
    ("SEPARATEACCOUNTIIOFAGL_05_02_2011", "VARIABLESEPARATEACCOUNT_04_30_2014"),
)
"""Starts of the file names of the pairs that share half of all their runs of five words."""


@pytest.fixture(scope="module")
def real(public_data):
    """Cases by split, from the real contracts."""
    if not (public_data / "cuad").is_dir():
        pytest.skip("TUNEGATE_DATA holds no CUAD contracts")
    return {name: cases.cases(name) for name in split.SPLITS}


@pytest.fixture(scope="module")
def source(public_data):
    """Text and labelled strings by category of each contract, read without the code under test."""
    with (public_data / "cuad" / "master_clauses.csv").open(encoding="utf-8", newline="") as file:
        rows = {re.sub(r"\W|_", "", row["Filename"][:-4]).lower(): row for row in csv.DictReader(file)}
    read = {}
    for path in (public_data / "cuad" / "contracts").glob("*.txt"):
        row = rows.get(re.sub(r"\W|_", "", path.stem).lower())
        if row is not None:
            columns = [c for c in row if c != "Filename" and not c.replace(" ", "").endswith("-Answer") and row[c]]
            parts = {c: [" ".join(p.split()) for s in ast.literal_eval(row[c]) for p in s.split("<omitted>")]
                     for c in columns}  # fmt: skip
            read[path.stem] = (" ".join(path.read_text("utf-8").split()), parts)
    return read


def spans_of(text: str, part: str) -> list[tuple[int, int]]:
    return [(m.start(), m.start() + len(part)) for m in re.finditer(re.escape(part), text)]


def test_suite_has_enough_contracts_and_half_of_its_cases_hold_no_clause(real):
    asked = real["test"]
    assert len({c.cluster for c in asked}) >= 90
    assert len(asked) >= 400
    assert 0.45 <= sum(not c.expected for c in asked) / len(asked) <= 0.55
    assert max(Counter(c.cluster for c in asked if c.expected).values()) <= 4 * 3
    assert all(passages.LEAST - 2 <= len(c.document) <= passages.MOST for c in asked)


def test_every_category_is_asked_about_in_enough_contracts(real):
    held = defaultdict(set)
    for case in real["test"]:
        for name in case.expected:
            held[name].add(case.cluster)
    assert {name: len(held[name]) for name in NAMES if len(held[name]) < 15} == {}


@pytest.mark.slow
def test_gold_agrees_with_the_labels_as_they_are_written(real, source):
    wrong = []
    for case in random.Random(0).sample(real["test"], 200):
        holders = [name for name, (text, _) in source.items() if case.document in text]
        agreed = False
        for name in holders:
            text, parts = source[name]
            at = text.find(case.document)
            touched = {
                c
                for c, listed in parts.items()
                for part in listed
                if len(part) >= contracts.SHORT
                for start, end in spans_of(text, part)
                if start < at + len(case.document) and at < end
            }
            expected = {CATEGORIES[name] for name in case.expected}
            agreed |= expected == touched & set(CATEGORIES.values()) and (bool(expected) or not touched)
        wrong.extend([] if agreed else [case.id])
    assert wrong == []


@pytest.mark.slow
def test_known_near_duplicates_are_on_one_side(source):
    groups = split.groups({name: text for name, (text, _) in source.items()})
    sides = {name: split.side(group) for group in groups for name in group}
    for starts in DUPLICATES:
        first, second = (min(name for name in sides if name.startswith(start)) for start in starts)
        said = [re.findall(r"\w+", source[name][0].lower()) for name in (first, second)]
        runs = [{tuple(s[i : i + 5]) for i in range(len(s) - 4)} for s in said]
        assert first != second
        assert len(runs[0] & runs[1]) >= 0.5 * len(runs[0] | runs[1])
        assert sides[first] == sides[second]


def test_no_training_passage_shares_half_of_its_wording_with_the_test(real):
    def runs(text: str) -> set[tuple[str, ...]]:
        said = re.findall(r"\w+", text.lower())
        return {tuple(said[i : i + 8]) for i in range(len(said) - 7)}

    asked = set().union(*(runs(c.document) for c in real["test"]))
    trained = [runs(c.document) for name in ("train", "validation") for c in real[name]]
    assert [r for r in trained if len(r) > 4 and len(r & asked) >= 0.5 * len(r)] == []


@pytest.mark.slow
def test_default_training_rows_are_enough_hold_every_category_and_are_the_same_each_time(real, tmp_path):
    drawn = {split: build_training.training_cases(split, 0, n) for split, n in (("train", 1200), ("validation", 150))}
    rows, held_out = map(len, drawn.values())
    assert build_training.write(tmp_path, 1200, 0) == {"train": rows, "validation": held_out, "dev_cases": held_out}
    assert (rows, held_out) == (1800, 150)
    first = (tmp_path / "train.jsonl").read_bytes()
    assert build_training.write(tmp_path, 1200, 0) and (tmp_path / "train.jsonl").read_bytes() == first
    answers = [json.loads(line)["messages"][-1]["content"] for line in first.splitlines()]
    named = Counter(name for answer in answers for name in answer.split("; "))
    assert named["none"] == 600
    assert min(named[name] for name in NAMES) >= 30


def test_the_readme_states_the_floor_as_it_is_and_the_floor_passes_no_recall_gate(real):
    score = clauses.among(NAMES)
    total: Counter[str] = Counter()
    for case in real["test"]:
        total.update(score(case, answer(floor.keyword_floor(case))).counts)
    figures = {
        "recall": total["tp"] / total["gold"],
        "precision": total["tp"] / total["predicted"],
        "exact set": total["exact"] / len(real["test"]),
        "false alarm rate": total["false_alarm"] / total["empty_gold"],
    }
    stated = (SUITE / "README.md").read_text("utf-8")
    assert [name for name, value in figures.items() if f"| {name} | {value:.3f} |" not in stated] == []
    gates = tomllib.loads((SUITE / "gates.toml").read_text("utf-8"))["gate"]
    bar = next(g["value"] for g in gates if g["metric"] == "clause_recall" and "value" in g)
    assert figures["recall"] < bar
