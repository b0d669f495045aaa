"""Memory and time of a whole `tunegate compare` as the number of cases grows, without any model.

    python benchmarks/compare_scale.py [--cases 10000 100000 1000000] [--characters 600] [--dir FOLDER]

Each size is one process of its own: a suite of so many cases, two variants, the fake engine (its replies follow from
the token ids), the answer cache, two scorers, six gates with slices, a sealed run folder. A sampler reads the memory of
the process ten times a second, until all is answered and to the end, and the size of the files without a name that it
has open in TMPDIR. The suite's files are made first, which is not timed. Time is given as CPU time, too, which other
work on the machine does not stretch. A case of 600 characters needs about 10 kB of disk in all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TEST = '''"""Scale."""
import re

from harness import Suite
from harness.schema import Metric, Score
from harness.scoring import citations
from harness.scoring.base import scorer

METRICS = [
    Metric(name="accuracy", scorer="luck", numerator="right"),
    Metric(name="recall", scorer="luck", numerator="found", denominator="wanted"),
    Metric(name="invention", scorer="luck", numerator="invented", denominator="claims", higher_is_better=False),
]


@scorer(metrics=METRICS, name="luck")
def luck(case, completion):
    """Counts that follow from the last digits of a reply, as if it had been read."""
    digits = [int(digit, 16) for digit in re.findall("[0-9a-f]", completion.text)[-5:]]
    easy = 4 + sum(map(ord, case.cluster)) % 8
    counts = {"right": int(digits[0] < easy), "wanted": 3, "found": sum(d < easy for d in digits[1:4]),
              "claims": 4, "invented": int(digits[4] == 0)}
    return Score(name="luck", value=float(counts["right"]), counts=counts)


suite = Suite(scorers=[luck, citations.fabricated], slices=["instrument"], max_tokens=8)


@suite.case
def test_is_right(record):
    assert record.scores.luck.right
'''
GATES = """[objective]
text = "Measure the harness."

[[gate]]
metric = "accuracy"
rule = "at_least"
value = 0.3
slice = "instrument"

[[gate]]
metric = "accuracy"
rule = "no_worse"
margin = 0.02

[[gate]]
metric = "recall"
rule = "improves"

[[gate]]
metric = "invention"
rule = "reduces"
ratio = 0.9
"""
FILLER = "Tenant shall keep the premises in good order and shall leave them so when the term of this lease ends. "


def write(root: Path, cases: int, characters: int) -> Path:
    """A suite of `cases` cases, four to a contract."""
    folder = root / "bench" / "scale"
    folder.mkdir(parents=True)
    (folder / "test_scale.py").write_text(TEST)
    (folder / "gates.toml").write_text(GATES)
    (folder / "prompt.jinja").write_text("Which clauses does this hold? {{ document }}")
    filler = FILLER * (characters // len(FILLER) + 1)
    with (folder / "cases.jsonl").open("w") as file:
        for i in range(cases):
            text = f"Tenant {i} shall pay ${1000 + i:,} under O.C.G.A. section 44-7-{i % 90 + 1}. {filler}"[:characters]
            row = {
                "id": f"case-{i}",
                "input": {"document": text},
                "expected": ["holdover"],
                "cluster": f"contract-{i // 4}",
                "tags": {"instrument": ["lease", "deed", "sale"][i // 4 % 3]},
            }
            file.write(json.dumps(row) + "\n")
    return folder


class Sampler(threading.Thread):
    """Reads a process's resident memory, and the size of its files without a name, until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.seen = Path(f"/proc/{pid}"), list[tuple[float, int]]()
        self.unnamed = 0

    def run(self) -> None:
        while True:
            try:
                lines = (self.process / "status").read_text().splitlines()
                files = [file for file in (self.process / "fd").iterdir() if str(file.readlink()).endswith("(deleted)")]
                self.unnamed = max(self.unnamed, sum(file.stat().st_size for file in files))
            except FileNotFoundError:
                if not self.process.exists():
                    return
                continue  # A file was closed in the meantime.
            except (OSError, ProcessLookupError):
                return
            found = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
            if not found:
                return
            self.seen.append((time.monotonic(), found[0]))
            time.sleep(0.1)


def measure(root: Path, cases: int, characters: int) -> dict[str, Any]:
    """One comparison in a process of its own."""
    with tempfile.TemporaryDirectory(dir=root) as name:
        home = Path(name)
        folder = write(home, cases, characters)
        command = [sys.executable, "-m", "tunegate.cli.main", "compare", "old", "new", "--suite", str(folder)]
        command += ["--engine", "fake", "--runs", str(home / "runs")]
        environment = os.environ | {"TUNEGATE_CACHE": str(home / "cache"), "TMPDIR": str(home)}
        environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
        start = time.monotonic()
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        sampler = Sampler(process.pid)
        sampler.start()
        assert process.stdout is not None
        said: list[tuple[float, str]] = [(time.monotonic(), line.rstrip()) for line in process.stdout]
        _, status, usage = os.wait4(process.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        if code not in (0, 1):
            raise SystemExit("\n".join(line for _, line in said[-20:]))
        size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
        verdicts = json.loads(next((home / "runs").glob("*/verdicts.json")).read_bytes())
    answered = max(when for when, line in said if line.startswith("answers ("))
    return {
        "cases": cases,
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "answering": answered - start,
        "peak_answering": max(size for when, size in sampler.seen if when <= answered) * 1024,
        "peak": max(size for _, size in sampler.seen) * 1024,
        "disk": size,
        "unnamed": sampler.unnamed,
        "verdicts": [verdict["outcome"] for verdict in verdicts],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--characters", type=int, default=600, help="of each case's document")
    parser.add_argument("--dir", type=Path, default=Path(tempfile.gettempdir()), help="where files are made")
    args = parser.parse_args()
    print(
        "| cases | s | CPU s | CPU ms a case | until answered, s | MB until answered | MB to the end | bytes a case |"
        " disk, GB | TMPDIR, GB | gates |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    )
    before: dict[str, Any] | None = None
    for cases in args.cases:
        found = measure(args.dir, cases, args.characters)
        more = f"{(found['peak'] - before['peak']) / (cases - before['cases']):,.0f}" if before else "-"
        print(
            f"| {cases:,} | {found['wall']:.0f} | {found['cpu']:.0f} | {1000 * found['cpu'] / cases:.2f} | "
            f"{found['answering']:.0f} | {found['peak_answering'] / 1e6:,.0f} | {found['peak'] / 1e6:,.0f} | {more} | "
            f"{found['disk'] / 1e9:.2f} | {found['unnamed'] / 1e9:.2f} | {len(found['verdicts'])} |",
            flush=True,
        )
        before = found


if __name__ == "__main__":
    main()
