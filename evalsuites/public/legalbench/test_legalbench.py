"""Few-shot tasks of LegalBench. A task without its test rows is a format check and not the published task."""

from evalsuites.public.legalbench.cases import cases, commonest
from evalsuites.public.legalbench.first_label import first_label
from harness import Suite
from harness.scoring.labels import NO_LABEL

suite = Suite(
    cases=cases,
    prompt="prompt.jinja",
    scorers=[first_label],
    cluster="document",
    slices=["task", "protocol"],
    shape="few-shot",
    max_tokens=8,
    leave_out_long=True,
    floor=commonest,
    licence="by task; the contract tasks CC BY 4.0 (N. Guha and others)",
)


@suite.case
def test_begins_with_a_label_of_the_task(record):
    assert record.scores.labels.predicted != [NO_LABEL]


@suite.case
def test_gives_the_right_label(record):
    assert record.scores.labels.value == 1.0
