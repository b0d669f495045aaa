"""The suites of written documents: right answers pass, rote fails, training rows are apart, READMEs are true."""

import re
from collections import Counter
from functools import cache
from itertools import pairwise

import pytest

from evalsuites.brand.voice import briefs
from evalsuites.finance.report import sheets
from evalsuites.legal.citations import cases as citations
from evalsuites.legal.citations.floor import sections_of
from evalsuites.legal.citations.questions import told_by_questions
from evalsuites.legal.instruments.documents import SPLITS, instruments
from evalsuites.legal.summaries import cases as summaries
from evalsuites.policy.handbook import handbooks
from harness.errors import UserError
from harness.schema import Case
from harness.scoring.grounding import facts
from harness.scoring.policy.handbook import guidelines_of
from harness.scoring.policy.register import canonical, register
from harness.scoring.text.quantities import figures_in
from harness.stats.estimates import estimate
from harness.stats.observations import observations
from harness.suites.prompts import load_template, messages
from tests.evalsuites import separation
from tests.evalsuites.bag_of_words import BagOfWords
from tests.evalsuites.judging import (
    Answering,
    always,
    answered,
    cases_of,
    judged_by_pytest,
    levels,
    outcomes,
    records,
    right,
    suite_of,
    training,
    whole,
)
from tests.support.answers import answer

LEAST = {
    "brand/voice": (240, 160),
    "finance/report": (280, 48),
    "legal/citations": (300, 100),
    "legal/clauses": (800, 100),
    "legal/clauses_long": (400, 100),
    "legal/extraction": (500, 100),
    "legal/paragraphs": (400, 150),
    "legal/summaries": (140, 100),
    "policy/handbook": (280, 24),
}
"""Cases and documents that a suite has at least."""
LEAST_ROWS = {"legal/paragraphs": 400}
"""Training rows that a suite has at least, where not a thousand."""
OWN_DOCUMENTS = ("brand/voice", "finance/report", "policy/handbook")
"""Suites whose separation is proven here; that of the instruments is in `test_legal_instruments.py`."""
every_suite = pytest.mark.parametrize("name", LEAST)


@every_suite
def test_a_suite_has_enough_cases_of_many_documents(name):
    cases = suite_of(name).cases
    least_cases, least_documents = LEAST[name]
    assert len(cases) >= least_cases
    assert len({case.cluster for case in cases}) >= least_documents
    assert len({str(case.input) for case in cases}) == len(cases)


@pytest.mark.slow
def test_a_user_s_pytest_passes_right_answers(tmp_path):
    answers = {case.id: right("legal/clauses")(case) for case in suite_of("legal/clauses").cases}
    code, verdicts = judged_by_pytest("legal/clauses", answers, tmp_path)
    assert code == 0
    assert {verdict.outcome for verdict in verdicts} == {"pass", "skipped"}


PRIMARY = {"brand/voice": "usable_rate", "finance/report": "report_clean_rate", "policy/handbook": "answer_correct"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRIMARY)
def test_every_right_answer_is_right_by_the_suite_s_own_scorer(name):
    rows = training(name)
    texts = {case.id: answer for case, answer in rows}
    trained = answered(suite_of(name), lambda case: texts[case.id], [case for case, _ in rows])
    metric = next(each for each in suite_of(name).metrics if each.name == PRIMARY[name])
    for given in (records(name, right(name)), trained):
        assert estimate(observations(given, metric), metric).value == 1.0


LIMIT = re.compile(r"\bat most (\d+) words\b")


@every_suite
def test_right_answers_keep_to_the_length_that_their_prompt_states(name):
    template = load_template(suite_of(name).folder / "prompt.jinja")
    pairs = [(case, case.tags.get("summary") or right(name)(case)) for case in suite_of(name).cases]
    pairs += [pair for split in ("train", "dev") for pair in training(name, split)]
    limits = [LIMIT.search(messages(template, case)[-1]["content"].replace(case.document, "")) for case, _ in pairs]
    words = [(int(limit[1]), len(text.split())) for limit, (_, text) in zip(limits, pairs, strict=True) if limit]
    assert [(most, count) for most, count in words if count > most] == []
    assert bool(words) == (name in ("finance/report", "legal/summaries"))


FIGURE = re.compile(r"\$\d[\d,.]*|\d[\d.]*(?= ?(?:%|percent))")


