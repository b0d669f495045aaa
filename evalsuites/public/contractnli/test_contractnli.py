"""Real non-disclosure agreements (ContractNLI): what an excerpt says of a statement, and which sentences say it."""

from evalsuites.public.contractnli.cases import cases
from evalsuites.public.contractnli.floor import keyword_floor
from evalsuites.public.contractnli.ndas import CONTRADICTION, ENTAILMENT, LABELS, NOT_MENTIONED
from harness import Suite
from harness.scoring import cited_evidence, labels

ALIASES = {"Not mentioned": NOT_MENTIONED, "Entailed": ENTAILMENT, "Contradicted": CONTRADICTION}
suite = Suite(
    cases=cases,
    prompt="prompt.jinja",
    scorers=[
        labels.among(LABELS, aliases=ALIASES, apart=(ENTAILMENT, CONTRADICTION), until="[(:;–—\n"),
        cited_evidence.cited,
    ],
    cluster="agreement",
    slices=["label", "statement"],
    shape="excerpt",
    max_tokens=24,
    floor=keyword_floor,
    licence="CC BY 4.0 (Y. Koreeda and C. D. Manning)",
)


@suite.case
def test_says_what_the_excerpt_says_of_the_statement(record):
    assert record.scores.labels.value == 1.0


@suite.case(where={"label": NOT_MENTIONED})
def test_claims_nothing_of_what_is_not_mentioned(record):
    assert record.scores.labels.predicted == [NOT_MENTIONED]
