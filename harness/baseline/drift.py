"""Describe what changed in cases, prompt, scorers and gates since an accepted baseline, or against another copy.

Every change is a sentence for users.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import structs

from harness.baseline.format import BASELINE_FILE, Accepted, short
from harness.errors import UserError
from harness.files import READABLE, digest, read_bytes, text_sha256
from harness.formatting import first_few, phrase
from harness.gates.config import gate_of, gates_path, load_gates
from harness.gates.rules import GATE_RULES
from harness.schema import Case, Gate, SuiteInfo, Verdict
from harness.suites.cases import case_hash, load_cases
from harness.suites.suite import Suite

MOST_NAMED = 5
"""Cases that one sentence names."""
NOT_JUDGED_BY = ("README.md", BASELINE_FILE)
"""Files of a suite that change no number; the accepted baseline has its own sentence."""


def describe_differences(accepted: Accepted, suite: Suite) -> list[str]:
    """Describe how cases, prompt and scorers differ from those that the baseline was accepted with."""
    changes = []
    if accepted.cases_hash != suite.cases_hash:
        before = {name: (case.case_hash, case.input_hash) for name, case in accepted.cases.items()}
        changes.append(cases_moved(before, _hashes(suite.cases)))
    if accepted.prompt_hash != suite.prompt_hash:
        changes.append("the prompt changed (its template, or the suite's max_tokens, temperature or options)")
    if accepted.scorers_hash != suite.scorers_hash:
        changes += scorers_moved(accepted.scorers, suite.scorer_versions)
    return changes


def parts_changed(info: SuiteInfo, suite: Suite, scorers_hash: str | None = None) -> list[str]:
    """Name the parts of a suite that changed since a run: cases, prompt, scorers, and whether it leaves cases out.

    `scorers_hash` is of the scorers that scored the run again, where some did.
    """
    pairs = {
        "cases": (info.cases_hash, suite.cases_hash),
        "prompt": (info.prompt_hash, suite.prompt_hash),
        "scorers": (scorers_hash or info.scorers_hash, suite.scorers_hash),
        "leave_out_long": (bool(info.left_out), bool(info.left_out) and suite.leave_out_long),
    }
    return [part for part, (then, now) in pairs.items() if then != now]


def gates_changed(info: SuiteInfo, suite: Suite, bars: Path | None = None) -> bool:
    """Whether the suite's gates.toml, or its copy below `bars`, changed since a run."""
    return info.gates_hash != text_sha256(gates_path(suite, bars))


def _hashes(cases: Iterable[Case]) -> dict[str, tuple[str, str]]:
    """Return the hashes of each case and of its input, by id."""
    return {case.id: (short(case_hash(case)), short(digest(case.input))) for case in cases}


def cases_moved(before: Mapping[str, tuple[str, str]], now: Mapping[str, tuple[str, str]]) -> str:
    """Describe changed cases: `3 cases were added (a, b, c)`. The hashes are of case and input, by id."""
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
    """Return one sentence per changed scorer; both map scorers to versions."""
    changes = [f"scorer {name} changed" for name in now if name in before and now[name] != before[name]]
    changes += [f"scorer {name} was added" for name in now if name not in before]
    changes += [f"scorer {name} was removed" for name in before if name not in now]
    return changes or ["the order of the scorers, or a file that they use, changed"]


def gates_moved(before: Sequence[Gate], now: Sequence[Gate]) -> list[str]:
    """Return one sentence per changed gate: `recall, at least: threshold 0.95 -> 0.9, which is easier to meet`."""
    left, right = [g for g in before if g not in now], [g for g in now if g not in before]
    changes = []
    for old in list(left):
        new = next((g for g in right if _gate_name(g) == _gate_name(old)), None)
        if new is not None:
            left.remove(old)
            right.remove(new)
            changes.append(f"{_gate_name(old)}: {', '.join(_numbers(old, new))}")
    changes += [f"{_gate_name(gate)} was removed" for gate in left]
    return changes + [f"{_gate_name(gate)} was added" for gate in right]


def gates_eased(before: Sequence[Verdict], now: Sequence[Verdict]) -> list[str]:
    """Return a sentence per gate that was removed or asks for less, or for fewer cases, by two runs' verdicts."""
    then, since = ([_sliced_gate_of(verdict) for verdict in verdicts] for verdicts in (before, now))
    moved = gates_moved(then, since)
    bars = {(verdict.gate, verdict.slice_value): verdict.bar for verdict in now}
    other = [(v, bars[key]) for v in before if bars.get(key := (v.gate, v.slice_value), v.bar) != v.bar]
    fewer = [f"{_gate_name(_sliced_gate_of(verdict))}: {verdict.bar} -> {bar}" for verdict, bar in other]
    return [text for text in moved if not text.endswith(("which is harder to meet", "was added"))] + fewer


