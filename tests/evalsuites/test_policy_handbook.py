"""The suite policy/handbook: fair cases, right answers that score right, training rows that share nothing with it."""

import json
import re
from collections import Counter
from functools import cache

import pytest

from evalsuites.policy.handbook import generate
from evalsuites.policy.handbook.bank import load
from evalsuites.policy.handbook.floor import keyword_floor
from evalsuites.policy.handbook.questions import ANSWERABLE, SILENT, UNANSWERABLE, in_a_sentence
from evalsuites.policy.handbook.test_handbook import suite
from harness.schema import Case, Completion
from harness.scoring.policy.guidelines import METRICS, answered
from harness.scoring.policy.handbook import departments_in, ids_in, lines, register, value_of
from harness.scoring.text.quantities import figures_in
from harness.scoring.text.refusals import declines
from harness.suites.cases import load_cases
from harness.suites.prompts import Renderer, load_template, messages
from tests.evalsuites import judging, separation
from tests.evalsuites.judging import judged_by_pytest
from tests.support.command import run

SUITE = generate.FOLDER
CASES = load_cases(SUITE / "cases.jsonl")
ASKED = {kind.__name__ for kind in ANSWERABLE}
TEMPTING = {kind.__name__ for kind in UNANSWERABLE}


def with_kinds(*kinds: str) -> list[Case]:
    return [case for case in CASES if case.tags["kind"] in kinds]


def scored(case: Case, text: str):
    completion = Completion(key="k", text=text, finish_reason="stop", prompt_tokens=1, output_tokens=1)
    return answered(case, completion)


@cache
def training() -> list[tuple[Case, str]]:
    """More training and dev rows than the defaults write."""
    return [*generate.training_pairs("train", 3000, 0), *generate.training_pairs("dev", 400, 1)]


def test_sixty_handbooks_and_half_of_the_questions_without_an_answer():
    kinds = Counter(case.tags["kind"] for case in CASES)
    assert len(CASES) == 240
    assert len({case.cluster for case in CASES}) == 60
    assert kinds == dict.fromkeys(ASKED | TEMPTING, 24)
    assert {case.tags["kind"] for case in CASES if case.expected == [SILENT]} == TEMPTING
    assert all((case.tags["answerable"] == "yes") == (case.tags["kind"] in ASKED) for case in CASES)


def test_every_kind_is_asked_about_enough_handbooks_to_be_judged():
    for kind in ASKED | TEMPTING:
        assert len({case.cluster for case in with_kinds(kind)}) >= 20


def test_excerpts_show_three_to_six_guidelines_of_the_register_and_every_department():
    for case in CASES:
        shown, ids = lines(case.document), case.input["guidelines"].split("; ")
        assert 3 <= len(shown) <= 6
        assert set(shown) < set(ids)
        assert len(ids) == 14
        assert case.document.endswith(f"Departments: {case.input['departments']}")


def test_the_source_names_no_id_and_no_department_outside_the_register():
    for case in CASES:
        known = register(case.input["guidelines"], case.input["departments"])
        assert all(mention.known for mention in ids_in(case.document, known))
        assert all(mention.known for mention in departments_in(case.document, known, case.document.split("\n")[0]))


def test_prompts_are_short():
    template = load_template(SUITE / "prompt.jinja")
    lengths = [len(" ".join(m["content"] for m in messages(template, case)).split()) for case in CASES]
    assert max(lengths) < 300


@pytest.mark.slow
def test_prompts_and_answers_stay_within_their_token_limits():
    from evalsuites.policy.handbook.test_handbook import suite
    from harness.checkpoints.resolve import embedded_model

    renderer = Renderer(embedded_model())
    template = load_template(SUITE / "prompt.jinja")
    assert max(len(renderer.prompt(messages(template, case)).ids) for case in CASES) <= 520
    right = [len(renderer.tokenizer.encode(in_a_sentence(case.expected))) for case in CASES]
    assert max(right) < suite.max_tokens


def test_expected_parts_stand_in_the_expected_guideline():
    for case in with_kinds(*ASKED):
        cited, *stated = case.expected
        line = lines(case.document)[cited.removeprefix("Guideline ")]
        assert all(part in line.text for part in stated)