def test_right_texts_of_brand_voice_have_every_amount_and_rate_of_their_notes():
    left_out = {}
    for case in suite_of("brand/voice").cases:
        if case.tags["kind"] in ("brief", "message", "trap"):
            notes = case.document.rpartition("Notes:")[2]
            figures = {figure.rstrip(".,") for figure in FIGURE.findall(notes)}
            if lost := {figure for figure in figures if figure not in right("brand/voice")(case)}:
                left_out[case.id] = lost
    assert left_out == {}


@pytest.mark.slow
@every_suite
def test_there_are_enough_training_rows_and_a_seed_gives_another_order(name):
    pairs = training(name)
    assert len(pairs) >= LEAST_ROWS.get(name, 1000) and len({str(case.input) for case, _ in pairs}) > 0.9 * len(pairs)
    assert pairs == list(cases_of(name).training_pairs("train", cases_of(name).ROWS["train"], 0))
    other = cases_of(name).training_pairs("train", 50, 1)
    assert [case.input for case, _ in pairs[:50]] != [case.input for case, _ in other]


@every_suite
def test_no_training_row_comes_from_a_document_of_the_suite_or_of_validation(name):
    sources = [{case.cluster for case in suite_of(name).cases}]
    sources += [{case.cluster for case, _ in training(name, split)} for split in ("train", "dev")]
    assert all(sources)
    assert all(not one & other for one in sources for other in sources if one is not other)


def shared_text(name: str) -> str:
    """What both sides have: a brand's guide, and the wording of the tasks."""
    if name != "brand/voice":
        return ""
    cases = [case for case, _ in training(name)] + list(suite_of(name).cases)
    return "\n".join({case.input["guide"] for case in cases} | {case.input["task"] for case in cases})


@pytest.mark.parametrize("name", OWN_DOCUMENTS)
def test_training_and_suite_share_hardly_a_run_of_eight_words(name):
    shown, trained = (
        [text for case in cases for text in (case.document, case.input.get("question", ""))]
        for cases in (suite_of(name).cases, [case for case, _ in training(name)])
    )
    runs = [
        set().union(*(separation.runs(text, shared_text(name)) for text in set(texts))) for texts in (shown, trained)
    ]
    assert len(runs[0] & runs[1]) < 0.003 * len(runs[0])


@pytest.mark.slow
def test_training_and_suite_share_no_fund_and_no_company():
    funds = [{sheet.sidecar.fund for sheet in sheets.sheets(split)} for split in sheets.SPLITS]
    companies = [{book.sidecar.company for book in handbooks.handbooks(split)} for split in handbooks.SPLITS]
    assert (funds[0] & funds[1], companies[0] & companies[1]) == (set(), set())
    assert separation.names_in(suite_of("finance/report").cases, funds[0]) == set()
    assert separation.names_in(suite_of("policy/handbook").cases, companies[0]) == set()


def other_values(case: Case) -> str:
    """The right paragraph with every first digit of a figure changed."""
    return re.sub(r"(?<![\d.,])[1-8](?=[\d.,]*\d)", lambda digit: str(int(digit[0]) + 1), case.expected[0])


def every_section(case: Case) -> str:
    return f"Sections {case.input['guidelines']}"


@cache
def bag_of_words(name: str) -> Answering:
    return BagOfWords(training(name)).answer


def everything(case: Case) -> str:
    return case.input["clause_types"]


def with_near_misses(case: Case) -> str:
    return "; ".join([*case.expected, *filter(None, case.input["near_misses"].split("; "))]) or "none"


def wrong_paragraphs(case: Case) -> str:
    return "; ".join(f"{name} (99)" for name in case.expected) or "none"


def stale(case: Case) -> str:
    return "; ".join(case.expected) + "; " + case.tags.get("stale", "").replace(" + ", ", ")


def invented_fee(case: Case) -> str:
    return "; ".join(case.expected) + "; a fee of $999,937"


