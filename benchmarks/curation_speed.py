"""Seconds, processor seconds and memory of curating many rows, check by check; whether what was planted is found.

    python benchmarks/curation_speed.py [--rows 100000] [--words 200] [--base smollm2-135m-instruct]

Rows are made from a seed: words of the project's word list, drawn as often as words of that rank are in natural text
(Zipf), with exact copies, near copies (three words in two hundred changed), personal data, typos and cases of the
project's suites planted. Memory is the most that this process and its workers hold at once, sampled ten times a second.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PAGE = os.sysconf("SC_PAGE_SIZE")
SHARE = 0.01
"""Of the rows, for each thing that is planted; suites' cases are a tenth of that."""
EDITS = 3 / 200
PLANTED_PII = ("write to dana.cole@example.org", "IBAN DE89 3704 0044 0532 0130 00", "card 4111 1111 1111 1111")
PLANTED_PII += ("SSN 123-45-6789", "call (404) 555-0142", "from 203.0.113.77")
VOCABULARY = 30_000
SECONDS, GIGABYTES = 120, 4


def make(path: Path, rows: int, words: int, seed: int) -> Counter[str]:
    """Write the rows; returns how many of each kind were planted, by the check that should find them."""
    import numpy as np

    from harness.scoring.brand import spelling
    from harness.suites.discovery import find_suites

    rng = np.random.default_rng(seed)
    known = sorted(word for word in spelling.words() if word.isalpha() and word.isascii() and len(word) > 3)
    common = ["the", "of", "and", "to", "that", "is", "for", "with", "be", "by", "this", "are", "or", "not", "from"]
    listed = np.array(common + [known[i] for i in rng.permutation(len(known))[:VOCABULARY]])
    weights = 1 / np.arange(1, len(listed) + 1)
    weights /= weights.sum()
    cases = [case for suite in find_suites(["evalsuites/legal/clauses"]) for case in suite.cases]
    planted: Counter[str] = Counter()
    plain: list[tuple[str, str]] = []
    several = max(1, round(rows * SHARE))
    kinds = {"exact_duplicates": several, "near_duplicates": several, "pii": several, "typos": several}
    kinds["contamination"] = max(1, several // 10)
    plan = [kind for kind, count in kinds.items() for _ in range(count)]
    plan += ["plain"] * (rows - len(plan))
    for number, kind in enumerate(plan[i] for i in rng.permutation(rows)):
        drawn = listed[rng.choice(len(listed), size=words, p=weights)]
        text, answer = " ".join(drawn.tolist()), "none" if number % 3 else "due on sale"
        if kind in ("exact_duplicates", "near_duplicates"):
            if not plain:
                kind = "plain"
            else:
                text, answer = plain[rng.integers(len(plain))]
        if kind == "exact_duplicates":
            text = text.upper()
        elif kind == "near_duplicates":
            said = text.split()
            for at in rng.choice(len(said), size=max(1, round(EDITS * len(said))), replace=False):
                said[at] = listed[rng.integers(len(listed))]
            text = " ".join(said)
        elif kind == "pii":
            text = f"{text} {PLANTED_PII[number % len(PLANTED_PII)]}"
        elif kind == "typos":
            text = f"{text} tenent{''.join(chr(97 + int(digit)) for digit in str(number))}"
        elif kind == "contamination":
            text = max(cases[rng.integers(len(cases))].input.values(), key=len)
        if kind == "plain":
            plain.append((text, answer))
        else:
            planted[kind] += 1
        _append(path, text, answer)
    return planted


def _append(path: Path, text: str, answer: str) -> None:
    row = {"instruction": "Which clauses are in this text?", "input": text, "output": answer}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


class Memory:
    """The most bytes that this process and its workers held since the last reset."""

    def __init__(self) -> None:
        self.most = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> int:
        """The most since the last time, in bytes."""
        most, self.most = max(self.most, self._now()), 0
        return most

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self._now())
            time.sleep(0.1)

    def _now(self) -> int:
        total = 0
        for pid in [os.getpid(), *(child.pid for child in multiprocessing.active_children())]:
            try:
                total += int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * PAGE
            except (OSError, ValueError):
                continue
        return total


class Mark(NamedTuple):
    """A moment: seconds, processor seconds so far, and the most bytes held since the moment before."""

    wall: float
    processor: float
    peak: int


def processor() -> float:
    """Seconds of processor time of this process and of the workers that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def spent(before: Mark, after: Mark) -> str:
    """Seconds, processor seconds and memory between two moments, in columns."""
    return f"{after.wall - before.wall:9.1f}{after.processor - before.processor:9.1f}{after.peak / 2**30:7.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--base", default="smollm2-135m-instruct", help="model whose tokens are counted; '' counts none"
    )
    args = parser.parse_args()
    from training.curation.check import CheckSettings
    from training.curation.review import review

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        # In a process of its own, so that what making the rows takes is not in the figures.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            planted = pool.apply(make, (path, args.rows, args.words, args.seed))
        print(f"{args.rows:,} rows of {args.words} words, {path.stat().st_size / 2**20:,.0f} MiB", flush=True)
        memory = Memory()
        marks = [Mark(time.perf_counter(), processor(), memory.reset())]

        def mark(_: str = "") -> None:
            marks.append(Mark(time.perf_counter(), processor(), memory.reset()))

        found = review([str(path)], CheckSettings(base=args.base), mark)
        mark()
    print(f"{'check':24}{'seconds':>9}{'CPU s':>9}{'GB':>7}{'rows':>9}{'planted':>9}")
    counts = [("reading", 0), *((result.name, len(result.result.findings)) for result in found.results)]
    for (name, rows), before, after in zip(counts, marks, marks[1:], strict=False):
        print(f"{name:24}{spent(before, after)}{rows or '':>9}{planted.get(name, ''):>9}")
    most = marks[-1]._replace(peak=max(one.peak for one in marks[1:]))
    print(f"{'all':24}{spent(marks[0], most)}   target: {SECONDS} s and {GIGABYTES} GB on 2 cores")


if __name__ == "__main__":
    main()
