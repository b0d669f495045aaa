"""Score a numeric answer against the right number, with a stated tolerance.

"$1.25 million", "1.25M dollars" and "USD 1250000" are one number. An answer that states several different numbers
is wrong, because it hedges, unless the suite says that the last one counts. If the right answer has no unit, and the
answer no number without one, a unit of the case's own text will do: "30 days" is 30 where the text speaks of days.
"-$3 million" is not "$3 million"; a number in brackets, or of a loss, may be either. A number straight after "not",
"no longer", "rather than" or "instead of" is denied, which is wrong. Commas group thousands, and a
point begins the decimals: an answer in another notation ("1.250,00") is wrong, and a case in one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple

from harness.errors import UserError
from harness.schema import Case, Completion, Score
from harness.scoring.base import Scorer, make_span, ratios, scorer, whole_length
from harness.scoring.text.numbers import DIGITS, SHORT_SCALES
from harness.scoring.text.quantities import MONEY_SIGN, UNIT, Figure, figures_in

METRICS = ratios(
    "numeric",
    {
        "numeric_accuracy = right": "Share of questions answered with the right number, within the stated tolerance.",
        "numeric_parse_rate = parsed": "Share of answers that state a number of the kind asked for.",
    },
)
UNITS = {"money": 100, "percent": 100}
"""Canonical units per unit that people write: a dollar is 100 cents, a percent 100 basis points."""
BARE = "count"
"""Kind of a number without a unit, which is compared as if it had the expected unit."""
WITH_UNIT = re.compile(rf"{MONEY_SIGN}|{UNIT}", re.I)
MINUS = re.compile(
    r"(?<![\w)%.])[-\u2212\u2013](?=[$€£]?\s?\.?\d)|(?<=[$€£])[-\u2212\u2013](?=\d)|\b(?:minus|negative)\s(?=[$€£]?\d)",
    re.I,
)
BRACKETED = re.compile(
    r"(?<=[$€£])\(\d[\d,.]*\)|\(\d[\d,.]*\)(?=\s?(?:%|percent\b))|(?<!.)\W*\([^()]*\d[^()]*\)\W*(?!.)", re.S
)
"""A number in brackets with its unit outside, and brackets around a whole answer."""
WORD = re.compile(r"\W*(?:(?:the )?answer(?: is)?\W+)?(?P<word>one|zero)\W*", re.I)
LOSS = re.compile(
    r"\b(?:loss(?:es)?|lost|lose[sd]?|fell|falls?|fallen|decline[sd]?|decrease[sd]?|drop(?:s|ped)?|down|reduc\w+|lower|less"
    r"|below|negative|minus|deficit|shortfall|outflows?|short)\b",
    re.I,
)
TORN = re.compile(r"(?:[ \u00a0\u202f'\u2019]\d{3})*[.,]\d")
"""Digits after a figure that belong to it in another notation: "1 234,50", of which only the 1 is read."""
DENIED = re.compile(
    r"(?:(?<!if )(?<!or )\bnot|\b(?:no longer|never|rather than|instead of))\s+"
    r"(?:(?:an?|the|in|by|at|on|of|for|after|within)\s+)*[*_\"'“‘(]*$",
    re.I,
)
"""Ends before a figure that the answer denies: "not within 45 days", but not "not later than 45 days"."""
SHORT = re.compile(rf"(?<![\w.,/#$€£-])(?P<digits>{DIGITS})\s?(?P<scale>[kKM]|(?<=\d)(?:[mb]n|B))\b")
"""A number without a sign in thousands, millions or billions: "1.2M"; "12m" may be metres, and "4 B" a section."""
NEAR = 60
"""Characters before and after a number in which a loss makes its sign open."""


class Number(NamedTuple):
    """A figure, negative with a minus, and whether its sign is open."""

    figure: Figure
    is_open: bool


def numbers_in(text: str) -> list[Number]:
    """List the numbers of a text in order. Offsets are those of the text."""
    word = WORD.fullmatch(text)
    if word:
        value = "1" if word["word"].lower() == "one" else "0"
        text = text[: word.start("word")] + value.zfill(len(word["word"])) + text[word.end("word") :]
    bare = BRACKETED.sub(lambda m: m[0].replace("(", " ").replace(")", " "), text)
    minuses = {match.end(): match for match in MINUS.finditer(bare)}
    found = []
    plain = MINUS.sub(lambda m: " " * len(m[0]), bare)
    short = {match.start(): match for match in SHORT.finditer(plain)}
    for figure in figures_in(SHORT.sub(lambda m: m["digits"].ljust(len(m[0])), plain)):
        scale = next((short[at] for at in range(figure.start, figure.end) if at in short), None)
        if scale and isinstance(figure.value, Fraction):
            size = SHORT_SCALES[scale["scale"].lower()]
            figure = figure._replace(end=max(figure.end, scale.end()), value=figure.value * size)
        start, end = figure.start, figure.end
        minus = minuses.get(start) or MINUS.search(bare, start, end)
        if minus and not isinstance(figure.value, str):
            figure = figure._replace(start=min(start, minus.start()), value=-figure.value)
        near = f"{text[max(0, start - NEAR) : start]} {text[end : end + NEAR]}"
        found.append(Number(figure, not minus and bool("(" in text[max(0, start - 1) : end] or LOSS.search(near))))
    return found


def is_denied(text: str, start: int) -> bool:
    """Whether the words straight before a figure deny it."""
    return bool(DENIED.search(text, max(0, start - NEAR), start))


def within(
    absolute: float = 0.0, relative: float = 0.0, take: Literal["only", "last"] = "only", name: str = "numeric"
) -> Scorer:
    """Make a scorer of numbers within `absolute` (in the right answer's unit) or `relative` (0.01 is 1%) of it.

    With `take="only"` all numbers of the right kind must agree; with `last` the last one is the answer. Raises
    UserError for a negative tolerance.
    """
    if absolute < 0 or relative < 0 or take not in ("only", "last"):
        raise UserError(
            f"numeric.within(absolute={absolute:g}, relative={relative:g}, take={take!r}): expected tolerances of at "
            "least 0, and take 'only' or 'last'"
        )
    bounds = Fraction(str(absolute)), Fraction(str(relative))

    def not_one_number(case: Case) -> list[str]:
        if case.expected and all(map(_is_one_number, case.expected)):
            return []
        return [
            f"case '{case.id}': expected is {case.expected}, expected one number in each entry, and no other digits. "
            "Write 1234.50 or 1,234.50, and shares without a comma"
        ]

    @scorer(metrics=METRICS, name=name, config=[*map(str, bounds), take], check=not_one_number)
    def right(case: Case, completion: Completion) -> Score:
        """Whether the number stated is the right one. An answer that is empty, failed or cut at the limit is wrong."""
        expected = [numbers_in(answer)[0] for answer in case.expected]
        failed = completion.finish_reason == "error"
        whole = whole_length(completion)
        stated = [] if failed else [n for n in numbers_in(completion.text) if n.figure.end <= whole]
        of_kind = [n for n in stated if any(_comparable(n.figure, w.figure) for w in expected)]
        if not of_kind and all(wanted.figure.kind == BARE for wanted in expected):
            own = {unit for given in case.input.values() for unit, _ in _without_unit(given)}
            of_kind = [bare for unit, bare in _without_unit(completion.text[:whole]) if unit in own and not failed]
        chosen = of_kind[-1:] if take == "last" else of_kind
        is_cut = completion.finish_reason == "length"
        is_torn = any(TORN.match(completion.text, n.figure.end) for n in chosen)
        is_off = is_torn or any(is_denied(completion.text, n.figure.start) for n in chosen)
        hit = bool(chosen) and not (is_cut or is_off)
        hit = hit and all(any(_close(n, w, *bounds) for w in expected) for n in chosen)
        why = "the answer was cut at the token limit" if is_cut else ""
        return Score(
            name=name,
            value=float(hit),
            extracted={"stated": [completion.text[n.figure.start : n.figure.end] for n in of_kind]},
            counts={"right": int(hit), "parsed": int(bool(of_kind))},
            spans=[
                make_span(completion.text, figure.start, figure.end, figure.kind, "right" if hit else "wrong", why)
                for figure, _ in chosen
            ],
        )

    return right


def _is_one_number(text: str) -> bool:
    """Whether a text states one number, all digits in it are read, and it is no share such as "4,125 %"."""
    spans = [(figure.start, figure.end) for figure, _ in numbers_in(text)]
    is_whole = len(spans) == 1 and not re.search(r"\d", text[: spans[0][0]] + text[spans[0][1] :])
    return is_whole and not re.search(r",\d{3}\s?(?:%|per\s?cent)", text)


def _without_unit(text: str) -> Iterator[tuple[tuple[str, Fraction], Number]]:
    """The numbers of a text as they are written before or after their units, each with its unit and the unit's size."""
    for number in numbers_in(text):
        figure = number.figure
        for one, _ in numbers_in(WITH_UNIT.sub("", text[figure.start : figure.end])):
            if isinstance(figure.value, Fraction) and isinstance(one.value, Fraction) and one.value:
                bare = figure._replace(kind=BARE, unit="", value=one.value)
                yield (figure.unit, figure.value / one.value), number._replace(figure=bare)


def _comparable(figure: Figure, expected: Figure) -> bool:
    """Of one unit, or bare if a unit is expected: "1,250" answers "how many dollars?"."""
    return figure.unit == expected.unit or (figure.kind == BARE and expected.kind != "date")


def _close(number: Number, right: Number, absolute: Fraction, relative: Fraction) -> bool:
    figure, expected = number.figure, right.figure
    if isinstance(figure.value, str) or isinstance(expected.value, str):
        return figure.value == expected.value
    size = UNITS.get(expected.kind, 1)
    value = figure.value * size if figure.unit != expected.unit else figure.value
    gap = abs(abs(value) - abs(expected.value)) if number.is_open or right.is_open else abs(value - expected.value)
    return gap <= max(absolute * size, relative * abs(expected.value))
