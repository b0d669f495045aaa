"""The contract of a scorer (named metrics, spans that quote, a version that follows its code) and shared parts."""

import re
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.schema import Case, Metric, Score, Span
from harness.scoring.base import DocumentCache, Scorer, metrics_of, ratios, run, scorer
from harness.scoring.grounding import facts, figures
from harness.scoring.legal import citations, clauses
from tests.support.answers import answer

DOCS = Path(__file__).parents[3] / "docs"

CASE = Case(id="case-1", input={}, expected=[], cluster="c")
ANSWER = answer("abc")


def made(score: Score, *metrics: Metric) -> Scorer:
    return scorer(metrics=metrics, name=score.name)(lambda case, completion: score)


def test_scores_are_found_by_family_name():
    scores = run([made(Score(name="one", value=1.0)), made(Score(name="two", value=0.0))], CASE, ANSWER)
    assert (scores.one.value, scores.two.value) == (1.0, 0.0)


def test_a_plain_function_scores_without_offering_metrics():
    def plain(case, completion):
        return Score(name="plain", value=0.5)

    assert run([plain], CASE, ANSWER).plain.value == 0.5
    assert metrics_of([plain]) == []


def test_metrics_keep_the_order_of_scorers():
    first = made(Score(name="a", value=1.0), Metric(name="z", scorer="a", numerator="n"))
    second = made(Score(name="b", value=1.0), Metric(name="y", scorer="b", numerator="n"))
    assert [metric.name for metric in metrics_of([first, second])] == ["z", "y"]


def test_metrics_are_made_from_their_equations():
    assert ratios("a", {"kept = hits": "Kept."}, {"long = words / answers": "Long."}, unbounded=["long"]) == [
        Metric(name="kept", scorer="a", numerator="hits", says="Kept."),
        Metric(
            name="long",
            scorer="a",
            numerator="words",
            denominator="answers",
            higher_is_better=False,
            unbounded=True,
            says="Long.",
        ),
    ]


def test_two_metrics_of_one_name_are_refused():
    first = made(Score(name="a", value=1.0), Metric(name="rate", scorer="a", numerator="n"))
    second = made(Score(name="b", value=1.0), Metric(name="rate", scorer="b", numerator="n"))
    with pytest.raises(UserError, match="metric 'rate'"):
        metrics_of([first, second])


def test_two_scorers_of_one_family_are_refused():
    with pytest.raises(UserError, match="family 'clauses'"):
        metrics_of([clauses.found, clauses.among(["Insurance"])])
    with pytest.raises(UserError, match="family 'a'"):
        run([made(Score(name="a", value=1.0)), made(Score(name="a", value=1.0))], CASE, ANSWER)


def test_a_metric_that_reads_another_family_is_refused():
    with pytest.raises(UserError, match="reads scorer 'other', expected 'a'"):
        scorer(metrics=[Metric(name="rate", scorer="other", numerator="n")], name="a")


def test_a_span_that_does_not_quote_the_answer_fails_its_score():
    wrong = Span(start=0, end=2, quote="bc", kind="clause", verdict="found")
    score = run([made(Score(name="a", value=1.0, spans=[wrong]))], CASE, ANSWER).a
    assert score.failed and score.value is None and "does not have that text there" in score.reason


def test_a_count_that_a_metric_needs_must_be_there():
    forgetful = made(Score(name="a", value=1.0), Metric(name="rate", scorer="a", numerator="hits"))
    assert "needs the count 'hits'" in run([forgetful], CASE, ANSWER).a.reason


def test_a_scorer_that_raises_leaves_the_other_scores_standing():
    @scorer(metrics=[], name="broken")
    def broken(case, completion):
        raise ZeroDivisionError("division\nby zero " + "x" * 1000)

    scores = run([broken, made(Score(name="two", value=1.0))], CASE, ANSWER)
    assert scores.two.value == 1.0
    assert scores.broken.failed
    assert scores.broken.reason.startswith("the scorer raised ZeroDivisionError: division by zero xxx")
    assert len(scores.broken.reason) < 300


def test_a_mistake_in_the_users_input_is_not_swallowed():
    @scorer(metrics=[], name="strict")
    def strict(case, completion):
        raise UserError("case 'case-1': tag match is 'like'")

    with pytest.raises(UserError, match="tag match"):
        run([strict], CASE, ANSWER)


def test_an_unscored_completion_needs_no_counts():
    unscored = made(Score(name="a", value=None, reason="no model"), Metric(name="rate", scorer="a", numerator="hits"))
    assert run([unscored], CASE, ANSWER).a.reason == "no model"


def test_version_follows_the_vocabulary():
    assert clauses.among(["Insurance"]).version == clauses.among(["Insurance"]).version
    assert clauses.among(["Insurance"]).version != clauses.among(["Indemnity"]).version


def test_scorers_of_this_package_agree_on_no_metric_name():
    names = [
        metric.name
        for metric in metrics_of([clauses.found, citations.fabricated, figures.ungrounded, facts.fabricated])
    ]
    assert "fabrication_rate" in names
    assert len(names) == len(set(names))


def test_every_family_of_scorers_is_told_on_the_page_about_scoring():
    families = re.findall(r"^## (\w+)", (DOCS / "reference" / "scorers.md").read_text("utf-8"), re.MULTILINE)
    said = (DOCS / "scoring.md").read_text("utf-8")
    assert len(families) > 15
    assert [family for family in families if not re.search(rf"`{family}\b", said)] == []


def counted(most: int) -> tuple[DocumentCache[str], list[str]]:
    read: list[str] = []

    def upper(document: str) -> str:
        """Upper case."""
        read.append(document)
        return document.upper()

    return DocumentCache(upper, most), read


@pytest.mark.parametrize(
    ("most", "asked", "read"),
    [
        (100, ["one", "two", "one", "two"], ["one", "two"]),
        (8, ["aaaa", "bbbb", "aaaa", "cc", "bbbb", "aaaa"], ["aaaa", "bbbb", "cc", "aaaa"]),  # the oldest makes room
        (2, ["long", "long", "a", "long"], ["long", "a", "long"]),  # one beyond the bound is kept alone
    ],
)
def test_a_source_is_read_once_while_there_is_room(most, asked, read):
    upper, seen = counted(most)
    assert [upper(document) for document in asked] == [document.upper() for document in asked]
    assert seen == read
    assert (upper.__name__, upper.__doc__, upper.__module__) == ("upper", "Upper case.", __name__)


def test_a_source_that_cannot_be_read_is_not_kept():
    tries: list[str] = []

    def refuse(document: str) -> str:
        tries.append(document)
        raise ValueError(document)

    cache = DocumentCache(refuse)
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            cache("x")
    assert tries == ["x", "x"]
