"""What holds for every scorer and every text: spans quote, scores are pure, and processes agree."""

import itertools
import json
import subprocess
import sys
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.schema import Case
from harness.scoring import short_answer
from harness.scoring.base import run
from harness.scoring.grounding import facts, figures, names, quotations
from harness.scoring.grounding.citation_parser import citations_in
from harness.scoring.legal import citations, clauses
from harness.scoring.text.normalize import normalise
from tests.support.answers import answer

SCORERS = [
    clauses.found,
    citations.fabricated,
    figures.ungrounded,
    names.fabricated,
    quotations.fabricated,
    facts.fabricated,
    short_answer.accepted,
    short_answer.given,
]
FRAGMENTS = [
    *(
        "Governing Law",
        "Insurance",
        "none",
        "; ",
        ", ",
        "\r\n",
        "\n- ",
        "1. ",
        ": ",
        " - ",
        "(",
        ")",
        "and ",
        "<|im_end|>",
    ),
    *("O.C.G.A. §\u00a044\u201114\u20111(a)", " through ", "44-14-162.2", "-162.4", "§", "Sections 3", "99/99/99"),
    *("$1.25M", "½", "4⅛%", "10²", "March 1, 2024", "３/4/24", "9", "0/0", "1/", "\u2044", "($5)", "about "),
    *("thir\u00adty (30) days", "one million two hundred", " and 50/100 dollars", "ﬁve percent", "I'm sorry, I cannot"),
    *("Oakmere Holdings, LLC", "Jane Quill ", "Records Department", "Guideline 4.2", "HR-07", "Section 4.2(b)", "Mr. "),
    *('"', "“", "”", "«", "... ", "[x]", "notice shall be given in writing", "Superior Court of ", "THE ", "’s "),
    *("<|im_end|>", "🏠", "e\u0301", "\u200b", "İ", "\u0345", "ǆ", "가\u11a8", "\ufeff", "Paris"),
]
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))


def case(document: str) -> Case:
    return Case(
        id="x",
        input={"document": document, "clause_types": "Governing Law; Insurance"},
        expected=["Insurance"],
        cluster="c",
        tags={"state": "Georgia"},
    )


@settings(max_examples=150, deadline=None)
@given(text=texts, document=texts, finish_reason=st.sampled_from(["stop", "length"]))
def test_every_span_quotes_the_answer_as_it_is(text, document, finish_reason):
    for score in run(SCORERS, case(document), answer(text, finish_reason)).values():
        assert score.value is not None, score.reason
        for span in score.spans:
            assert text[span.start : span.end] == span.quote != ""
            if span.source:
                assert 0 <= span.source.start < span.source.end <= len(document)


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_a_source_scored_against_itself_is_never_ungrounded(text):
    families = [citations.fabricated, figures.ungrounded, names.fabricated, quotations.fabricated]
    scores = run(families, case(text), answer(text))
    assert {name: score.reason for name, score in scores.items() if score.value is None} == {}
    assert scores.citations.fabricated == []
    assert scores.figures.ungrounded == []
    assert scores.names.fabricated == []
    assert scores.quotes.fabricated == []


@settings(max_examples=100, deadline=None)
@given(text=texts)
def test_clause_counts_agree_with_each_other(text):
    score = run([clauses.found], case(""), answer(text)).clauses
    assert score.tp + score.fn == score.gold == 1
    assert score.tp + score.fp == score.counts["predicted"] == len(score.extracted["predicted"])
    assert score.exact == (score.fp == score.fn == 0)
    assert not (score.abstained and score.counts["predicted"])


@settings(max_examples=200, deadline=None)
@given(text=texts)
def test_the_normal_form_leads_back_to_its_origin(text):
    normal = normalise(text)
    places = [normal.original(i, i + 1) for i in range(len(normal.text))]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)


@pytest.mark.parametrize(
    "piece", ["44-14-1, ", "a, ", "(", "-", " ", "9", "one hundred ", "clause: ", "e\u0301", "$1 "]
)
def test_a_model_that_loops_is_scored_all_the_same(piece):
    scores = run(SCORERS, case("Pay $5"), answer(piece * 2000))
    assert set(scores) == {function.name for function in SCORERS}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ﬁve", "five"),
        ("thir\u00adty", "thirty"),
        ("e\u0301", "é"),
        ("1½", "1 1\u20442"),
        ("10²", "10 "),
        ("５％", "5%"),
        ("a\u200bb", "ab"),
        ("a\r\nb", "a\r\nb"),
        ("🏠", "🏠"),
    ],
)
def test_the_normal_form_of_traps(text, expected):
    assert normalise(text).text == expected