def _sliced_gate_of(verdict: Verdict) -> Gate:
    values = None if verdict.slice_value is None else [verdict.slice_value]
    return structs.replace(gate_of(verdict), slice=verdict.slice, values=values)


def _gate_name(gate: Gate) -> str:
    """Return a gate without its numbers."""
    sliced = f", {phrase(gate.slice)} {phrase(' or '.join(gate.values or ()))}".rstrip() if gate.slice else ""
    return f"{phrase(gate.metric)}{sliced}, {phrase(gate.rule)}"


NUMBERS = {"value": "threshold", "margin": "margin", "ratio": "ratio", "n_min": "fewest cases"}
"""Keys of a gate that are numbers, in words."""


def _numbers(old: Gate, new: Gate) -> Iterator[str]:
    """Yield every key of a gate that differs, with both numbers and whether the new one is easier to meet."""
    for key, name in NUMBERS.items():
        was, now = getattr(old, key), getattr(new, key)
        if was is None or now is None or was == now:
            continue
        lower_is_easier = key == "n_min" or GATE_RULES[old.rule].lower_is_easier
        word = "easier" if (now < was) == lower_is_easier else "harder"
        yield f"{name} {was:g} -> {now:g}, which is {word} to meet"
    if old.unit != new.unit:
        yield f"unit {old.unit} -> {new.unit}"


def threshold_moved(old: Verdict, new: Verdict) -> str:
    """Say how the number differs by which two verdicts judge the same: `threshold 0.6 -> 0.55, which is easier ...`."""
    return ", ".join(_numbers(gate_of(old), gate_of(new)))


def gate_changes(suite: Suite, bars: Path, with_baseline: bool) -> list[str]:
    """Describe how the suite's own folder differs from its copy below `bars`, which decides.

    Gates are always compared; the files of cases, prompt and scorers only where the copy is a complete suite. Raises
    UserError where the suite's own gates.toml cannot be read.
    """
    copy = bars / suite.place
    before, now = load_gates(gates_path(suite, bars)).gate, load_gates(suite.gates_path).gate
    name = f"{suite.place}/{suite.gates_path.name}"
    changes = [f"{name}: {text}; {bars} decides" for text in gates_moved(before, now)]
    own, theirs = suite.folder / BASELINE_FILE, copy / BASELINE_FILE
    if with_baseline and decides_baseline(copy) and _bytes(theirs) != _bytes(own):
        changes.append(f"{suite.place}/{BASELINE_FILE} is not the one in {bars}, which decides")
    return changes + (files_moved(suite, bars) if _is_complete_suite(copy) else [])


def decides_baseline(copy: Path) -> bool:
    """Whether the folder decides on a suite's accepted baseline: it has one, or it is a whole suite without one."""
    return (copy / BASELINE_FILE).exists() or _is_complete_suite(copy)


def _is_complete_suite(copy: Path) -> bool:
    """Whether the folder has a suite, whose file may have any name under pytest, and not only its gates."""
    return any(copy.glob("*.py"))


def files_moved(suite: Suite, bars: Path) -> list[str]:
    """Describe files of the suite, and modules above it that it may use, that differ in `bars`."""
    own, copy = _files(suite.folder.parents[1], suite), _files(bars, suite)
    changes = []
    for name in sorted(own.keys() | copy.keys()):
        mine, theirs = own.get(name), copy.get(name)
        if mine is None or theirs is None:
            changes.append(f"{name} {'is missing' if mine is None else 'is new'}, compared with {bars}")
        elif _bytes(mine) != _bytes(theirs):
            changes.append(f"{name} differs from {bars}{_which(mine, theirs)}")
    return changes


def _files(root: Path, suite: Suite) -> dict[str, Path]:
    folder = root / suite.place
    paths = [*root.glob("*.py"), *folder.parent.glob("*.py"), *folder.rglob("*")]
    left_out = {*NOT_JUDGED_BY, suite.gates_path.name}
    return {
        str(path.relative_to(root)): path
        for path in paths
        if path.is_file() and path.suffix != ".pyc" and path.name[0] != "." and path.name not in left_out
    }


def _which(mine: Path, theirs: Path) -> str:
    """Describe which cases differ, in files of cases."""
    if mine.suffix != ".jsonl":
        return ""
    try:
        before, now = _hashes(load_cases(theirs)), _hashes(load_cases(mine))
    except UserError:
        return ""
    return "" if before == now else f": {cases_moved(before, now)}"


def _bytes(path: Path) -> bytes | None:
    return read_bytes(path, READABLE) if path.is_file() else None
