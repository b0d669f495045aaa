"""How long the statistics of a large run take: estimates and verdicts of 100,000 records, without any model.

    python benchmarks/statistics_scale.py [--records 100000] [--clusters 5000] [--slices 20] [--profile]

Half of the records are the baseline's, half the tuned model's, ten cases to a cluster. Seven metrics of every kind are
summarised over the whole and over each value of two slice tags, and all six rules are judged over the same: what a run
does at its end, with each label swap at its full 10,000 draws. The records are made first, which is not timed. The
target is 5 s and 1 GB on one core.
"""

import argparse
import os
import resource
import sys
import time
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402

from harness.gates.judge import judge  # noqa: E402
from harness.runs.provenance import environment  # noqa: E402
from harness.schema import (  # noqa: E402
    BASELINE,
    CANDIDATE,
    Case,
    Completion,
    Gate,
    GateFile,
    Metric,
    Objective,
    Record,
    Score,
)
from harness.stats.observations import reading  # noqa: E402
from harness.stats.summary import summarise  # noqa: E402

SEED = 1
LABELS = [f"label {k}" for k in range(12)]
TAGS = ("kind", "client")
METRICS = [
    Metric(name="accuracy", scorer="made", numerator="right"),
    Metric(name="recall", scorer="made", numerator="found", denominator="claims"),
    Metric(name="fabrication", scorer="made", numerator="invented", denominator="claims", higher_is_better=False),
    Metric(name="words", scorer="made", numerator="words", higher_is_better=False),
    Metric(name="overlap", scorer="made", numerator="", kind="mean", worst=0.0, best=1.0),
    Metric(name="macro_f1", scorer="made", numerator="", kind="macro_f1"),
    Metric(name="macro_recall", scorer="made", numerator="", kind="macro_recall"),
]
GATES = [
    Gate(metric="accuracy", rule="at_least", value=0.85),
    Gate(metric="fabrication", rule="at_most", value=0.10),
    Gate(metric="accuracy", rule="improves"),
    Gate(metric="macro_f1", rule="improves"),
    Gate(metric="overlap", rule="no_worse", margin=0.01),
    Gate(metric="recall", rule="no_worse", margin=0.01),
    Gate(metric="fabrication", rule="reduces", ratio=0.75),
    Gate(metric="fabrication", rule="never", n_min=300),
    Gate(metric="macro_recall", rule="at_least", value=0.80),
]


def records(cases: int, clusters: int, slices: int) -> dict[str, list[Record]]:
    """Answers of two variants to the same cases; those of one cluster share how hard they are."""
    rng = np.random.default_rng(SEED)
    hard = rng.beta(2, 8, clusters)
    each = slices // len(TAGS)
    made: dict[str, list[Record]] = {}
    for variant, skill in ((BASELINE, 1.0), (CANDIDATE, 0.6)):
        wrong = rng.random((cases, 5))
        kept = made.setdefault(variant, [])
        for i in range(cases):
            cluster = i * clusters // cases
            risk = skill * hard[cluster]
            right, claims = bool(wrong[i, 0] > risk), 1 + i % 5
            gold, other = LABELS[i % 12], LABELS[(i * 7 + 3) % 12]
            found = int((claims * (1 - risk)) + wrong[i, 1])
            case = Case(
                id=f"case-{i}",
                input={},
                expected=[gold],
                cluster=f"contract-{cluster}",
                tags={TAGS[0]: f"k{i % each}", TAGS[1]: f"c{cluster % each}"},
            )
            score = Score(
                name="made",
                value=float(np.clip(wrong[i, 2] ** risk, 0, 1)),
                counts={
                    "right": int(right),
                    "found": min(found, claims),
                    "invented": int(wrong[i, 3] < risk / 2),
                    "claims": claims,
                    "words": 20 + int(200 * wrong[i, 4]),
                },
                extracted={"found": [gold] if right else [], "invented": [] if right else [other]}
                | {"missing": [] if right else [gold]},
            )
            answer = Completion(key="", text="", finish_reason="stop", prompt_tokens=1, output_tokens=1)
            hashes = {"input_hash": f"hash-{i}", "prompt_hash": "p", "expected_hash": "e"}
            kept.append(Record(case=case, variant=variant, completion=answer, scores={"made": score}, **hashes))
    return made


def gate_file() -> GateFile:
    """Every rule over the whole and over every slice value."""
    sliced = [
        Gate(**{name: getattr(gate, name) for name in gate.__struct_fields__} | {"slice": tag})
        for gate in GATES
        for tag in TAGS
    ]
    return GateFile(objective=Objective(text="Measure the statistics."), gate=[*GATES, *sliced])


def conclude(made: dict[str, list[Record]], slices: int) -> dict[str, float]:
    """Seconds of reading and summarising, and of judging; how many numbers came out."""
    values = {
        TAGS[0]: [f"k{k}" for k in range(slices // len(TAGS))],
        TAGS[1]: [f"c{k}" for k in range(slices // len(TAGS))],
    }
    start = time.perf_counter()
    read = {variant: reading(found) for variant, found in made.items()}
    numbers = summarise(read, METRICS, TAGS, "made")
    summarised = time.perf_counter()
    verdicts = judge("made", gate_file(), METRICS, read, expected_cases=len(made[CANDIDATE]), slices=values)
    return {
        "summarise": summarised - start,
        "judge": time.perf_counter() - summarised,
        "estimates": len(numbers.metrics) + len(numbers.comparisons),
        "verdicts": len(verdicts),
        "undecided": sum(v.outcome == "inconclusive" for v in verdicts),
    }


def peak_gb() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--clusters", type=int, default=5_000)
    parser.add_argument("--slices", type=int, default=20)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    args = parser.parse_args()
    made = records(args.records // 2, args.clusters, args.slices)
    before = peak_gb()
    if args.profile:
        import cProfile
        import pstats

        profile = cProfile.Profile()
        found = profile.runcall(conclude, made, args.slices)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    else:
        found = conclude(made, args.slices)
    env = environment()
    print(f"{args.records:,} records, {args.clusters:,} clusters, {args.slices} slices; {env['processor']}, one core")
    print(
        f"estimates and comparisons {found['estimates']:,}, verdicts {found['verdicts']} "
        f"({found['undecided']} undecided)"
    )
    print(f"summarise {found['summarise']:.2f} s, judge {found['judge']:.2f} s", end=", ")
    print(f"together {found['summarise'] + found['judge']:.2f} s")
    print(f"peak memory {peak_gb():.2f} GB, of which the records {before:.2f} GB")


if __name__ == "__main__":
    main()
