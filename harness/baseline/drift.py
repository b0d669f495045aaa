"""Says what moved: cases, prompt, scorers and bars against an accepted baseline or another copy of the suite.

Every finding is a sentence for a reader. Knows no run, no record and no verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.baseline.format import BASELINE_FILE, Accepted, short
from harness.errors import UserError
from harness.files import digest
from harness.formatting import first_few
from harness.gates.config import gates_path, load_gates
from harness.gates.rules import GATE_RULES
from harness.schema import Case, Gate
from harness.suites.cases import case_hash, load_cases
from harness.suites.suite import Suite

MOST_NAMED = 5
"""Cases that one sentence names."""
NOT_JUDGED_BY = ("README.md", BASELINE_FILE)
"""Files of a suite that change no number; the accepted baseline is spoken of by itself."""


def describe_differences(found: Accepted, suite: Suite) -> list[str]:
    """What in cases, prompt and scorers is not what the baseline was accepted with."""
    said = []
    if found.cases_hash != suite.cases_hash:
        before = {name: (kept.case_hash, kept.input_hash) for name, kept in found.cases.items()}
        said.append(cases_moved(before, _hashes(suite.cases)))
    if found.prompt_hash != suite.prompt_hash:
        said.append("the prompt changed (its template, or the suite's max_tokens, temperature or options)")
    if found.scorers_hash != suite.scorers_hash:
        said += scorers_moved(found.scorers, suite.scorer_versions)
    return said


def _hashes(cases: Iterable[Case]) -> dict[str, tuple[str, str]]:
    """Of each case the hash of the whole, and of its input."""
    return {case.id: (short(case_hash(case)), short(digest(case.input))) for case in cases}


def cases_moved(before: Mapping[str, tuple[str, str]], now: Mapping[str, tuple[str, str]]) -> str:
    """`3 cases were added (a, b, c); 1 case changed in its input (d)`; the hashes are of case and input."""
    both = [name for name in now if name in before and now[name][0] != before[name][0]]
    kinds = {
        "added": [name for name in now if name not in before],
        "removed": [name for name in before if name not in now],
        "changed in the input": [name for name in both if now[name][1] != before[name][1]],
        "changed in the expected answer, cluster or tags": [n for n in both if now[n][1] == before[n][1]],
    }
    parts = [f"{_cases(len(names))} {kind} ({first_few(names, MOST_NAMED)})" for kind, names in kinds.items() if names]
    return "; ".join(parts) or "the cases changed"


def _cases(n: int) -> str:
    return "1 case was" if n == 1 else f"{n} cases were"


def scorers_moved(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One sentence a scorer; both map scorers to versions."""
    said = [f"scorer {name} changed" for name in now if name in before and now[name] != before[name]]
    said += [f"scorer {name} was added" for name in now if name not in before]
    said += [f"scorer {name} was removed" for name in before if name not in now]
    return said or ["the order of the scorers changed"]


def gates_moved(before: Sequence[Gate], now: Sequence[Gate]) -> list[str]:
    """One sentence a bar that is not the same: `clause_recall at_least: value 0.95 -> 0.9, which is easier to meet`."""
    left, right = [g for g in before if g not in now], [g for g in now if g not in before]
    said = []
    for old in list(left):
        new = next((g for g in right if _bar(g) == _bar(old)), None)
        if new is not None:
            left.remove(old)
            right.remove(new)
            said.append(f"{_bar(old)}: {', '.join(_numbers(old, new))}")
    said += [f"{_bar(gate)} was removed" for gate in left]
    return said + [f"{_bar(gate)} was added" for gate in right]


def _bar(gate: Gate) -> str:
    """A gate without its numbers."""
    values = f"={'/'.join(gate.values)}" if gate.values else ""
    return f"{gate.metric} {gate.rule}" + (f" [{gate.slice}{values}]" if gate.slice else "")


def _numbers(old: Gate, new: Gate) -> Iterator[str]:
    """Every key of a bar that differs, with both numbers and whether the new one asks for less."""
    for key in ("value", "margin", "ratio", "n_min"):
        was, now = getattr(old, key), getattr(new, key)
        if was is None or now is None or was == now:
            continue
        lower_is_easier = key == "n_min" or GATE_RULES[old.rule].lower_is_easier
        word = "easier" if (now < was) == lower_is_easier else "harder"
        yield f"{key} {was:g} -> {now:g}, which is {word} to meet"
    if old.unit != new.unit:
        yield f"unit {old.unit} -> {new.unit}"


def gate_changes(suite: Suite, bars: Path, with_baseline: bool) -> list[str]:
    """What the suite's own folder says otherwise than its twin below `bars`, which decides.

    Bars are compared always; the files that make cases, prompt and scores only where the twin is a whole suite. A
    UserError where the suite's own gates.toml cannot be read.
    """
    twin = bars / suite.name
    before, now = load_gates(gates_path(suite, bars)).gate, load_gates(suite.gates_path).gate
    name = f"{suite.name}/{suite.gates_path.name}"
    said = [f"{name}: {text}; {bars} decides" for text in gates_moved(before, now)]
    if not is_complete_suite(twin):
        return said
    if with_baseline and _bytes(twin / BASELINE_FILE) != _bytes(suite.folder / BASELINE_FILE):
        said.append(f"{suite.name}/{BASELINE_FILE} is not the one in {bars}, which decides")
    return said + files_moved(suite, bars)


def is_complete_suite(twin: Path) -> bool:
    """The folder holds a suite, not only its bars."""
    return any(twin.glob("test_*.py"))


def files_moved(suite: Suite, bars: Path) -> list[str]:
    """Files of the suite, and modules above it that it may use, that are not the same in `bars`."""
    own, twin = _files(suite.folder.parents[1], suite), _files(bars, suite)
    said = []
    for name in sorted(own.keys() | twin.keys()):
        mine, theirs = own.get(name), twin.get(name)
        if mine is None or theirs is None:
            said.append(f"{name} {'is gone' if mine is None else 'is new'} against {bars}")
        elif mine.read_bytes() != theirs.read_bytes():
            said.append(f"{name} differs from {bars}{_which(mine, theirs)}")
    return said


def _files(root: Path, suite: Suite) -> dict[str, Path]:
    folder = root / suite.name
    found = [*root.glob("*.py"), *folder.parent.glob("*.py"), *folder.rglob("*")]
    left_out = {*NOT_JUDGED_BY, suite.gates_path.name}
    return {
        str(path.relative_to(root)): path
        for path in found
        if path.is_file() and path.suffix != ".pyc" and path.name[0] != "." and path.name not in left_out
    }


def _which(mine: Path, theirs: Path) -> str:
    """Which cases differ, where the files hold cases."""
    if mine.suffix != ".jsonl":
        return ""
    try:
        before, now = _hashes(load_cases(theirs)), _hashes(load_cases(mine))
    except UserError:
        return ""
    return "" if before == now else f": {cases_moved(before, now)}"


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
