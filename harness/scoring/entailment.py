"""Score the sentences of an answer by a local model that decides whether the source supports a sentence.

Off unless a suite names a model: `entailment.by_model("./models/nli")`. The path must start with ./ or be absolute;
nothing is downloaded. support_models.py lists the kinds of models. A sentence's support is the largest over chunks of
the source. Model digest, kind, prompt, threshold and chunk size are part of the scorer's version. The scorer has no
other rule: it repeats the model's mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from msgspec import structs

from harness.errors import UserError
from harness.schema import Case, Completion, Score, Span
from harness.scoring import support_models
from harness.scoring.base import Scorer, make_span, ratios, scorer, whole_length
from harness.scoring.text.refusals import refuses

ABBREVIATION = re.compile(r"(?:\b(?:Inc|Corp|Ltd|Co|Mr|Mrs|Ms|Dr|St|No|Sec|Art|v|Ga|Ann|Jr|Sr|approx)|\b[A-Z])\.$")
STOP = re.compile(r"[.!?]+[\"”’)\]]*(?=\s)|\n")
LETTER = re.compile(r"[^\W\d_]")
BULLET = re.compile(r"[\s*•#>-]*(?:\d+[.)]\s+)?")
WORD = re.compile(r"\S+")
METRICS = ratios(
    "support",
    {
        "claim_support_rate = supported / claims": "Share of the answers' sentences that a named local model finds "
        "supported by the source.",
    },
)


def by_model(
    path: str | Path,
    threshold: float = 0.5,
    chunk_words: int = 200,
    label: str | None = None,
    kind: str | None = None,
    prompt: str | None = None,
    answers: tuple[str, str] | None = None,
) -> Scorer:
    """Make the scorer of claim support by the model in a local folder.

    A sentence is supported if the model gives support a probability of `threshold` or more for some chunk of
    `chunk_words` words of the source; chunks overlap by half. `kind` (classifier, onnx, causal or seq2seq) is read from
    config.json unless it is given. `label` names a classifier's label that means support, if its configuration has no
    known word for it. `prompt` is a text with {source} and {sentence}; a classifier without one reads them as a pair.
    `answers` are a language model's answers for yes and no, of which the first tokens are compared. Raises UserError
    for a folder, label, prompt or number that cannot be used.
    """
    model = support_models.choose(path, kind, label, prompt, answers)
    if not 0 < threshold < 1 or chunk_words < 2:
        raise UserError(
            f"entailment.by_model: threshold is {threshold} and chunk_words {chunk_words}; "
            "expected a threshold between 0 and 1, and 2 words or more"
        )
    read = {name: value for name, value in structs.asdict(model).items() if name != "folder"}
    config = {**read, "threshold": threshold, "chunk_words": chunk_words}

    @scorer(metrics=METRICS, name="support", config=config)
    def supported(case: Case, completion: Completion) -> Score:
        """Share of the sentences that the source supports. A failed completion counts as one unsupported sentence."""
        if completion.finish_reason == "error":
            return Score(name="support", value=0.0, counts={"claims": 1, "supported": 0})
        claims = list(sentences(completion.text[: whole_length(completion)], completion.finish_reason == "stop"))
        if not case.document.strip() or not claims or refuses(completion.text):
            reason = "the case has no source" if not case.document.strip() else "the answer has no sentence to check"
            return Score(name="support", value=None, reason=reason)
        reader = support_models.load(model)
        spans = [_span(case, completion.text, claim, reader, threshold, chunk_words) for claim in claims]
        supported_count = sum(span.verdict == "supported" for span in spans)
        return Score(
            name="support",
            value=supported_count / len(spans),
            extracted={"unsupported": [span.quote for span in spans if span.verdict != "supported"]},
            counts={"claims": len(spans), "supported": supported_count},
            spans=spans,
        )

    return supported


def sentences(text: str, whole: bool = True) -> Iterator[tuple[int, int]]:
    """Yield the ranges of sentences with a letter; if the text is not `whole`, the last one needs its full stop."""
    start = 0
    for stop in STOP.finditer(text):
        if stop[0] != "\n" and ABBREVIATION.search(text, start, stop.end()):
            continue
        yield from _sentence(text, start, stop.end())
        start = stop.end()
    if whole or re.search(r"[.!?][\"”’)\]]*\s*$", text[start:]):
        yield from _sentence(text, start, len(text))


def _sentence(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    bullet = BULLET.match(text, start, end)
    start = bullet.end() if bullet else start
    end = start + len(text[start:end].rstrip())
    if LETTER.search(text, start, end):
        yield start, end


@lru_cache(maxsize=64)
def chunks(document: str, size: int) -> tuple[tuple[int, int], ...]:
    """Return ranges of chunks of `size` words that cover a document, each overlapping half of the one before it."""
    words = [match.span() for match in WORD.finditer(document)]
    step = max(1, size // 2)
    starts = range(0, max(1, len(words) - size + step), step)
    return tuple((words[at][0], words[min(at + size, len(words)) - 1][1]) for at in starts)


def _span(
    case: Case, text: str, claim: tuple[int, int], reader: support_models.Reader, threshold: float, size: int
) -> Span:
    places = chunks(case.document, size)
    support = reader.support([case.document[start:end] for start, end in places], text[claim[0] : claim[1]])
    if not support:
        return make_span(text, *claim, "claim", "unsupported", "too long for the model to read")
    best = max(range(len(places)), key=lambda at: support[at])
    verdict = "supported" if support[best] >= threshold else "unsupported"
    return make_span(text, *claim, "claim", verdict, f"support {support[best]:.3f}", places[best], case.cluster)