ROTE = [
    ("finance/report", "keyword floor", "required_figure_recall-at_least-0.9"),
    ("finance/report", "keyword floor", "figure_fabrication_rate-at_most-0.05"),
    ("finance/report", other_values, "figure_fabrication_rate-at_most-0.05"),
    ("finance/report", whole, "report_clean_rate-at_least-0.75"),
    ("finance/report", always("It is not reported."), "required_figure_recall-at_least-0.9"),
    ("policy/handbook", "keyword floor", "answer_correct-at_least-0.85"),
    ("policy/handbook", "keyword floor", "answered_unanswerable_rate-at_most-0.1"),
    ("policy/handbook", always("Yes."), "guideline_recall-at_least-0.9"),
    ("policy/handbook", always("The handbook does not say."), "refusal_rate-at_most-0.1"),
    ("policy/handbook", whole, "guideline_precision-at_least-0.9"),
    ("policy/handbook", every_section, "guideline_precision-at_least-0.9"),
    ("brand/voice", "keyword floor", "usable_rate-at_least-0.85"),
    ("brand/voice", whole, "clean_completion_rate-at_least-0.9"),
    ("brand/voice", always("Thank you for your message."), "point_recall-at_least-0.9"),
    ("legal/clauses", "keyword floor", "clause_recall-at_least-0.95"),
    ("legal/clauses", "keyword floor", "near_miss_rate-at_most-0.1"),
    ("legal/clauses", "bag of words", "clause_recall-at_least-0.95"),
    ("legal/clauses", everything, "clause_precision-at_least-0.9"),
    ("legal/clauses", with_near_misses, "near_miss_rate-at_most-0.1"),
    ("legal/clauses", whole, "clause_precision-at_least-0.9"),
    ("legal/clauses", always("none"), "clause_recall-at_least-0.95"),
    ("legal/clauses_long", "keyword floor", "clause_precision-at_least-0.95"),
    ("legal/clauses_long", "keyword floor", "false_alarm_rate-at_most-0.05"),
    ("legal/clauses_long", "bag of words", "clause_precision-at_least-0.95"),
    ("legal/clauses_long", everything, "false_alarm_rate-at_most-0.05"),
    ("legal/clauses_long", with_near_misses, "near_miss_rate-at_most-0.05"),
    ("legal/clauses_long", wrong_paragraphs, "placed_rate-at_least-0.9"),
    ("legal/extraction", "keyword floor", "span_recall-at_least-0.9"),
    ("legal/extraction", whole, "span_precision-at_least-0.85"),
    ("legal/extraction", always("none"), "span_recall-at_least-0.9"),
    ("legal/paragraphs", "keyword floor", "clause_recall-at_least-0.9"),
    ("legal/paragraphs", everything, "false_alarm_rate-at_most-0.05"),
    ("legal/paragraphs", always("none"), "clause_recall-at_least-0.9"),
    ("legal/summaries", "keyword floor", "critical_term_recall-at_least-0.9"),
    ("legal/summaries", whole, "answer_words-at_most-140"),
    ("legal/summaries", stale, "stale_term_rate-at_most-0.1"),
    ("legal/summaries", invented_fee, "fabrication_response_rate-at_most-0.05"),
    ("legal/citations", "keyword floor", "accuracy-at_least-0.9"),
    ("legal/citations", always("not in the document"), "citation_recall-at_least-0.9"),
    ("legal/citations", always("O.C.G.A. § 44-14-162"), "answered_unanswerable_rate-at_most-0.05"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "answer", "gate"), ROTE)
def test_an_answer_without_understanding_fails_the_gate(name, answer, gate):
    if answer == "keyword floor":
        answer = suite_of(name).floor
    elif answer == "bag of words":
        answer = bag_of_words(name)
    assert outcomes(suite_of(name), records(name, answer))[gate] == "fail"


@pytest.mark.parametrize(("name", "score"), [("finance/report", "fact_sheets"), ("policy/handbook", "guidelines")])
def test_right_answers_to_another_question_on_the_same_document_are_wrong(name, score):
    cases = suite_of(name).cases
    texts = {case.id: right(name)(case) for case in cases}
    swapped = {
        one.id: two.id for one, two in pairwise(cases) if one.cluster == two.cluster and texts[one.id] != texts[two.id]
    }
    given = answered(suite_of(name), lambda case: texts[swapped.get(case.id, case.id)])
    judged = [record.scores[score].value for record in given if record.case.id in swapped]
    assert len(judged) > 200 and sum(judged) < 0.15 * len(judged)


def test_sheets_have_ten_layouts_and_handbooks_many_numberings():
    layouts = Counter(sheet.sidecar.layout for split in sheets.SPLITS for sheet in sheets.sheets(split))
    assert len(layouts) >= 10
    books = [book for split in handbooks.SPLITS for book in handbooks.handbooks(split)]
    shapes = {re.sub(r"\d+", "0", re.sub(r"[A-Z]+(?=-)", "A", book.sidecar.sections[-1])) for book in books}
    assert len(shapes) >= 8
    assert min(len(book.text.split()) for book in books) >= 1450


