"""Checkable facts together: the fabrication rate is made of Code sections and figures, and of nothing else."""

from harness.schema import Case, Completion, Score
from harness.scoring import facts
from harness.scoring.base import run

DOCUMENT = "Under O.C.G.A. § 44-14-161 the sale is reported within 30 days. The price is $500, the fee $204."


def scored(text: str, finish_reason: str = "stop") -> Score:
    case = Case(id="x", input={"document": DOCUMENT}, expected=[], cluster="c")
    error = "stopped" if finish_reason == "error" else None
    completion = Completion(
        key="k", text=text, finish_reason=finish_reason, prompt_tokens=0, output_tokens=0, error=error
    )
    return run([facts.fabricated], case, completion).facts


def test_both_kinds_count_and_a_section_is_no_figure_too():
    score = scored("O.C.G.A. § 44-14-161 gives 30 days; O.C.G.A. § 44-99-999 costs $700.")
    assert score.counts == {"claims": 4, "fabricated": 2, "responses_with": 1}
    assert score.extracted["fabricated"] == ["O.C.G.A. § 44-99-999", "$700"]


def test_a_figure_that_a_rule_yields_is_not_fabricated():
    assert scored("In all $704, of which about $200 is the fee.").fabricated == []
    assert scored("In all $705.").fabricated == ["$705"]


def test_spans_of_both_kinds_stand_in_order():
    kinds = [span.kind for span in scored("Pay $500 under O.C.G.A. § 44-14-161 in 30 days.").spans]
    assert kinds == ["money", "citation", "duration"]


def test_rates_over_three_answers():
    """By hand: 2 claims (1 fabricated), 1 claim (0), no claim; so 1/3 of claims and 1/3 of answers."""
    scores = [scored("$500 or $9"), scored("30 days"), scored("It depends.")]
    rates = {}
    for metric in facts.fabricated.metrics:
        below = sum(s.counts[metric.denominator] if metric.denominator else 1 for s in scores)
        rates[metric.name] = sum(s.counts[metric.numerator] for s in scores) / below
    assert rates == {"fabrication_rate": 1 / 3, "fabrication_response_rate": 1 / 3, "claims_per_answer": 1.0}


def test_a_failed_completion_counts_as_a_fabricated_one():
    assert scored("", "error").counts == {"claims": 1, "fabricated": 1, "responses_with": 1}


def test_refusing_lowers_the_rate_which_is_why_the_answer_rate_stands_beside_it():
    assert scored("I'm sorry, I cannot say.").counts == {"claims": 0, "fabricated": 0, "responses_with": 0}
