"""The suite legal/clauses: a fair set of cases, and training rows that share nothing with it."""

import csv
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import harness.scoring
from evalsuites.legal.clauses.drafting import bank, generate
from evalsuites.legal.clauses.drafting.bank import ANY, CLAUSES, INSTRUMENTS, Entry
from evalsuites.legal.clauses.floor import keyword_floor
from evalsuites.legal.clauses.test_clauses import suite
from harness.schema import Case, Completion
from harness.scoring.legal import clauses
from harness.suites.cases import load_cases
from harness.suites.prompts import Renderer, load_template, messages
from tests.evalsuites.judging import answered, judged_by_pytest, outcomes, verdicts
from tests.support.command import run

SUITE = Path(generate.__file__).parents[1]
CASES = load_cases(SUITE / "cases.jsonl")
BANKS = {"train": bank.load("train"), "eval": bank.load("eval")}
STATUTE = re.compile(r"O\.C\.G\.A\. § ([\d.A-Z-]+\d)")
NAMES = ("names", "places")

MONEY = re.compile(r"\$[\d,]+(?:\.\d\d)?")
PERCENT = re.compile(r"[\d.]+%")
DURATION = re.compile(r"(\d+)\)?\s+(day|week|month|year)s?\b")
DATE = re.compile(r"(\d+)?(?:st|nd|rd|th)?(?: day of)? ?([A-Z][a-z]+) ?(\d+)?, (20\d\d)")


def figures(text: str) -> set[str]:
    """Money, percentages, durations and dates of a text, in one spelling each."""
    text = " ".join(text.split())
    found = {money.replace(",", "").removesuffix(".00") for money in MONEY.findall(text)}
    found |= set(PERCENT.findall(text))
    found |= {f"{number} {unit}" for number, unit in DURATION.findall(text)}
    return found | {f"{before or after} {month} {year}" for before, month, after, year in DATE.findall(text)}


def eight_grams(text: str) -> set[tuple[str, ...]]:
    """Runs of eight words, once statutes are taken out."""
    words = re.findall(r"[a-z0-9$%.'-]+", STATUTE.sub(" ", text).lower())
    return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}


@cache
def training_documents() -> list[str]:
    """Documents of more training and dev rows than the defaults write."""
    rows = [*generate.training_rows("train", 3000, 0), *generate.training_rows("dev", 400, 1)]
    template = generate.SUITE / "prompt.jinja"
    head = template.read_text("utf-8").splitlines()[2]
    return [row["messages"][1]["content"].split(head)[1] for row in rows]


def answers(rows: list[dict]) -> list[str]:
    return [row["messages"][-1]["content"] for row in rows]


def words_of(entry: Entry) -> str:
    return re.sub(r"\W+", " ", entry.text.lower()).strip()


def test_suite_has_enough_contracts_and_half_of_its_cases_hold_no_clause():
    kinds = Counter(case.tags["kind"] for case in CASES)
    assert len({case.cluster for case in CASES}) >= 150
    assert len(CASES) >= 600
    assert 0.48 <= kinds["no_such_clause"] / len(CASES) <= 0.52
    assert {len(case.expected) for case in CASES if case.tags["kind"] == "clause"} == {1, 2}
    assert all(case.expected == [] and "clause" not in case.tags for case in CASES if case.tags["kind"] != "clause")


def test_every_critical_clause_is_asked_about_often_enough_to_be_judged():
    asked = Counter(case.tags.get("clause") for case in CASES)
    assert {name: asked[name] for name in CLAUSES if asked[name] < 20} == {}


def test_a_clause_occurs_only_in_instruments_it_belongs_to():
    keys = {shown: key for key, shown in INSTRUMENTS.items()}
    wrong = [c.id for c in CASES for name in c.expected if keys[c.tags["instrument"]] not in CLAUSES[name]]
    assert wrong == []


def test_the_prompt_lists_exactly_the_closed_list():
    text = (SUITE / "prompt.jinja").read_text("utf-8")
    assert f"contain? {'; '.join(CLAUSES)}\n" in text


def test_every_statute_named_is_in_the_georgia_list():
    with (Path(harness.scoring.__file__).parent / "grounding" / "georgia_sections.csv").open(encoding="utf-8") as file:
        known = {row["section"] for row in csv.DictReader(file)}
    texts = [*(case.document for case in CASES), *training_documents()]
    named = {section for text in texts for section in STATUTE.findall(" ".join(text.split()))}
    assert len(named) > 5
    assert named <= known


