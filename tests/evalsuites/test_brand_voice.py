"""The suite brand/voice: a fair set of cases, right answers that score right, and training rows that share nothing."""

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from evalsuites.brand.voice import bank, generate, test_voice
from evalsuites.brand.voice.floor import find_and_replace
from evalsuites.training_rows import chat_rows
from harness.schema import Case, Completion
from harness.scoring.brand import style_guide
from harness.suites.cases import load_cases
from tests.evalsuites import separation
from tests.evalsuites.judging import answered, judged_by_pytest, outcomes

SUITE = Path(generate.__file__).parent
CASES = load_cases(SUITE / "cases.jsonl")
BANKS = {name: bank.load(name) for name in ("eval", "train")}
TASKS = "\n".join([generate.REWRITE, generate.REPLY, generate.COPY])
VOICE = test_voice.suite.scorers[0]


def score(case: Case, text: str):
    return VOICE(case, Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1))


@cache
def training() -> list[tuple[Case, str]]:
    """More rows of both splits than the defaults of one seed show."""
    return [*generate.training_pairs("train", 2400, 0), *generate.training_pairs("dev", 240, 1)]


def phrases(name: str) -> set[str]:
    found = BANKS[name].phrases.values()
    return {text for group in found for phrase in group for text in phrase.values() if isinstance(text, str)}


def test_suite_has_enough_sources_and_a_third_of_its_cases_need_no_change():
    kinds = Counter(case.tags["kind"] for case in CASES)
    assert (len(CASES), len({case.cluster for case in CASES})) == (168, 84)
    assert kinds == {
        "already_clean": 56,
        **dict.fromkeys(("rewrite", "support_reply", "quoted_trap", "product_copy"), 28),
    }
    assert len({case.document for case in CASES}) == len(CASES)


def test_a_case_cannot_be_told_to_be_clean_by_its_task():
    tasks = {kind: {c.input["task"] for c in CASES if c.tags["kind"] == kind} for kind in ("rewrite", "already_clean")}
    assert tasks["rewrite"] == tasks["already_clean"] == {generate.REWRITE}


def test_the_guide_is_valid_and_names_every_product_once():
    guide = style_guide.load(SUITE / "style.toml")
    products = [p["name"] for b in BANKS.values() for p in b.products]
    assert sorted(n.exact for n in guide.names) == sorted([*products, "Ambleworth"])


def test_the_prompt_states_every_banned_word_family_and_no_case_is_long():
    prompt = (SUITE / "prompt.jinja").read_text("utf-8")
    guide = style_guide.load(SUITE / "style.toml")
    stated = {rule.id for rule in guide.banned for term in rule.terms if term in prompt}
    assert {r.id for r in guide.banned} - stated == {"utilise"}
    assert max(len(f"{prompt} {c.input['task']} {c.document}".split()) for c in CASES) < 180


def test_every_right_answer_scores_perfectly_and_is_short_enough():
    answers = generate.right_answers()
    wrong = [c.id for c in CASES if not score(c, answers[c.id]).usable or score(c, answers[c.id]).quoted]
    assert wrong == []
    assert max(len(answer.split()) for answer in answers.values()) < 40


def test_every_right_answer_of_a_training_row_scores_perfectly():
    assert [answer for case, answer in training() if not score(case, answer).usable] == []


def test_sources_leave_the_voice_exactly_where_they_are_to_be_changed():
    clean = {case.id for case in CASES if score(case, case.document).clean}
    assert clean == {case.id for case in CASES if case.tags["kind"] == "already_clean"}


def test_drafts_leave_the_voice_in_every_way_that_the_guide_forbids():
    found = Counter(rule for case in CASES for rule in set(score(case, case.document).rules))
    for rule in style_guide.load(SUITE / "style.toml").banned:
        assert found[f"banned.{rule.id}"] >= 1 or rule.id == "inconvenience", rule.id
    switches = ("slang", "typos", "emoji", "repeated_marks", "all_caps", "lists")
    assert min(found[f"tone.{switch}"] for switch in switches) >= 5
    assert sum(n for rule, n in found.items() if rule.startswith("grammar.")) >= 30
    assert sum(n for rule, n in found.items() if rule.startswith("name.")) >= 50


def test_every_trap_baits_with_words_of_the_source_that_may_not_be_echoed():
    traps = [case for case in CASES if case.tags["kind"] == "quoted_trap"]
    assert [c.id for c in traps if not score(c, c.document).with_banned and not score(c, c.document).quoted] == []


def test_a_content_point_cannot_be_kept_by_a_wrong_figure():
    for case in CASES:
        right = generate.right_answers()[case.id]
        price = next((p for p in case.expected if p.startswith("$")), None)
        if price:
            spoiled = right.replace(price.split(" | ")[0], "$999")
            assert score(case, spoiled).points_lost == [price]


