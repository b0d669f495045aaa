"""Published metrics as reported, ungated scorers: ROUGE and SQuAD, through `evaluate`."""

from __future__ import annotations

from harness.scoring import evaluate_bridge, evaluate_metrics
from harness.scoring.base import Scorer

ROUGE_TYPES = ["rouge1", "rougeL"]


def rouge(reference: str | None = None) -> list[Scorer]:
    """`rouge1` and `rougeL`: F measures against the expected answers, or against the text of the tag `reference`."""
    script, arguments = evaluate_metrics.script("rouge"), {"rouge_types": ROUGE_TYPES}
    return [
        evaluate_bridge.metric(
            script,
            field=name,
            name=name,
            worst=0.0,
            best=1.0,
            arguments=arguments,
            reference=reference,
            complete=False,
        )
        for name in ROUGE_TYPES
    ]


def squad(reference: str | None = None) -> list[Scorer]:
    """`exact_match` and `squad_f1` of SQuAD 1.1, against the expected answers or the text of the tag `reference`."""
    script = evaluate_metrics.script("squad")
    return [
        evaluate_bridge.metric(script, field=field, name=name, worst=0.0, best=1.0, reference=reference, complete=False)
        for field, name in (("exact_match", "exact_match"), ("f1", "squad_f1"))
    ]
