"""Scores multiple-choice answers by the options' log probabilities, or by the text where an engine gives none.

By log probability a model that rambles still has an answer, so this score says what a model knows and not whether it
can be used: `parse_rate` beside it counts texts that open with an option.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import UserError
from harness.schema import Case, Completion, Metric, Score
from harness.scoring.base import Scorer, scorer

METRICS = [
    Metric(
        name="option_accuracy",
        scorer="options",
        numerator="right",
        says="Share of questions whose right option is the likeliest one.",
    ),
    Metric(
        name="option_parse_rate",
        scorer="options",
        numerator="parsed",
        says="Share of answers whose text opens with one of the options.",
    ),
]


def likeliest(options: Sequence[str]) -> Scorer:
    """A scorer of one option of `options`, which `Suite(options=...)` names in the same order.

    The first option of several equally likely ones is taken. Without log probabilities the text decides, and a text
    that opens with no option is wrong.
    """
    names = tuple(options)
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"options are {list(names)}, expected two or more different ones")
    opening = re.compile(
        rf"\W*({'|'.join(re.escape(name) for name in sorted(names, key=len, reverse=True))})(?!\w)", re.I
    )

    def stray(case: Case) -> list[str]:
        found = len(case.expected) == 1 and case.expected[0] in names
        return [] if found else [f"case '{case.id}': expected is {case.expected}, expected one of {', '.join(names)}"]

    @scorer(metrics=METRICS, name="options", config=names, check=stray)
    def chosen(case: Case, completion: Completion) -> Score:
        """The likeliest option against the right one. A failed completion is wrong."""
        said = opening.match(completion.text)
        text = next((n for n in names if said and n.lower() == said[1].lower()), None)
        logprobs = completion.option_logprobs
        by_logprob = len(logprobs) == len(names)
        choice = names[logprobs.index(max(logprobs))] if by_logprob else text
        right = int(completion.finish_reason != "error" and choice in case.expected)
        return Score(
            name="options",
            value=float(right),
            extracted={"chosen": [choice] if choice else [], "said": [text] if text else []},
            counts={"right": right, "parsed": int(text is not None), "by_logprob": int(by_logprob)},
        )

    return chosen