@settings(max_examples=150, deadline=None)
@given(text=texts, document=texts)
def test_no_two_facts_overlap_and_counts_add_up(text, document):
    score = run([facts.fabricated], case(document), answer(text)).facts
    assert all(one.end <= two.start for one, two in itertools.pairwise(score.spans))
    assert sum(score.counts[f"claims_{kind}"] for kind in facts.TYPES) == score.claims == len(score.spans)
    assert sum(score.counts[f"fabricated_{kind}"] for kind in facts.TYPES) == len(score.extracted["fabricated"])


@given(
    title=st.integers(1, 53),
    chapter=st.integers(1, 99),
    letter=st.sampled_from(["", "A", "B"]),
    number=st.integers(1, 9999),
    part=st.integers(0, 99),
    dash=st.sampled_from("-\u2010\u2011\u2013\u2212"),
    head=st.sampled_from(["O.C.G.A. §", "OCGA §", "O. C. G. A. Section", "Ga. Code Ann. §", "Georgia Code Section"]),
    space=st.sampled_from(["", " ", "\u00a0", "\n", "\r\n"]),
    sub=st.sampled_from(["", "(a)", "(a)(3)", " (b)"]),
)
def test_a_citation_reads_back_in_every_way_it_is_written(title, chapter, letter, number, part, dash, head, space, sub):
    section = f"{title}-{chapter}{letter}-{number}{f'.{part}' if part else ''}"
    space = space or (" " if head[-1] != "§" else "")
    found = citations_in(f"Under {head}{space}{section.replace('-', dash)}{sub}, so.", False)
    assert [citation.sections for citation in found] == [(section,)]


HEAVY = ["é", "\x00\x1b\x7f", "A b ", "Oakmere Holdings ", "the words of a long answer, "]
DENSE = [
    "🏠 e\u0301",
    "Pay $5 in 30 days. ",
    '"a b c d" ',
    "Section 4, ",
    "44-14-1, ",
    "Guideline 4.2 ",
    "Oakmere, LLC ",
]


@pytest.mark.parametrize(("piece", "size"), [*((p, 10**6) for p in HEAVY), *((p, 10**5) for p in DENSE)])
def test_an_enormous_answer_is_scored_in_seconds(piece, size):
    """A megabyte, or a tenth of one of nothing but facts; work that grows faster than the text fails."""
    start = time.process_time()
    text = (piece * (size // len(piece) + 1))[:size] + " Department"
    scores = run([facts.fabricated], case("Pay $5 to Oakmere."), answer(text))
    assert scores.facts.reason is None
    assert time.process_time() - start < 60


SAMPLE = [
    ("Governing Law; indemnity\r\n🏠 Insurance", "stop"),
    ("O.C.G.A. §§ 44-14-160 through 44-14-162.2, $5 and thirty (60) days", "stop"),
    ("I'm sorry, I cannot", "length"),
    ("none", "stop"),
    ("", "error"),
]
DUMP = """
import json, sys, msgspec
from tests.harness.scoring.test_properties import dumped
sys.stdout.write(json.dumps(dumped(json.loads(sys.argv[1]))))
"""


def dumped(order: list[int]) -> list[str]:
    """Scores of the sample as JSON, asked in this order and given back in the sample's own."""
    found = {}
    for index in order:
        text, finish_reason = SAMPLE[index]
        scores = run(SCORERS, case("Pay $5 in 30 days"), answer(text, finish_reason))
        found[index] = msgspec.json.encode(dict(scores)).decode()
    return [found[index] for index in sorted(found)]


def test_two_processes_in_two_orders_score_to_equal_bytes(pytestconfig):
    orders = [[0, 1, 2, 3, 4], [3, 1, 4, 0, 2]]
    runs = [
        subprocess.run(
            [sys.executable, "-c", DUMP, json.dumps(order)],
            capture_output=True,
            text=True,
            check=True,
            cwd=pytestconfig.rootpath,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(pytestconfig.rootpath)},
        ).stdout
        for order, seed in zip(orders, ["1", "2"], strict=True)
    ]
    assert runs[0] == runs[1]
    assert json.loads(runs[0]) == dumped(orders[0])


def test_scoring_touches_neither_socket_nor_clock(monkeypatch):
    import random
    import socket
    import time

    def touched(*args, **kwargs):
        raise AssertionError("a scorer reached outside its arguments")

    for owner, name in [(socket, "socket"), (time, "time"), (time, "monotonic"), (random, "random")]:
        monkeypatch.setattr(owner, name, touched)
    for text, finish_reason in SAMPLE:
        run(SCORERS, case("Pay $5"), answer(text, finish_reason))


def test_scoring_loads_no_heavy_library():
    heavy = ("numpy", "scipy", "torch", "datasets", "evaluate")
    code = f"import sys, harness.scoring; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