def test_an_excerpt_holds_the_sections_of_its_question_and_the_scorer_finds_them():
    for case in suite_of("policy/handbook").cases:
        known = register(case.input["guidelines"], case.input["departments"])
        shown = guidelines_of(case.document, known)
        number = int(case.id.rsplit("-", 1)[1])
        book = next(book for book in handbooks.handbooks("test") if book.id == case.cluster)
        wanted = book.sidecar.questions[number - 1].sections
        assert {canonical(section) for section in wanted} <= set(shown), case.id
        assert 2 <= len(shown) < len(book.sections)


HANDBOOK = """company = "Any"
numbering = "1.1"
sections = ["1.1"]
departments = ["Office"]
missing_sections = ["1.9"]
[[questions]]
kind = "value"
ask = "How many days?"
answer = "6 days (1.1)."
expected = ["1.1", "6 days"]
sections = ["1.1"]
"""
SHEET = """layout = "table"
fund = "Any Fund"
statements = []
facts = '''
entity | period | metric | unit | value
Any Fund | Q1 2025 | income | USD | 12
'''
[[tasks]]
kind = "question"
ask = "What was the income?"
answer = "Any Fund had income of $12 in Q1 2025."
"""


@pytest.mark.parametrize(
    ("read", "sidecar", "text", "old", "new", "message"),
    [
        (handbooks.read_handbook, HANDBOOK, "Any\n\n1.1 Leave.", '"value"', '"guess"', "question of kind 'guess'"),
        (
            handbooks.read_handbook,
            HANDBOOK,
            "Any\n\n1.1 Leave. 6 days.",
            'sections = ["1.1"]\n',
            'sections = ["1.2"]\n',
            "1.2",
        ),
        (handbooks.read_handbook, HANDBOOK, "Any\n\n1.10 Leave.", "", "", "0 paragraphs begin with section '1.1'"),
        (handbooks.read_handbook, HANDBOOK, "Any\n\n1.1 Leave.", "company", "firm", "unknown field `firm`"),
        (sheets.read_file, SHEET, "Income: $12", '"question"', '"guess"', "Invalid enum value 'guess'"),
        (sheets.read_file, SHEET, "Income: $12", '"question"', '"not reported"', "with absent = ''"),
        (sheets.read_file, SHEET, "Income: $12", "Q1 2025 | income", "soon | income", "period 'soon' cannot be read"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused_in_one_line(read, sidecar, text, old, new, message, tmp_path):
    file = tmp_path / "one.txt"
    file.write_text(text, "utf-8")
    file.with_suffix(".toml").write_text(sidecar.replace(old, new) if old else sidecar, "utf-8")
    with pytest.raises(UserError, match=re.escape(message)):
        read(file)


def test_a_sidecar_that_fits_is_read(tmp_path):
    (tmp_path / "one.txt").write_text("Any\n\n1.1 Leave. 6 days.", "utf-8")
    (tmp_path / "one.toml").write_text(HANDBOOK, "utf-8")
    assert handbooks.read_handbook(tmp_path / "one.txt").sections == {"1.1": "1.1 Leave. 6 days."}
    (tmp_path / "two.txt").write_text("Income: $12 on March 31, 2025", "utf-8")
    (tmp_path / "two.toml").write_text(SHEET, "utf-8")
    assert sheets.read_file(tmp_path / "two.txt").facts.endswith("Dates and spans of time: March 31, 2025")


def test_a_case_of_an_unknown_brand_is_refused():
    case = suite_of("brand/voice").cases[0]
    scorer = suite_of("brand/voice").scorers[0]
    stranger = Case(id="x", input=case.input, expected=[], cluster="x", tags={"brand": "nobody"})
    with pytest.raises(UserError, match="tag 'brand' is 'nobody', expected one of ambleworth"):
        scorer(stranger, answer("Hello."))


def test_every_brand_has_a_guide_in_short_and_texts_for_five_channels():
    assert len(briefs.brands()) >= 4
    for brand in briefs.brands().values():
        assert 80 <= len(brand.in_short.split()) <= 150
        texts = [text for split in briefs.SPLITS for brief in briefs.briefs(brand.name, split) for text in brief.texts]
        assert {text.channel for text in texts} == set(briefs.CHANNELS)


README = {
    "brand/voice": ("usable_rate", "clean_completion_rate", "point_recall"),
    "finance/report": ("required_figure_recall", "figure_fabrication_rate", "mispaired_rate", "report_clean_rate"),
    "legal/citations": ("accuracy", "citation_recall", "answered_unanswerable_rate"),
    "legal/clauses": ("clause_recall", "clause_precision", "clause_exact_set", "false_alarm_rate", "near_miss_rate"),
    "legal/clauses_long": ("clause_recall", "clause_precision", "placed_rate", "near_miss_rate"),
    "legal/paragraphs": ("clause_recall", "clause_precision", "false_alarm_rate"),
    "legal/extraction": ("span_recall", "span_precision", "span_false_alarm_rate"),
    "legal/summaries": ("term_recall", "critical_term_recall", "complete_summary_rate"),
    "policy/handbook": ("guideline_recall", "guideline_precision", "answer_correct", "answered_unanswerable_rate"),
}


def readme(name: str) -> str:
    return " ".join((suite_of(name).folder / "README.md").read_text("utf-8").split())


@pytest.mark.slow
@every_suite
def test_the_readme_states_counts_and_floor_as_measured(name):
    suite = suite_of(name)
    kinds = Counter(case.tags["kind"] for case in suite.cases)
    rivals = [suite.floor, *([bag_of_words(name)] if name.startswith("legal/clauses") else [])]
    measured = [levels(suite, records(name, rival)) for rival in rivals]
    stated = [
        f"{len(suite.cases):,} cases of {len({case.cluster for case in suite.cases})}",
        *(f"{count:,} `{kind}`" for kind, count in kinds.items()),
        *(", ".join(f"`{metric}` {each[metric].value:.3f}" for metric in README[name]) for each in measured),
        f"{len(training(name)):,} training rows",
    ]
    assert [fact for fact in stated if fact not in readme(name)] == []


def test_training_rows_expect_no_section_that_their_part_of_an_instrument_does_not_name():
    rows = [case for case, _ in training("legal/citations")]
    assert [c.id for c in rows if not sections_of(" ".join(c.expected)) <= sections_of(c.document)] == []


def test_questions_on_sections_hardly_tell_whether_the_document_has_an_answer():
    train, test = [*citations.eval_cases("train"), *citations.eval_cases("dev")], suite_of("legal/citations").cases
    told = told_by_questions(train, test)
    assert told <= 0.65
    assert f"balanced accuracy of {told:.3f}" in readme("legal/citations")
    questions = [case.input["question"] for case in (*train, *test)]
    assert len(set(questions)) == len(questions)


JOINED = re.compile(r"\b(?:and|along with|as well as|next to|together with)\b")


def missing_is_asked_first(case: Case) -> bool:
    """Whether a question about two things names the one that the sheet lacks before the words that join them."""
    *_, joint = JOINED.finditer(case.input["question"])
    return case.input["question"].index(case.tags["absent"]) < joint.start()


def test_the_place_in_the_question_does_not_tell_which_of_two_figures_the_sheet_lacks():
    rows = [case for split in ("train", "dev") for case, _ in training("finance/report", split)]
    for cases in (suite_of("finance/report").cases, rows):
        first = Counter(missing_is_asked_first(case) for case in cases if "absent" in case.tags)
        assert first[True] == first[False] > 0


def exchanged(text: str) -> str | None:
    """The text with its first two amounts, or else its first two percentages, exchanged."""
    for kind in ("money", "percent"):
        two = [figure for figure in figures_in(text) if figure.kind == kind][:2]
        if len(two) == 2:
            first, second = (text[figure.start : figure.end] for figure in two)
            between = text[two[0].end : two[1].start]
            return text[: two[0].start] + second + between + first + text[two[1].end :]
    return None


def test_the_readme_states_how_many_exchanges_of_two_figures_the_finance_scorer_catches():
    pairs = [pair for split in ("train", "dev") for pair in training("finance/report", split)]
    changed = [(case, exchanged(answer)) for case, answer in pairs if case.tags["kind"] in ("comparison", "paragraph")]
    texts = {case.id: text for case, text in changed if text}
    records = answered(suite_of("finance/report"), lambda case: texts[case.id], [c for c, text in changed if text])
    caught = sum(record.scores["fact_sheets"].counts["fabricated"] > 0 for record in records)
    assert f"{caught} of {len(records)} such answers are caught" in readme("finance/report")


@pytest.mark.slow
def test_the_readme_states_how_many_right_summaries_the_fabrication_scorer_flags():
    cases = [summaries.case_of(instrument) for split in SPLITS for instrument in instruments(split)]
    flagged = sum(facts.fabricated(case, answer(case.tags["summary"])).counts["responses_with"] for case in cases)
    assert f"flags {flagged} of the {len(cases)} right summaries" in readme("legal/summaries")
