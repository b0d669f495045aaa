"""A small sealed evaluation run and its training run, made of literal numbers that no code under test made."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.schema import (
    Case,
    Checkpoint,
    Comparison,
    ComparisonRow,
    Completion,
    Estimate,
    Manifest,
    Metric,
    MetricRow,
    Metrics,
    Record,
    Score,
    Scores,
    Span,
    SuiteInfo,
    Verdict,
)

SUITE = "legal/clauses"
METRICS = [
    Metric(name="clause_recall", scorer="clauses", numerator="tp", denominator="gold", says="Clauses found."),
    Metric(
        name="fabrication_rate",
        scorer="citations",
        numerator="fabricated",
        denominator="claims",
        higher_is_better=False,
        says="Checkable facts that the source does not hold.",
    ),
]
TYPES = ["Governing Law", "Insurance", "Cap on Liability", "Audit Rights"]


def interval(value: float, low: float, high: float, **more: Any) -> Estimate:
    return Estimate(**{"value": value, "low": low, "high": high, "n": 240, "clusters": 40, "method": "wilson", **more})


def make_record(
    number: int, variant: str, text: str, found: bool = True, spans: tuple[Span, ...] = (), **more: Any
) -> Record:
    """One record over contract `number`; clause `found` or missed, citations as `spans` say."""
    kind = TYPES[number % len(TYPES)]
    case = Case(
        id=f"lease-{number:03d}",
        input={"document": f"Section {number}. This lease is governed by the laws of Georgia.\nRent is $1,250.00."},
        expected=[kind],
        cluster=f"contract-{number:03d}",
        tags={"instrument": "lease" if number % 2 else "deed"},
    )
    bad = [s for s in spans if s.verdict in ("invented", "ungrounded")]
    scores = Scores(
        clauses=Score(
            name="clauses",
            value=float(found),
            extracted={"found": [kind] if found else [], "missing": [] if found else [kind]},
            counts={"tp": int(found), "gold": 1},
        ),
        citations=Score(
            name="citations", value=float(len(bad)), counts={"fabricated": len(bad), "claims": 2}, spans=list(spans)
        ),
    )
    fields: dict[str, Any] = {
        "case": case,
        "variant": variant,
        "input_hash": f"in{number}",
        "prompt_hash": f"prompt{number}",
        "expected_hash": f"out{number}",
        "completion": Completion(
            key=f"{variant}{number}", text=text, finish_reason="stop", prompt_tokens=50, output_tokens=9
        ),
        "scores": scores,
    }
    return Record(**{**fields, **more})


def cite(text: str, quote: str, verdict: str = "invented", reason: str = "no such section in the Code") -> Span:
    """A citation's span at the first place where `quote` stands."""
    start = text.index(quote)
    return Span(start=start, end=start + len(quote), quote=quote, kind="citation", verdict=verdict, reason=reason)


def make_records() -> list[Record]:
    """Ten contracts. Baseline wrong on 0 to 3; tuned wrong on 3 only, but it invents a section on 9."""
    records = []
    invented = "Audit Rights, see O.C.G.A. § 44-99-999 for the duty to keep books."
    gone = "Insurance, see O.C.G.A. § 13-99-1."
    for number in range(10):
        kind = TYPES[number % len(TYPES)]
        right = f"{kind} is present."
        wrong = "None of the listed clauses is present."
        before = gone if number == 5 else wrong if number < 4 else right
        after = invented if number == 9 else wrong if number == 3 else right
        records += [
            make_record(
                number, "baseline", before, number >= 4, (cite(before, "O.C.G.A. § 13-99-1"),) if number == 5 else ()
            ),
            make_record(
                number, "tuned", after, number != 3, (cite(after, "O.C.G.A. § 44-99-999"),) if number == 9 else ()
            ),
            make_record(number, "keyword_floor", kind, number != 7),
        ]
    return records