def test_a_value_taken_from_another_guideline_is_wrong():
    for case in with_kinds("value", "value_and_department", "role"):
        others = [line for number, line in lines(case.document).items() if f"Guideline {number}" not in case.expected]
        right = value_of(figures_in(case.expected[1])[0])
        assert all(right not in line.figures for line in others)


def test_a_role_question_has_the_other_roles_value_beside_it():
    for case in with_kinds("role"):
        line = lines(case.document)[case.expected[0].removeprefix("Guideline ")]
        wrong = [value for value in line.figures if value != value_of(figures_in(case.expected[1])[0])]
        assert len(wrong) == 1


def test_false_claims_stand_nowhere_in_the_handbook_shown():
    for case in with_kinds("wrong_premise"):
        known = register(case.input["guidelines"], case.input["departments"])
        claimed = [value_of(figure) for figure in figures_in(case.input["question"])]
        named = [mention.label for mention in departments_in(case.input["question"], known)]
        assert len(claimed) + len(named) == 1
        assert all(value not in line.figures for line in lines(case.document).values() for value in claimed)
        assert all(name in case.input["departments"].split("; ") for name in named)


def test_ids_and_departments_that_do_not_exist_are_in_no_register():
    for case in with_kinds("no_such_guideline", "no_such_department"):
        known = register(case.input["guidelines"], case.input["departments"])
        question = case.input["question"]
        assert [m.known for m in (*ids_in(question, known), *departments_in(question, known))] == [False]


def test_a_role_without_a_rule_is_not_in_the_handbook_shown():
    roles = load("eval").roles["names"]
    for case in with_kinds("uncovered_role"):
        asked = [role for role in roles if role in case.input["question"]]
        topics = [line.text for line in lines(case.document).values() if len(line.figures) == 2]
        assert len(asked) == 1
        assert topics
        assert answered_by_role(case, asked[0]) == []


def answered_by_role(case: Case, role: str) -> list[str]:
    """Guidelines that name the role and share the question's rarer words."""
    asked = {word for word in re.findall(r"[a-z]{5,}", case.input["question"]) if word not in role}
    return [
        line.text
        for line in lines(case.document).values()
        if role in line.text and len(asked & set(re.findall(r"[a-z]{5,}", line.text.lower()))) >= 3
    ]


def test_questions_with_and_without_an_answer_open_with_the_same_words():
    def openings(kind):
        return {tuple(re.findall(r"[A-Za-z]+", case.input["question"])[:2]) for case in with_kinds(kind)}

    assert openings("guideline") == openings("wrong_premise") == openings("no_such_department")
    assert openings("no_such_guideline") == {("Under", "Guideline")} < openings("value") & openings("near_topic")
    assert len(openings("uncovered_role") & openings("role")) >= 5


@pytest.mark.parametrize("answer", [lambda case: "; ".join(case.expected), lambda case: in_a_sentence(case.expected)])
def test_right_answers_score_right_by_every_metric(answer):
    total: Counter = Counter()
    for case in CASES:
        score = scored(case, answer(case))
        assert score.value == 1.0, (case.id, score)
        total.update(score.counts)
    for metric in METRICS:
        below = total[metric.denominator] if metric.denominator else len(CASES)
        assert below > 0
        assert total[metric.numerator] / below == float(metric.higher_is_better)


def test_right_answers_of_other_cases_are_wrong():
    asked = with_kinds(*ASKED)
    pairs = [(case, other) for case, other in zip(asked, asked[7:], strict=False) if case.cluster != other.cluster]
    assert len(pairs) > 100
    assert sum(scored(case, in_a_sentence(other.expected)).correct for case, other in pairs) == 0


def test_training_and_suite_share_no_phrase():
    banks = [load("train"), load("eval")]
    plain = [{re.sub(r"\W+", " ", phrase.lower()).strip() for phrase in bank.phrases()} for bank in banks]
    assert len(plain[0]) > 150
    assert plain[0] & plain[1] == set()


def test_training_and_suite_share_no_company_department_or_role():
    train, suite = load("train"), load("eval")
    assert set(train.names()) & set(suite.names()) == set()
    assert set(train.trades) & set(suite.trades) == set()
    assert separation.names_in(CASES, train.names()) == set()
    assert separation.names_in([case for case, _ in training()], suite.names()) == set()


def test_training_and_suite_share_no_figure_and_no_run_of_eight_words():
    rows = [case for case, _ in training()]
    assert separation.shared_figures(CASES, rows) == set()
    assert separation.shared_runs(CASES, rows) == set()