def test_training_and_suite_share_no_phrase():
    shared = {words_of(entry) for entry in BANKS["train"].entries()} & {words_of(e) for e in BANKS["eval"].entries()}
    assert shared == set()


def test_training_and_suite_share_no_party_and_no_place():
    def pool(name: str) -> set[str]:
        return {str(v) for part in NAMES for values in BANKS[name].pools[part].values() for v in values}

    assert len(pool("train")) > 50
    assert pool("train") & pool("eval") == set()


def test_training_and_suite_share_no_figure():
    train = set().union(*map(figures, training_documents()))
    suite = set().union(*(figures(case.document) for case in CASES))
    assert len(train) > 100
    assert len(suite) > 100
    assert train & suite == set()


def test_training_and_suite_share_no_run_of_eight_words():
    train = set().union(*map(eight_grams, training_documents()))
    suite = set().union(*(eight_grams(case.document) for case in CASES))
    assert train & suite == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fee of $4,500.00 or $75", {"$4500", "$75"}),
        ("fifteen percent (15%) and 5.25%", {"15%", "5.25%"}),
        ("thirty (30) days, 6 months", {"30 day", "6 month"}),
        ("the 4th day of March, 2016", {"4 March 2016"}),
        ("on March 4,\n2016", {"4 March 2016"}),
    ],
)
def test_figures_are_read_in_both_spellings(text, expected):
    assert figures(text) == expected


def test_dev_rows_are_drafted_in_words_no_training_row_has():
    kept, held_out = BANKS["train"].part(held_out=False), BANKS["train"].part(held_out=True)
    for name in CLAUSES:
        assert held_out.clauses[name]
        assert not {e.text for e in kept.clauses[name]} & {e.text for e in held_out.clauses[name]}
        assert len(kept.clauses[name]) >= 8
        assert len(kept.decoys[name]) + len(kept.decoys[ANY]) >= 10


def test_dev_rows_are_drafted_from_the_held_out_phrases_and_training_rows_never():
    """Told by the longest run of plain words of each held-out phrase."""
    held_out = BANKS["train"].part(held_out=True)
    marks = [
        mark
        for entries in held_out.clauses.values()
        for entry in entries
        if len((mark := max(re.split(r"[<{][^>}]*[>}]", entry.text), key=len)).split()) >= 6
    ]
    train, dev = (
        " ".join(row["messages"][1]["content"] for row in generate.training_rows(split, 600, 0))
        for split in ("train", "dev")
    )
    assert len(marks) > 20
    assert [mark for mark in marks if mark in train] == []
    assert sum(mark in dev for mark in marks) > 0.8 * len(marks)


def test_training_rows_use_the_prompt_of_the_suite_and_answer_in_its_format():
    rows = list(generate.training_rows("train", 400, 0))
    table = clauses.vocabulary_table(list(CLAUSES), {})
    assert [message["role"] for message in rows[0]["messages"]] == ["system", "user", "assistant"]
    assert rows[0]["messages"][0]["content"] == "You review Georgia real-estate contracts."
    assert 0.25 <= answers(rows).count("none") / len(rows) <= 0.35
    named = {name for answer in answers(rows) if answer != "none" for name in answer.split("; ")}
    assert named == set(table.values())


def test_dev_rows_hold_no_clause_as_often_as_the_suite_and_no_lone_paragraph():
    rows = list(generate.training_rows("dev", 400, 0))
    assert 0.45 <= answers(rows).count("none") / len(rows) <= 0.55
    lone = ["\n" not in row["messages"][1]["content"].split("\n\n", 1)[1] for row in rows]
    assert sum(lone) < 0.1 * len(rows)


def test_many_training_rows_are_one_paragraph():
    rows = list(generate.training_rows("train", 400, 0))
    lone = ["\n" not in row["messages"][1]["content"].split("\n\n", 1)[1] for row in rows]
    assert 0.25 <= sum(lone) / len(rows) <= 0.55


def test_leaving_a_clause_out_changes_answers_and_nothing_else():
    whole = list(generate.training_rows("train", 400, 0))
    without = list(generate.training_rows("train", 400, 0, without="due on sale"))
    assert [row["messages"][:2] for row in whole] == [row["messages"][:2] for row in without]
    for full, cut in zip(answers(whole), answers(without), strict=True):
        assert cut == ("; ".join(n for n in full.split("; ") if n != "due on sale") or "none")
    assert sum("due on sale" in answer for answer in answers(whole)) > 5


def floor_counts() -> Counter:
    scorer = clauses.among(tuple(CLAUSES))
    total: Counter = Counter()
    for case in CASES:
        text = keyword_floor(case)
        done = Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)
        total.update(scorer(case, done).counts)
    return total


