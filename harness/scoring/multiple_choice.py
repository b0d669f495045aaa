"""Score multiple-choice answers by the options' log probabilities, or by the text if an engine gives none.

By log probability a model that rambles still has an answer, so this score says what a model knows and not whether it
can be used; `option_parse_rate` counts texts that begin with an option.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import UserError
from harness.schema import Case, Completion, Score
from harness.scoring.base import Scorer, ratios, scorer

METRICS = ratios(
    "options",
    {
        "option_accuracy = right": "Share of questions whose right option is the likeliest one.",
        "option_parse_rate = parsed": "Share of answers whose text begins with one of the options.",
    },
)


def likeliest(options: Sequence[str]) -> Scorer:
    """Make a scorer of one option of `options`, which `Suite(options=...)` lists in the same order.

    The first of several equally likely options is taken. Without log probabilities the text decides, and a text that
    begins with no option is wrong. Raises UserError for fewer than two different options.
    """
    names = tuple(options)
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"options are {list(names)}, expected two or more different ones")
    longest_first = map(re.escape, sorted(names, key=len, reverse=True))
    opening = re.compile(rf"\W*({'|'.join(longest_first)})(?!\w)", re.I)

    def not_an_option(case: Case) -> list[str]:
        is_option = len(case.expected) == 1 and case.expected[0] in names
        problem = f"case '{case.id}': expected is {case.expected}, expected one of {', '.join(names)}"
        return [] if is_option else [problem]

    @scorer(metrics=METRICS, name="options", config=names, check=not_an_option)
    def chosen(case: Case, completion: Completion) -> Score:
        """Whether the likeliest option is the right one. A failed completion is wrong."""
        match = opening.match(completion.text)
        text = next((name for name in names if match and name.lower() == match[1].lower()), None)
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
