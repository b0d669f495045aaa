"""Time, memory and size of a whole report as a run grows, without any model.

    python benchmarks/report_scale.py [--cases 2000 50000] [--words 230] [--characters 2000] [--dir FOLDER]

Each size is one run folder of so many cases with two answers each, made first and not timed: answers of about 230 words
of which the tuned model changes a tenth, documents of 2,000 characters, three metrics, two slices, a fabrication in one
answer of twenty. One case of five gets better or worse. `reports.publish` then runs in a process of its own, started on
the folder: its wall time includes the interpreter, its peak memory is the system's own count of its resident pages.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.runs.folder import RunFolder, load_run
from harness.schema import (
    Case,
    Checkpoint,
    Completion,
    Manifest,
    Metric,
    Record,
    Score,
    Scores,
    Span,
    SuiteInfo,
    Verdict,
)
from harness.stats.summary import summarise

SUITE = "bench/report"
METRICS = [
    Metric(name="recall", scorer="clauses", numerator="found", denominator="wanted"),
    Metric(name="exact", scorer="clauses", numerator="all_found"),
    Metric(name="fabrication_rate", scorer="claims", numerator="made_up", denominator="claims", higher_is_better=False),
]
WORDS = re.findall(
    r"\w+",
    "the tenant shall keep premises in good order landlord may enter after notice of two days rent is due on the first "
    "day of each month and bears interest if late this lease ends when its term expires unless parties renew it by "
    "written consent insurance against fire must be held assignment needs consent which is not withheld without cause",
)
WORKER = """
import sys
from pathlib import Path
import reports
reports.publish([Path(sys.argv[1])], Path(sys.argv[2]))
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""Prints the most resident memory in kB; what getrusage says of a new process may be its parent's."""


def prose(chance: random.Random, words: int) -> list[str]:
    """Words with a full stop now and then."""
    return [word + ("." if chance.random() < 0.07 else "") for word in chance.choices(WORDS, k=words)]


def record(case: Case, variant: str, answer: list[str], found: int, made_up: bool, number: int) -> Record:
    """One answer that finds so many of three clauses, and in which one claim may be made up."""
    text = " ".join(answer)
    start = text.index(answer[3])
    bad = [Span(start=start, end=start + len(answer[3]), quote=answer[3], kind="claim", verdict="invented")]
    scores = Scores(
        clauses=Score(
            name="clauses",
            value=found / 3,
            counts={"found": found, "wanted": 3, "all_found": int(found == 3)},
            extracted={"found": case.expected[:found], "missing": case.expected[found:]},
        ),
        claims=Score(
            name="claims",
            value=float(made_up),
            counts={"made_up": int(made_up), "claims": 4},
            spans=bad if made_up else [],
        ),
    )
    completion = Completion(
        key=f"{variant}-{number}", text=text, finish_reason="stop", prompt_tokens=600, output_tokens=300, latency_ms=9.5
    )
    hashes = {"input_hash": f"i{number:063d}", "prompt_hash": f"p{number:063d}", "expected_hash": f"e{number:063d}"}
    return Record(case=case, variant=variant, completion=completion, scores=scores, **hashes)


def write(folder: Path, cases: int, words: int, characters: int, number_of_run: int = 1) -> None:
    """A sealed run folder; runs of other numbers have the same cases, and other answers of the tuned model."""
    chance, own = random.Random(5), random.Random(number_of_run)
    folder.mkdir(parents=True)
    run = RunFolder(folder)
    digest = "0" * 64
    checkpoints = {
        variant: Checkpoint(name=f"org/{variant}", kind="model", path="/", digest=variant.ljust(64, "0"))
        for variant in ("baseline", "tuned")
    }
    info = SuiteInfo(
        name=SUITE, title="Scale.", shape="excerpt", objective="Measure the report.", cluster="contract", cases=cases,
        asked=cases, hash=digest, cases_hash=digest, prompt_hash=digest, gates_hash=digest, scorers_hash=digest,
        metrics=METRICS, slices=["instrument", "state"],
    )  # fmt: skip
    run.write_manifest(
        Manifest(
            run_id=folder.name,
            kind="eval",
            status="finished",
            started=f"2026-01-{number_of_run:02d}T00:00:00Z",
            checkpoints=checkpoints,
            suites=[info],
        )
    )
    waiting: list[Record] = []
    for number in range(cases):
        document = " ".join(prose(chance, characters // 5))[:characters]
        tags = {"instrument": ["lease", "deed", "sale"][number // 4 % 3], "state": ["GA", "FL"][number // 4 % 2]}
        expected = ["holdover", "insurance", "assignment"]
        case = Case(
            id=f"case-{number}",
            input={"document": document},
            expected=expected,
            cluster=f"contract-{number // 4}",
            tags=tags,
        )
        before = prose(chance, words)
        after = [own.choice(WORDS) if own.random() < 0.1 else word for word in before]
        found = chance.choices((1, 2, 3), (1, 1, 4))[0]
        moved = own.choices((0, 1, -1), (80, 13, 7))[0]
        for variant, answer, hits in (("baseline", before, found), ("tuned", after, min(3, max(0, found + moved)))):
            waiting.append(record(case, variant, answer, hits, own.random() < 0.05, number))
        if len(waiting) >= 2000 or number == cases - 1:
            run.append_records(SUITE, waiting)
            waiting.clear()
    held = load_run(folder)
    run.write_metrics(summarise(held.by_variant(SUITE), METRICS, info.slices, SUITE))
    run.write_verdicts(
        [Verdict(suite=SUITE, gate="recall-improves", metric="recall", rule="improves", outcome="pass", bar="better",
                 reason="made for a benchmark")]
    )  # fmt: skip
    run.seal()


def measure(folder: Path, out: Path) -> tuple[float, float]:
    """Seconds and megabytes of one report in a process of its own."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(folder), str(out)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return time.monotonic() - start, int(done.stdout.split()[-1]) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[2_000, 50_000])
    parser.add_argument("--words", type=int, default=230, help="of each answer")
    parser.add_argument("--characters", type=int, default=2_000, help="of each case's document")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where files are made")
    args = parser.parse_args()
    print("| cases | records | run, MB | s | peak memory, MB | report.html, MB | pages | pages, MB | cases.csv, MB |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for cases in args.cases:
        with tempfile.TemporaryDirectory(dir=args.dir) as name:
            folder, out = Path(name) / "run", Path(name) / "report"
            write(folder, cases, args.words, args.characters)
            seconds, peak = measure(folder, out)
            run = sum(file.stat().st_size for file in folder.iterdir())
            pages = [file.stat().st_size for file in out.glob("cases-*.html")]
            html, table = ((out / file).stat().st_size for file in ("report.html", "cases.csv"))
        print(
            f"| {cases:,} | {2 * cases:,} | {run / 1e6:,.0f} | {seconds:.1f} | {peak:,.0f} | {html / 1e6:.2f} | "
            f"{len(pages)} | {sum(pages) / 1e6:.1f} | {table / 1e6:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
