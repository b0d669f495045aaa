"""The page on what the terminal shows: transcripts of commands on a small suite with scripted answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.documented import page

LEASES, COLUMNS = 20, 80
CLAUSES = {
    "holdover": "A tenant of {name} who stays past the last day owes one and a half times the rent.",
    "assignment": "No tenant of {name} may hand this lease to another person without written consent.",
    "as is": "The tenant takes the premises at {name} in their present state and asks for no repairs first.",
    "late fee": "Rent for {name} that arrives after the fifth of the month costs 40 dollars more.",
    "entry": "The owner of {name} may come in to inspect after one day's notice.",
    "none": "The premises at {name} are on the second floor and face the garden.",
}
"""The paragraph of each clause type."""
TEST = '''"""Clauses are found in paragraphs of leases."""

from harness import Suite
from harness.scoring.legal import clauses

suite = Suite(scorers=[clauses.among({names})], cluster="lease", max_tokens=16)


@suite.case
def test_finds_the_clause(record):
    assert record.scores.clauses.missing == []
'''
GATES = """[objective]
text = "Find the clauses of a lease."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.9

[[gate]]
metric = "clause_recall"
rule = "improves"

[[gate]]
metric = "false_alarm_rate"
rule = "at_most"
value = 0.05
"""
FAKE = ("--engine", "fake", "--script", "answers.json")
COMMANDS = (
    ("Commands", ("tunegate", "--help")),
    ("Evaluate one model", ("tunegate", "eval", "smollm2-135m-instruct", *FAKE)),
    ("Compare two models", ("tunegate", "compare", "smollm2-135m-instruct", "runs/adapter", *FAKE)),
    (
        "A failing pytest run",
        ("pytest", "evalsuites", "--checkpoint", "runs/adapter", *FAKE[:2], "--eval-script", FAKE[3]),
    ),
    ("Cases that gates need", ("tunegate", "power")),
)
PROGRAMS = {"tunegate": ("-P", "-m", "tunegate.cli.main"), "pytest": ("-P", "-m", "pytest")}


def text() -> str:
    """The page, from the commands as they are now. Times, run names and folders are always the same."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write_project(root)
        blocks = [block for title, words in COMMANDS for block in (f"## {title}", _transcript(root, words))]
    return page(
        "What the terminal shows",
        f"Commands in a terminal of {COLUMNS} columns, on {len(CLAUSES) * LEASES} paragraphs of {LEASES} leases. The "
        "answers are scripted, and no model runs. `-v` shows more, and `-rm` every miss or wrong answer.",
        *blocks,
    )


def write_project(root: Path) -> None:
    """Write the suite and the answers of both models: the baseline misses most clauses, the tuned model a few."""
    suite = root / "evalsuites" / "leases" / "clauses"
    suite.mkdir(parents=True)
    names = [name for name in CLAUSES if name != "none"]
    (suite / "test_clauses.py").write_text(TEST.format(names=names))
    (suite / "prompt.jinja").write_text(f"Which of these clauses are here: {', '.join(names)}?\n\n{{{{ document }}}}")
    (suite / "gates.toml").write_text(GATES)
    (root / "pyproject.toml").write_text("")
    lines, answers = [], {"baseline": {}, "tuned": {}}
    for number in range(LEASES * len(CLAUSES)):
        lease, name = number // len(CLAUSES) + 1, list(CLAUSES)[number % len(CLAUSES)]
        case_id, expected = f"lease-{lease:02d}-{name.replace(' ', '-')}", [] if name == "none" else [name]
        document = CLAUSES[name].format(name=f"{10 + lease} Elm Street")
        case = {"id": case_id, "input": {"document": document}, "expected": expected, "cluster": f"lease-{lease:02d}"}
        lines.append(json.dumps(case))
        answers["baseline"][case_id] = name if number % 5 < 2 else "none"
        answers["tuned"][case_id] = "entry" if number % 11 == 3 else name
    (suite / "cases.jsonl").write_text("\n".join(lines))
    (root / "answers.json").write_text(json.dumps(answers))


def _transcript(root: Path, words: tuple[str, ...]) -> str:
    home = {"TUNEGATE_CACHE": str(root / "cache"), "COLUMNS": str(COLUMNS), "PYTHONPATH": str(Path.cwd())}
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        [sys.executable, *PROGRAMS[words[0]], *words[1:]],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, cwd=root, env=kept | home,
    )  # fmt: skip
    shown = "\n".join(line.rstrip() for line in _steady(done.stdout, root).splitlines())
    return f"`{' '.join(words)}`\n\n```text\n{shown}\n```"


def _steady(printed: str, root: Path) -> str:
    """Replace what differs between runs and machines: times, names of runs, folders, versions."""
    for pattern, steady in (
        (re.escape(str(root)), "/home/me/project"),
        (r"\d{8}T\d{6}Z-(\w+)-[0-9a-f]{8}", r"20260102T030405Z-\1-0123abcd"),
        (r"\b\d+(\.\d+)?( ?)(ms|s)\b", r"1\2\3"),
        (r"platform .*", "platform linux -- Python 3.11, pytest-9, pluggy-1"),
        (r"plugins: .*", "plugins: tunegate"),
        (r"[\d,]+ tokens/s", "50,000 tokens/s"),
    ):
        printed = re.sub(pattern, steady, printed)
    return re.sub(r"=+ (.* in 1s) =+", lambda found: f" {found[1]} ".center(COLUMNS, "="), printed).rstrip()
