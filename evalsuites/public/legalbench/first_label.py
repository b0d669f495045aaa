"""Score the answer label with which an answer begins, among the labels of its own task."""

import re

from harness.schema import Case, Completion, Score
from harness.scoring import labels
from harness.scoring.base import make_span, scorer

SEPARATOR = " | "
"""Between the labels of the tag `labels`."""


def _without_label(case: Case) -> list[str]:
    own = case.tags.get("labels", "").split(SEPARATOR)
    if "task" in case.tags and len(case.expected) == 1 and case.expected[0] in own:
        return []
    return [
        f"case '{case.id}' expects {case.expected}; it must have the tag task, and expect one of its tag labels: {own}"
    ]


@scorer(metrics=labels.METRICS, name="labels", check=_without_label)
def first_label(case: Case, completion: Completion) -> Score:
    """Whether the answer begins with the expected label; what follows it does not count, nor do case and punctuation.

    "Yes or No" is no label.

    A label counts apart in each task, so that the mean over labels is the mean over tasks of their balanced accuracy.
    """
    own = case.tags["labels"].split(SEPARATOR)
    longest_first = "|".join(map(re.escape, sorted(own, key=len, reverse=True)))
    begins = re.match(
        rf"\W*({longest_first})(?!\w)(?!\W*(?:or\b|/)\W*(?:{longest_first})(?!\w))", completion.text, re.I
    )
    label = next((one for one in own if begins and one.lower() == begins[1].lower()), None)
    hit = label in case.expected
    gold, given = (f"{case.tags['task']}: {one}" for one in (case.expected[0], label))
    spans = []
    if hit and begins:
        spans = [make_span(completion.text, *begins.span(1), "label", "correct")]
    elif label is None and completion.text:
        reason = "the answer begins with none of the task's labels"
        spans = [make_span(completion.text, 0, len(completion.text), "label", "unreadable", reason)]
    return Score(
        name="labels",
        value=float(hit),
        extracted={
            "predicted": [label or labels.NO_LABEL],
            "found": [gold] if hit else [],
            "missing": [] if hit else [gold],
            "invented": [given] if label and not hit else [],
        },
        counts={"correct": int(hit), "parsed": int(label is not None)},
        spans=spans,
    )
