"""Score the sentences of an answer by a local model that decides whether the source supports a sentence.

Off unless a suite names a model: `entailment.by_model("./models/nli")`. The path must start with ./ or be absolute;
nothing is downloaded. support_models.py lists the kinds of models. The model reads a sentence with the passages of the
source that are nearest to it. Model digest, kind, prompt, threshold and passages are part of the scorer's version. The
scorer has no other rule: it repeats the model's mistakes.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from harness.errors import UserError
from harness.schema import Case, Completion, Score
from harness.scoring import support_models, support_readers
from harness.scoring.base import Scorer, make_span, ratios, scorer, whole_length
from harness.scoring.text.passages import TOKENS, check_library, passages, text_of
from harness.scoring.text.refusals import refuses
from harness.scoring.text.sentences import statements

METRICS = ratios(
    "support",
    {
        "claim_support_rate = supported / claims": "Share of the answers' sentences that a named local model finds "
        "supported by the source.",
    },
)
PLACES = ("folder", "adapter", "tokenizer")
"""Fields of a model that say where it is, not what it is."""


def by_model(
    path: str | Path,
    threshold: float = 0.5,
    windows: int = 3,
    window_tokens: int = TOKENS,
    label: str | None = None,
    kind: str | None = None,
    prompt: str | None = None,
    answers: tuple[str, ...] | None = None,
    system: str | None = None,
) -> Scorer:
    """Make the scorer of claim support by the model in a local folder, which may be a LoRA adapter.

    A sentence is supported if the model, shown up to `windows` passages of `window_tokens` tokens around the nearest
    sentences of the source, gives support a probability of `threshold` or more. An answer to a question follows it.
    `kind` (classifier, onnx, causal or seq2seq) is read from config.json unless it is given. `label` names a
    classifier's label that means support, if its configuration has no known word for it. `prompt` is a text with
    {source} and {sentence}; a classifier without one reads them as a pair. `system` is the system message before it.
    `answers` are a language model's answers, the one that means support first; their first tokens are compared.
    Passages need the extra `claims`. Raises UserError for a folder, label, prompt or number that cannot be used.
    """
    check_library()
    model = support_models.choose(path, kind, label, prompt, answers, system)
    if not 0 < threshold < 1 or windows < 1 or window_tokens < 1:
        raise UserError(
            f"entailment.by_model: threshold is {threshold}, windows {windows} and window_tokens {window_tokens}; "
            "expected a threshold between 0 and 1, and at least one window of at least one token"
        )
    read = {name: value for name, value in structs.asdict(model).items() if name not in PLACES}
    config = {**read, "threshold": threshold, "windows": windows, "window_tokens": window_tokens}

    @scorer(metrics=METRICS, name="support", config=config)
    def supported(case: Case, completion: Completion) -> Score:
        """Share of the sentences that the source supports. A failed completion counts as one unsupported sentence."""
        if completion.finish_reason == "error":
            return Score(name="support", value=0.0, counts={"claims": 1, "supported": 0})
        claims = list(statements(completion.text[: whole_length(completion)], completion.finish_reason == "stop"))
        if not case.document.strip() or not claims or refuses(completion.text):
            reason = "the case has no source" if not case.document.strip() else "the answer has no sentence to check"
            return Score(name="support", value=None, reason=reason)
        question = str(case.input.get("question", ""))
        before = f"{question}\n" if question.rstrip().endswith("?") else ""
        asked = [f"{before}{said}" for _, _, said in claims]
        shown = [passages(case.document, each, windows, window_tokens) for each in asked]
        found = support_readers.load(model).support(list(zip(map(text_of, shown), asked, strict=True)))
        spans = []
        for (start, end, _), nearest, support in zip(claims, shown, found, strict=True):
            verdict = "supported" if support is not None and support >= threshold else "unsupported"
            reason = "too long for the model to read" if support is None else f"support {support:.3f}"
            source = (nearest[0].start, nearest[-1].end)
            spans.append(make_span(completion.text, start, end, "claim", verdict, reason, source, case.cluster))
        unsupported = [span.quote for span in spans if span.verdict == "unsupported"]
        hits = len(spans) - len(unsupported)
        counts = {"claims": len(spans), "supported": hits}
        value, extracted = hits / len(spans), {"unsupported": unsupported}
        return Score(name="support", value=value, extracted=extracted, counts=counts, spans=spans)

    return supported