def test_the_keyword_floor_is_readable_and_fails_every_bar_it_should():
    counts = floor_counts()
    assert counts["parsed"] == len(CASES)
    assert 0.3 < counts["tp"] / counts["gold"] < 0.9
    assert counts["tp"] / counts["predicted"] < 0.85
    assert counts["false_alarm"] / counts["empty_gold"] > 0.1


def test_the_readme_states_the_floor_as_measured():
    counts, text = floor_counts(), " ".join((SUITE / "README.md").read_text("utf-8").split())
    pairs = {
        "recall": ("tp", "gold"),
        "precision": ("tp", "predicted"),
        "false alarm rate": ("false_alarm", "empty_gold"),
    }
    stated = {name: counts[top] / counts[bottom] for name, (top, bottom) in pairs.items()}
    stated["exact set"] = counts["exact"] / len(CASES)
    assert [f"{name} {rate:.3f}" for name, rate in stated.items() if f"{name} {rate:.3f}" not in text] == []


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Time is of the essence.", "time of the essence"),
        ("Tenant shall indemnify Landlord and keep the roof in good order.", "indemnity; repair"),
        ("The price is $5.", "none"),
    ],
)
def test_the_keyword_floor_answers_by_the_words(text, answer):
    assert keyword_floor(Case(id="x", input={"document": text}, expected=[], cluster="x")) == answer


def test_the_command_refuses_to_vary_the_suite(tmp_path):
    command = ["-m", "evalsuites.legal.clauses.drafting.generate", "--split", "eval", "--seed", "3"]
    done = run(*command, "--out", str(tmp_path / "x"), cwd=SUITE.parents[2])
    assert done.returncode == 2
    assert "--split eval is fixed" in done.stderr
    assert not (tmp_path / "x").exists()


def test_the_command_writes_dev_rows(tmp_path):
    assert generate.write("dev", tmp_path / "dev.jsonl", 12, 0, None) == 12
    rows = [json.loads(line) for line in (tmp_path / "dev.jsonl").read_text("utf-8").splitlines()]
    assert {tuple(row) for row in rows} == {("messages",)}
    generate.write("dev", tmp_path / "other.jsonl", 12, 5, None)
    assert (tmp_path / "other.jsonl").read_bytes() != (tmp_path / "dev.jsonl").read_bytes()


@pytest.mark.slow
def test_excerpts_and_prompt_stay_within_their_token_limits():
    from harness.checkpoints.resolve import embedded_model

    renderer = Renderer(embedded_model())
    lengths = [len(renderer.tokenizer.encode(case.document, add_special_tokens=False)) for case in CASES]
    prompt = renderer.prompt(messages(load_template(SUITE / "prompt.jinja"), CASES[0]))
    assert max(lengths) <= 190
    assert len(prompt.ids) - lengths[0] <= 120


def test_right_answers_pass_every_gate(tmp_path):
    right = {case.id: "; ".join(case.expected) or "none" for case in CASES}
    code, found = judged_by_pytest("legal/clauses", right, tmp_path)
    assert (code, {v.slice_value for v in found if v.slice and v.outcome != "pass"}) == (0, set())


def test_a_model_that_misses_one_clause_fails_that_clauses_gate_and_no_other():
    forgotten = "due on sale"
    records = answered(suite, lambda case: "; ".join(n for n in case.expected if n != forgotten) or "none")
    failed = {v.slice_value for v in verdicts(suite, records) if v.slice and v.outcome != "pass"}
    assert failed == {forgotten}


@pytest.mark.parametrize(
    ("answer", "gates"),
    [
        (
            keyword_floor,
            ["clause_recall-at_least-0.95", "clause_precision-at_least-0.9", "false_alarm_rate-at_most-0.05"],
        ),
        (lambda case: "; ".join(CLAUSES), ["clause_precision-at_least-0.9"]),
        (lambda case: "none", ["clause_recall-at_least-0.95"]),
    ],
    ids=["floor", "always-yes", "always-no"],
)
def test_an_answer_without_understanding_fails_the_gates(answer, gates):
    found = outcomes(suite, answered(suite, answer))
    assert [found[gate] for gate in gates] == ["fail"] * len(gates)


def test_copying_the_source_breaks_off_and_fails_the_parse_rate(tmp_path):
    code, found = judged_by_pytest("legal/clauses", {case.id: case.document for case in CASES}, tmp_path)
    assert (code, {v.gate: v.outcome for v in found}["parse_rate-at_least-0.98"]) == (1, "fail")
