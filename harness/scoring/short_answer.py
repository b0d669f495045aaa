"""Score short answers against accepted ones, and whether a question was answered at all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from unicodedata import decimal

from msgspec.structs import replace

from harness.schema import Case, Completion, Metric, Score, Span
from harness.scoring.base import ratios, scorer
from harness.scoring.text.normalize import normalise
from harness.scoring.text.refusals import refuses

NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
TOKEN = re.compile(rf"(?<![\w.])-?{NUMBER}|[^\W_]+(?:['’][^\W_]+)*")
UNSPACED = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1780-\u17d3\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    r"\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana and Chinese characters, of which each is a word."""
POINTS = r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u0610-\u061a\u064b-\u065f\u0670"
"""Vowel points of Hebrew and Arabic, which most texts leave out."""
LETTER = rf"(?:(?![{UNSPACED}])[^\W_]|[\u0300-\u036f{POINTS}\u0900-\u0963\u0966-\u096f\u0971-\u0dff])"
"""A letter or a digit, or a vowel sign: of Indian scripts, it is no letter for `re`."""
NUMERAL = "[〇零一二三四五六七八九十百千万亿萬億]+"
WIDE = re.compile(rf"(?:(?<![\w.])-?|(?<=[{UNSPACED}])){NUMBER}|{NUMERAL}|[{UNSPACED}]|{LETTER}+(?:['’]{LETTER}+)*")
"""TOKEN for texts that are not ASCII."""
DROPPED = re.compile(f"[,'’{POINTS}]")
ARTICLES = {"a", "an", "the"}
DENIALS = {"not", "isnt", "arent", "wasnt", "werent"}
OF_PHRASE = ARTICLES | {"in", "on", "at", "of", "by"}
"""Words between a denial and what it denies: "not in the"."""
WHOLE = re.compile(r"^(-?\d+)\.00?$")
"""A whole number with decimals. Three zeros may be thousands."""
OPTION = re.compile(r"\W*A\s*[:.),;]", re.IGNORECASE)
"""The letter of an option at the start, as in `A: red`, which is no article."""
MATCHES = ("contains", "starts", "exact")


def _unknown_match(case: Case) -> list[str]:
    match = case.tags.get("match", MATCHES[0])
    problem = f"case '{case.id}': tag match is {match!r}, expected one of {', '.join(MATCHES)}"
    return [] if match in MATCHES else [problem]


@scorer(
    metrics=ratios(
        "answers",
        {
            "accuracy = correct": "Share of questions answered right.",
            "complete_rate = complete": "Share of answers that are neither empty, failed nor cut at the token limit.",
        },
    ),
    name="answers",
    check=_unknown_match,
)
def accepted(case: Case, completion: Completion) -> Score:
    """Right if the answer contains one of the case's expected answers as whole words.

    The tag `match` may be stricter: `exact` (it is one, leading articles aside) or `starts` (it begins with one).
    Letter case, punctuation, thousands separators and decimals of a whole number (65.00) do not matter. An answer
    straight after "not" is denied and does not count. A character of a script without spaces is a word, so that "不是"
    contains "是".
    If the case expects nothing, a refusal in English is right. An answer that is empty, failed or cut at the token
    limit is wrong.
    """
    complete = completion.finish_reason == "stop" and bool(completion.text.strip())
    hit = _hit(case, completion.text) if complete else None
    correct = hit is not None or (complete and not case.expected and refuses(completion.text))
    return Score(
        name="answers",
        value=float(correct),
        extracted={"accepted": [hit.quote] if hit else []},
        counts={"correct": int(correct), "complete": int(complete)},
        spans=[hit] if hit else [],
    )


def _without_text(case: Case) -> list[str]:
    return [] if case.expected else [f"case '{case.id}': expected is empty. Name at least one accepted text"]


@scorer(
    metrics=ratios("exact", {"exact_rate = correct": "Share of answers that are an accepted text and nothing else."}),
    name="exact",
    check=_without_text,
)
def exactly(case: Case, completion: Completion) -> Score:
    """Right if the whole answer is one of the case's accepted texts.

    Letter case, punctuation, thousands separators and a leading article do not matter. An answer that is empty, failed
    or cut at the token limit is wrong.
    """
    return replace(accepted(replace(case, tags=case.tags | {"match": "exact"}), completion), name="exact")


def _given(answer_rate: str, says: str) -> list[Metric]:
    words = {"answer_words = words": "Words in an answer, on average."}
    return ratios("given", {answer_rate: says, **words}, unbounded=["answer_words"])


@scorer(metrics=_given("answer_rate = answered", "Share of questions not refused."), name="given")
def given(case: Case, completion: Completion) -> Score:
    """Whether the answer is not empty and no refusal, and its length in words. A failed completion has no answer."""
    failed = completion.finish_reason == "error"
    answered = not failed and bool(completion.text.strip()) and not refuses(completion.text)
    words = 0 if failed else len(completion.text.split())
    return Score(name="given", value=float(answered), counts={"answered": int(answered), "words": words})


@scorer(
    metrics=_given(
        "answer_rate = answered / answerable", "Share of the questions with an answer that were not refused."
    ),
    name="given",
)
def given_where_expected(case: Case, completion: Completion) -> Score:
    """As `given`, for suites in which a case that expects nothing is right if refused: the rate leaves it out."""
    score = given(case, completion)
    answered, answerable = score.counts["answered"], int(bool(case.expected))
    counts = {**score.counts, "answered": answered * answerable, "answerable": answerable}
    refused = completion.finish_reason != "error" and refuses(completion.text)
    return Score(name="given", value=float(answered or (refused and not answerable)), counts=counts)


def _hit(case: Case, text: str) -> Span | None:
    """The first accepted answer that the text contains in the way the case asks for."""
    match = case.tags.get("match", MATCHES[0])
    normal = normalise(text)
    tokens = [(m.start(), m.end(), _form(m[0])) for m in _tokens(normal.text)]
    forms = [form for _, _, form in tokens]
    word = 0 if match == "contains" else next((i for i, form in enumerate(forms) if form not in ARTICLES), 0)
    is_option = OPTION.match(normal.text)
    for answer in case.expected:
        expected = [_form(token[0]) for token in _tokens(normalise(answer).text)]
        if match != "contains":
            expected = expected[1:] if expected[1:] and expected[0] in ARTICLES else expected
        size = len(expected)
        first = 0 if is_option and expected == ["a"] else word
        for at in range(first, len(tokens) - size + 1 if match == "contains" else first + 1):
            whole = match != "exact" or at + size == len(tokens)
            if size and whole and forms[at : at + size] == expected and not _is_denied(forms[:at]):
                start, end = normal.original(tokens[at][0], tokens[at + size - 1][1])
                return Span(start=start, end=end, quote=text[start:end], kind="answer", verdict="accepted")
    return None


def _is_denied(before: Sequence[str]) -> bool:
    """Whether the words before an answer end in a denial: "it is not in"."""
    return next((form for form in reversed(before) if form not in OF_PHRASE), "") in DENIALS


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return (TOKEN if text.isascii() else WIDE).finditer(text)


def _form(token: str) -> str:
    """The form in which tokens are compared, with the digits of all scripts as 0 to 9."""
    form = WHOLE.sub(r"\1", DROPPED.sub("", token.casefold()))
    return form if form.isascii() else "".join(f"{decimal(sign, sign)}" for sign in form)