ANSWERS = {
    "floor": find_and_replace,
    "copy": lambda case: case.document,
    "yes": lambda case: "Yes.",
    "no": lambda case: "No.",
    "none": lambda case: "none",
    "absent": lambda case: "Not in the document.",
    "apology": lambda case: "I am sorry, but I cannot help with that.",
    "generic": lambda case: "Thank you for writing to us. Every partner matters to Ambleworth.",
    "name alone": lambda case: f"Thank you, partner. The {case.input['product']} is ready for you.",
    "points alone": lambda case: "; ".join(case.expected),
    "empty": lambda case: "",
    "quotes all": lambda case: f'Thank you, partner. You wrote: "{case.document}"',
}


def rate(answer, count: str, over: str | None = None) -> float:
    scores = [score(case, answer(case)) for case in CASES]
    below = sum(s.counts[over] for s in scores) if over else len(scores)
    return sum(s.counts[count] for s in scores) / below


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_without_understanding_is_far_from_usable(name):
    assert rate(ANSWERS[name], "usable") <= (0.4 if name in ("floor", "copy", "quotes all") else 0.0)


def test_the_readme_states_the_floor_as_measured():
    text = " ".join((SUITE / "README.md").read_text("utf-8").split())
    stated = {
        "usable": rate(find_and_replace, "usable"),
        "clean": rate(find_and_replace, "clean"),
        "point recall": rate(find_and_replace, "points_kept", "points"),
    }
    assert [f"{name} {value:.3f}" for name, value in stated.items() if f"{name} {value:.3f}" not in text] == []


def test_training_and_suite_share_no_phrase_product_figure_and_run_of_eight_words():
    rows = [case for case, _ in training()] + [
        Case(id="x", input={"answer": answer}, expected=[], cluster="x") for _, answer in training()
    ]
    suite = [*CASES, *(Case(id=k, input={"a": v}, expected=[], cluster=k) for k, v in generate.right_answers().items())]
    assert phrases("eval") & phrases("train") == set()
    products = {name: {p["name"] for p in b.products} for name, b in BANKS.items()}
    assert products["eval"] & products["train"] == set()
    assert separation.names_in(rows, products["eval"]) == set()
    assert separation.names_in(suite, products["train"]) == set()
    assert separation.shared_figures(suite, rows) == set()
    assert separation.shared_runs(suite, rows, TASKS) == set()
    assert {c.document for c in suite} & {c.document for c in rows} <= {""}


def test_training_and_suite_share_no_attribute_of_a_product():
    for field in ("holds", "cover", "price", "days"):
        values = {name: {p[field] for p in b.products} for name, b in BANKS.items()}
        assert values["eval"] & values["train"] == set(), field


def test_dev_rows_are_drafted_from_phrases_that_no_training_row_has():
    kept, held_out = (bank.load("train", held_out=h) for h in (False, True))
    for kind in bank.KINDS:
        assert len(held_out.phrases[kind]) >= 2
        assert len(kept.phrases[kind]) >= 6
        texts = [{str(p) for p in b.phrases[kind]} for b in (kept, held_out)]
        assert texts[0] & texts[1] == set()


def test_training_rows_use_the_prompt_of_the_suite():
    row = next(chat_rows(SUITE, generate.training_pairs("train", 1, 0)))
    assert [message["role"] for message in row["messages"]] == ["system", "user", "assistant"]
    assert "Ambleworth" in row["messages"][0]["content"]


@pytest.mark.parametrize(
    ("slot", "expected"),
    [
        ("price", "$34 | 34 dollars"),
        ("size", "450 ml | 450ml | 450 millilitres | 450 milliliters"),
        ("cover", "twenty-five years | 25 years | twenty-five-year | 25-year"),
        ("days", "four working days | 4 working days"),
        ("part", "lid"),
        ("gift wrap", "gift wrap"),
    ],
)
def test_a_content_point_lists_the_other_ways_to_write_it(slot, expected):
    values = {
        "price": "$34",
        "size": "450 ml",
        "cover": "twenty-five years",
        "days": "four working days",
        "part": "lid",
    }
    assert bank.point(slot, values) == expected


def test_the_floor_corrects_what_the_guide_has_a_word_for():
    case = Case(id="x", input={"document": "Our customers love a tideflask, its the best!!"}, expected=[], cluster="x")
    assert find_and_replace(case) == "Our partners love a TideFlask, it's the best"


def test_right_answers_pass_every_gate(tmp_path):
    code, found = judged_by_pytest("brand/voice", generate.right_answers(), tmp_path)
    unmet = {verdict.gate: verdict.outcome for verdict in found if verdict.outcome != "pass"}
    assert (code, unmet) == (0, {"usable_rate-improves": "skipped"})


def test_one_banned_word_in_one_answer_fails_its_gate_and_no_other():
    answers = generate.right_answers()
    first = next(case.id for case in CASES if case.tags["kind"] == "quoted_trap")
    answers[first] += " We value every customer."
    found = outcomes(test_voice.suite, answered(test_voice.suite, lambda case: answers[case.id]))
    assert {gate: outcome for gate, outcome in found.items() if outcome != "pass"} == {"banned_term_rate-never": "fail"}


@pytest.mark.parametrize("name", ["floor", "copy", "yes", "apology", "generic"])
def test_an_answer_without_understanding_fails_the_gates(name):
    assert outcomes(test_voice.suite, answered(test_voice.suite, ANSWERS[name]))["usable_rate-at_least-0.85"] == "fail"