def test_training_and_suite_share_no_document_and_no_question():
    rows = [case for case, _ in training()]
    assert {case.document for case in CASES} & {case.document for case in rows} == set()
    assert {case.input["question"] for case in CASES} & {case.input["question"] for case in rows} == set()


def test_training_answers_are_right_and_three_in_ten_decline():
    rows = list(generate.training_pairs("train", 1500, 3))
    assert all(scored(case, answer).value == 1.0 for case, answer in rows)
    assert 0.25 <= sum(declines(answer) for _, answer in rows) / len(rows) <= 0.35
    assert {case.tags["kind"] for case, _ in rows} == ASKED | TEMPTING


def test_dev_rows_have_the_suites_mixture_and_other_topics_and_companies_than_training_rows():
    dev = list(generate.training_pairs("dev", 400, 0))
    train = list(generate.training_pairs("train", 400, 0))
    assert all(scored(case, answer).value == 1.0 for case, answer in dev)
    assert sum(declines(answer) for _, answer in dev) == 200
    titles = [set(re.findall(r"\(([^)]+)\)\. ", " ".join(case.document for case, _ in rows))) for rows in (dev, train)]
    assert len(titles[0]) == 6
    assert titles[0] & titles[1] == set()
    stems = [{case.cluster.split("-")[0] for case, _ in rows} for rows in (dev, train)]
    assert stems[0] & stems[1] == set()


def test_the_command_writes_rows_with_the_suites_prompt(tmp_path):
    out = tmp_path / "dev.jsonl"
    command = ["-m", "evalsuites.policy.handbook.generate", "--split", "dev", "--rows", "12", "--out", str(out)]
    assert run(*command, cwd=SUITE.parents[2]).returncode == 0
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(rows) == 12
    assert [message["role"] for message in rows[0]["messages"]] == ["system", "user", "assistant"]
    assert "answer: The handbook does not say." in rows[0]["messages"][1]["content"]


def rates(answer) -> dict[str, float]:
    total: Counter = Counter()
    for case in CASES:
        total.update(scored(case, answer(case)).counts)
    below = {metric.name: total[metric.denominator] if metric.denominator else len(CASES) for metric in METRICS}
    return {metric.name: total[metric.numerator] / below[metric.name] for metric in METRICS if below[metric.name]}


def test_the_readme_states_the_floor_as_measured():
    text = " ".join((SUITE / "README.md").read_text("utf-8").split())
    found = rates(keyword_floor)
    stated = (
        "guideline_recall",
        "guideline_precision",
        "answer_correct",
        "answered_unanswerable_rate",
        "misgrounded_rate",
    )
    assert [f"{name} {found[name]:.3f}" for name in stated if f"{name} {found[name]:.3f}" not in text] == []


@pytest.mark.slow
def test_right_answers_pass_every_gate(tmp_path):
    right = {case.id: "; ".join(case.expected) for case in CASES}
    code, verdicts = judged_by_pytest("policy/handbook", right, tmp_path)
    assert [(v.gate, v.reason) for v in verdicts if v.outcome not in ("pass", "skipped")] == []
    assert code == 0
    assert sum(v.outcome == "pass" for v in verdicts) >= 18


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "gates"),
    [
        (keyword_floor, ["guideline_precision-at_least-0.9", "answered_unanswerable_rate-at_most-0.1"]),
        (lambda case: "Yes.", ["guideline_recall-at_least-0.9", "answered_unanswerable_rate-at_most-0.1"]),
        (lambda case: "No.", ["guideline_recall-at_least-0.9", "answered_unanswerable_rate-at_most-0.1"]),
        (lambda case: "Not in the document.", ["guideline_recall-at_least-0.9", "refusal_rate-at_most-0.1"]),
        (lambda case: case.document, ["guideline_precision-at_least-0.9", "misgrounded_rate-at_most-0.1"]),
        (lambda case: f"Guidelines {case.input['guidelines']}", ["guideline_precision-at_least-0.9"]),
    ],
    ids=["floor", "always-yes", "always-no", "always-declines", "copies-the-source", "cites-them-all"],
)
def test_an_answer_without_understanding_fails_its_gates(answer, gates):
    found = judging.outcomes(suite, judging.answered(suite, answer))
    assert [found[gate] for gate in gates] == ["fail"] * len(gates)