def make_metrics() -> Metrics:
    levels = {
        "clause_recall": {
            "baseline": (0.708, 0.622, 0.782),
            "tuned": (0.883, 0.789, 0.938),
            "keyword_floor": (0.78, 0.7, 0.843),
        },
        "fabrication_rate": {"baseline": (0.21, 0.16, 0.27), "tuned": (0.125, 0.09, 0.171), "keyword_floor": None},
    }
    rows = [
        MetricRow(
            suite=SUITE,
            variant=variant,
            metric=name,
            estimate=interval(*found) if found else Estimate(value=None, reason="the rule makes no claim"),
        )
        for name, by_variant in levels.items()
        for variant, found in by_variant.items()
    ]
    for value, n, found in (
        ("deed", 120, (0.9, 0.81, 0.95)),
        ("lease", 114, (0.875, 0.78, 0.93)),
        ("option", 6, (0.5, 0.2, 0.8)),
    ):
        for variant in ("baseline", "tuned", "keyword_floor"):
            estimate = interval(*found, n=n, clusters=n // 6)
            rows.append(
                MetricRow(
                    suite=SUITE,
                    variant=variant,
                    metric="clause_recall",
                    slice="instrument",
                    slice_value=value,
                    estimate=estimate,
                )
            )
    return Metrics(metrics=rows, comparisons=make_comparisons())


def make_comparisons() -> list[ComparisonRow]:
    recall = Comparison(
        metric="clause_recall",
        difference=interval(0.175, 0.101, 0.249),
        wins=45,
        losses=3,
        ties=192,
        p_value=0.0004,
        test="exact label swap",
    )
    fabrication = Comparison(
        metric="fabrication_rate",
        difference=interval(-0.085, -0.142, -0.028),
        ratio=interval(0.6, 0.41, 0.9),
        wins=31,
        losses=9,
        ties=200,
        p_value=0.012,
        test="exact label swap",
    )
    rows = [ComparisonRow(suite=SUITE, comparison=c) for c in (recall, fabrication)]
    for value, found in (("deed", (0.19, 0.08, 0.3)), ("lease", (0.02, -0.05, 0.09)), ("option", (0.1, -0.3, 0.5))):
        part = Comparison(metric="clause_recall", difference=interval(*found), wins=20, losses=2, ties=92)
        rows.append(ComparisonRow(suite=SUITE, slice="instrument", slice_value=value, comparison=part))
    return rows


def make_verdicts() -> list[Verdict]:
    return [
        Verdict(
            suite=SUITE,
            gate="clause_recall-improves",
            metric="clause_recall",
            rule="improves",
            outcome="pass",
            observed=interval(0.175, 0.101, 0.249),
            bar="better than the baseline",
            margin=0.101,
            reason="the whole interval lies above 0",
        ),
        Verdict(
            suite=SUITE,
            gate="fabrication_rate-reduces-0.75",
            metric="fabrication_rate",
            rule="reduces",
            outcome="inconclusive",
            observed=interval(0.6, 0.41, 0.9),
            bar="at most 75% of the baseline's",
            margin=-0.15,
            reason="12.0%, 60.0% of the baseline's (could be as high as 90.0% of it); at most 75% of the baseline's "
            "was required.",
            seen="12.0%, 60.0% of the baseline's (could be as high as 90.0% of it)",
            needed="about 620 cases",
        ),
        Verdict(
            suite=SUITE,
            gate="clause_recall-at_least-0.95",
            metric="clause_recall",
            rule="at_least",
            outcome="fail",
            observed=interval(0.883, 0.803, 0.934, side="lower"),
            bar="at least 95.0%",
            margin=-0.147,
            reason="88.3% (95% confidence: at most 93.4%); at least 95.0% was required.",
            seen="88.3% (95% confidence: at most 93.4%)",
        ),
    ]


def make_checkpoint(name: str, digit: str, **more: Any) -> Checkpoint:
    fields = {"name": name, "kind": "model", "path": "/models/m", "digest": digit * 64, "base_digest": "b" * 64}
    return Checkpoint(**{**fields, "tokenizer_digest": "c" * 64, **more})


def make_suite(**more: Any) -> SuiteInfo:
    fields: dict[str, Any] = {
        "name": SUITE,
        "title": "Every critical clause is found, and nothing is invented.",
        "shape": "excerpt",
        "objective": "Find at least 95% of the critical clauses and invent nothing.",
        "cluster": "contract",
        "cases": 10,
        "asked": 10,
        **{f"{part}hash": part[:1].ljust(64, "0") for part in ("", "cases_", "prompt_", "gates_", "scorers_")},
        "metrics": METRICS,
        "slices": ["instrument"],
        "licence": "CC-BY-4.0",
    }
    return SuiteInfo(**{**fields, **more})


def make_manifest(**more: Any) -> Manifest:
    fields: dict[str, Any] = {
        "run_id": "20261125T010000Z-clauses-0a1b2c3d",
        "kind": "eval",
        "status": "finished",
        "started": "2026-11-25T01:00:00Z",
        "ended": "2026-11-25T01:07:30Z",
        "git": {"commit": "f" * 40, "dirty": False},
        "checkpoints": {
            "baseline": make_checkpoint("org/small-instruct", "1"),
            "tuned": make_checkpoint("runs/adapter", "2", kind="adapter", adapter_path="/a", adapter_digest="d" * 64),
        },
        "suites": [make_suite()],
        "sampling": {"temperature": 0.0, "seed": 0, "repeats": 1},
        "engine": {"name": "fake", "seconds": 450.0, "output_tokens_per_second": 812.4, "canary": "equal"},
        "env": {"python": "3.11.7", "cores": 2, "packages": {"numpy": "2.3.5"}},
        "parent_run_id": "20261124T220000Z-train-9f8e7d6c",
    }
    return Manifest(**{**fields, **more})


def make_training() -> tuple[Manifest, list[dict[str, Any]]]:
    manifest = make_manifest(
        run_id="20261124T220000Z-train-9f8e7d6c",
        kind="train",
        suites=[],
        parent_run_id=None,
        training={"rows": 1200, "best_step": 80, "config": {"rank": 16, "learning_rate": 0.0002}},
    )
    log: list[dict[str, Any]] = [{"step": s, "loss": 2.4 - s * 0.015, "lr": 2e-4} for s in range(1, 101)]
    log += [{"step": s, "validation_loss": 2.5 - s * 0.012} for s in (20, 40, 60, 80, 100)]
    return manifest, log


def with_text(record: Record, text: str, **more: Any) -> Record:
    """The record with another answer."""
    return msgspec.structs.replace(record, completion=msgspec.structs.replace(record.completion, text=text, **more))
