"""Terms of service in plain English: the point of a passage, in fewer and easier words, and no invented figure."""

from evalsuites.public.plain_english.cases import cases
from evalsuites.public.plain_english.floor import lead
from harness import Suite
from harness.scoring import evaluate_bridge, short_answer, summaries
from harness.scoring.grounding import facts

suite = Suite(
    cases=cases,
    prompt="prompt.jinja",
    scorers=[summaries.summary, facts.fabricated, short_answer.given, *evaluate_bridge.rouge()],
    cluster="service",
    slices=["passage"],
    shape="excerpt",
    max_tokens=64,
    floor=lead,
    licence="Apache-2.0 (L. Manor and J. J. Li); passages from tosdr.org and tldrlegal.com",
)


@suite.case
def test_uses_at_least_one_word_of_a_persons_summary(record):
    assert record.scores.plain.covered > 0


@suite.case
def test_is_not_copied_out_of_the_passage(record):
    assert record.scores.plain.copied <= 0.5 * record.scores.plain.words


@suite.case
def test_states_no_figure_that_the_passage_lacks(record):
    assert record.scores.facts.fabricated == []
