"""What moved, in words: cases, prompt, scorers and bars, since the accepted baseline and against another copy."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from msgspec.structs import replace

from harness.baseline.accept import accept
from harness.baseline.compare import baseline_path, compare_with_baselines
from harness.baseline.drift import cases_moved, gate_changes, gates_eased, gates_moved
from harness.baseline.format import encode, load_accepted, sealed
from harness.gates.config import load_suite_gates
from harness.gates.judge import unjudged
from harness.runs.folder import RunData
from harness.schema import ACCEPTED, Gate, GateFile, Objective, Verdict
from tests.support.accepted_suite import CASES, GATES, NEW, OLD, SAID, TEST, write
from tests.support.mini import evaluate, right, rows, suites

SINCE = "legal/mini, since the accepted baseline of 2026-01-02"


def by_rule(run: RunData) -> dict[str, tuple[str, str]]:
    return {v.rule: (v.outcome, v.reason) for v in run.verdicts}


def edited(cases: list[dict[str, Any]], **changes: dict[str, Any]) -> list[dict[str, Any]]:
    return [case | changes.get(str(case["id"]), {}) for case in cases]


CHANGED = {
    "3 added": (rows(63), "3 cases were added (c60, c61, c62)"),
    "1 removed": (CASES[:-1], "1 case was removed (c59)"),
    "a right answer": (
        edited(CASES, c3={"expected": []}, c4={"cluster": "other"}),
        "2 cases were changed in the expected answer, cluster or tags (c3, c4)",
    ),
    "a swapped file": (
        [{**case, "id": other["id"]} for case, other in zip(CASES, reversed(CASES), strict=True)],
        "60 cases were changed in the input (c59, c58, c57, c56, c55 and 55 more)",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", CHANGED)
def test_changed_cases_are_named_and_nothing_is_compared(root: Path, how: str) -> None:
    cases, said = CHANGED[how]
    write(root, cases=cases)
    made = evaluate(root, right(cases), ACCEPTED)
    assert made.manifest.moved == [f"{SINCE}: {said}"]
    found = by_rule(made)
    assert found["improves"] == ("error", f"Not comparable with the accepted baseline: {said}.")
    assert {rule: outcome for rule, (outcome, _) in found.items()} == {
        "at_least": "pass",
        "improves": "error",
        "no_worse": "error",
        "reduces": "error",
    }
    assert "baseline" not in {r.variant for r in made.records} and made.metrics.comparisons == []


def test_a_changed_scorer_is_named_and_nothing_is_compared(root: Path) -> None:
    write(root, test=TEST.replace("% 7) / 7", "% 5) / 5").replace('"as is"]', '"as is", "lien"]'))
    made = evaluate(root, right(CASES), ACCEPTED)
    assert made.manifest.moved == [f"{SINCE}: scorer clauses changed", f"{SINCE}: scorer likeness changed"]
    reason = "Not comparable with the accepted baseline: scorer clauses changed; scorer likeness changed."
    assert by_rule(made)["no_worse"] == ("error", reason)


def test_a_changed_prompt_is_named_and_nothing_is_compared(root: Path) -> None:
    (root / "evalsuites" / "legal" / "mini" / "prompt.jinja").write_text("Say none. {{ document }}")
    made = evaluate(root, right(CASES), ACCEPTED)
    said = "the prompt changed (its template, or the suite's max_tokens, temperature or options)"
    assert made.manifest.moved == [f"{SINCE}: {said}"]
    assert by_rule(made)["improves"][0] == "error"


def test_other_token_ids_from_the_same_prompt_are_named_and_nothing_is_compared(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.suites.prompts import PlainRenderer

    plain = PlainRenderer.prompt
    monkeypatch.setattr(PlainRenderer, "prompt", lambda self, chat, h="": plain(self, [*chat, *chat], h))
    made = evaluate(root, right(CASES), ACCEPTED)
    assert made.manifest.moved == [f"{SINCE}: 60 prompts have other token ids (the tokenizer or chat template changed)"]
    assert by_rule(made)["improves"][0] == "error"


@pytest.mark.parametrize(("accepted", "now", "whose"), [("", "t", "accepted"), ("t", "", "tuned")])
def test_answers_of_a_log_have_no_prompts_to_compare(root: Path, accepted: str, now: str, whose: str) -> None:
    """A log's and a script's answers have no tokenizer; a model's have."""
    (suite,), made = suites(root), load_accepted(root / "evalsuites/legal/mini/baseline.json", "legal/mini")
    assert made is not None
    model = structs.replace(made.model, tokenizer_digest=accepted)
    baseline_path(suite, None).write_bytes(encode(sealed(structs.replace(made, model=model))))
    gates = {suite.name: load_suite_gates(suite, None)}
    found = compare_with_baselines([suite], gates, ACCEPTED, None, {suite.name: {"c1": "another"}}, now)
    said = f"the {whose} model's answers came from a log or a script, so its prompts are not known"
    assert found.infos[suite.name].unlike == [said]


def test_a_lowered_bar_is_said_and_the_gates_are_judged(root: Path) -> None:
    write(root, gates=GATES.replace("value = 0.2", "value = 0.1").replace("margin = 0.05", "margin = 0.2"))
    made = evaluate(root, right(CASES), ACCEPTED)
    assert made.manifest.moved == [
        f"{SINCE}, gates.toml: clause recall, at least: threshold 0.2 -> 0.1, which is easier to meet",
        f"{SINCE}, gates.toml: clause macro F1, no worse: margin 0.05 -> 0.2, which is easier to meet",
    ]
    assert {v.outcome for v in made.verdicts} <= {"pass", "inconclusive"}
    assert len(made.metrics.comparisons) > 0


@pytest.fixture
def bars(root: Path) -> Path:
    shutil.copytree(root / "evalsuites", root / "bars")
    return root / "bars"


def test_the_bars_of_another_copy_decide_and_the_lowered_one_is_said(root: Path, bars: Path) -> None:
    write(root, gates=GATES.replace("value = 0.2", "value = 0.01"))
    made = evaluate(root, right(CASES), bars=bars)
    assert made.manifest.moved == [
        "legal/mini/gates.toml: clause recall, at least: threshold 0.2 -> 0.01, which is easier to meet; "
        f"{bars} decides"
    ]
    assert made.verdicts[0].bar == "at least 20.0%"


def test_the_same_files_move_nothing(root: Path, bars: Path) -> None:
    assert evaluate(root, right(CASES), ACCEPTED, bars=bars).manifest.moved == []


def test_a_swapped_case_file_test_and_module_are_said(root: Path, bars: Path) -> None:
    fewer = [c for c in CASES if c["id"] != "c7"]
    write(root, cases=fewer, test=TEST + "\n# changed\n")
    (root / "evalsuites" / "legal" / "mini" / "prompt.jinja").write_text("Say none. {{ document }}")
    (root / "evalsuites" / "conftest.py").write_text("")
    (bars / "legal" / "shared.py").write_text("")
    made = evaluate(root, right(fewer), bars=bars)
    assert made.manifest.moved == [
        f"conftest.py is new, compared with {bars}",
        f"legal/mini/cases.jsonl differs from {bars}: 1 case was removed (c7)",
        f"legal/mini/prompt.jinja differs from {bars}",
        f"legal/mini/test_mini.py differs from {bars}",
        f"legal/shared.py is missing, compared with {bars}",
    ]


def test_a_folder_of_bars_alone_says_nothing_of_other_files(root: Path, bars: Path) -> None:
    bar = (bars / "legal" / "mini" / "gates.toml").read_bytes()
    shutil.rmtree(bars / "legal" / "mini")
    (bars / "legal" / "mini").mkdir()
    (bars / "legal" / "mini" / "gates.toml").write_bytes(bar)
    assert evaluate(root, right(CASES), ACCEPTED, bars=bars).manifest.moved == []


@pytest.mark.slow
def test_the_accepted_baseline_of_the_other_copy_decides(root: Path, bars: Path) -> None:
    """A change cannot bring the baseline that it is compared with."""
    accept(evaluate(root, dict.fromkeys(right(CASES), "holdover")).path, suites(root), SAID)
    made = evaluate(root, NEW, ACCEPTED, bars=bars)
    assert made.manifest.moved == [f"legal/mini/baseline.json is not the one in {bars}, which decides"]
    assert made.verdicts == evaluate(root, NEW, OLD).verdicts
    (bars / "legal" / "mini" / "baseline.json").unlink()
    made = evaluate(root, NEW, ACCEPTED, bars=bars)
    assert by_rule(made)["improves"][0] == "skipped"
    assert made.manifest.moved == [f"legal/mini/baseline.json is not the one in {bars}, which decides"]


@pytest.mark.parametrize("kept", [("gates.toml", "baseline.json"), ("gates.toml", "suite_mini.py")])
def test_a_baseline_decides_without_a_suite_and_a_suite_of_any_name_without_a_baseline(
    root: Path, bars: Path, kept: tuple[str, ...]
) -> None:
    """pytest may be set to other names than test_*.py; the change's own baseline decides in neither copy."""
    copy, (suite,) = bars / "legal" / "mini", suites(root)
    (copy / "test_mini.py").rename(copy / "suite_mini.py")
    for path in copy.iterdir():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (suite.folder / "baseline.json").write_text("another")
    assert baseline_path(suite, bars) == copy / "baseline.json"
    said = f"legal/mini/baseline.json is not the one in {bars}, which decides"
    assert said in gate_changes(suite, bars, with_baseline=True)


RECALL = Gate(metric="recall", rule="at_least", value=0.95)


@pytest.mark.parametrize(("before", "now", "said"), [
    ([RECALL], [RECALL], []),
    ([RECALL], [Gate(metric="recall", rule="at_least", value=0.99)],
     ["recall, at least: threshold 0.95 -> 0.99, which is harder to meet"]),
    ([Gate(metric="x", rule="at_most", value=0.1)], [Gate(metric="x", rule="at_most", value=0.2)],
     ["x, at most: threshold 0.1 -> 0.2, which is easier to meet"]),
    ([Gate(metric="x", rule="reduces", ratio=0.75)], [Gate(metric="x", rule="reduces", ratio=1.0)],
     ["x, reduces: ratio 0.75 -> 1, which is easier to meet"]),
    ([Gate(metric="x", rule="never", n_min=300)], [Gate(metric="x", rule="never", n_min=30)],
     ["x, never: fewest cases 300 -> 30, which is easier to meet"]),
    ([Gate(metric="x", rule="improves", margin=0.2)], [Gate(metric="x", rule="improves", margin=0.2, unit="relative")],
     ["x, improves: unit points -> relative"]),
    ([Gate(metric="x", rule="improves", margin=0.2)], [Gate(metric="x", rule="improves", margin=0.1)],
     ["x, improves: margin 0.2 -> 0.1, which is easier to meet"]),
    ([RECALL, Gate(metric="x", rule="improves")], [RECALL], ["x, improves was removed"]),
    ([RECALL], [RECALL, Gate(metric="x", rule="improves", slice="kind", values=["a", "b"])],
     ["x, kind a or b, improves was added"]),
])  # fmt: skip
def test_bars_are_compared_as_data(before: list[Gate], now: list[Gate], said: list[str]) -> None:
    assert gates_moved(before, now) == said


def test_gates_that_ask_for_less_are_named_by_two_runs_verdicts() -> None:
    def verdicts(*gates: Gate) -> list[Verdict]:
        kinds = {"kind": ["a", "b"]}
        return unjudged("legal/x", GateFile(objective=Objective(text="x"), gate=list(gates)), kinds, "")

    x = Gate(metric="x", rule="at_least", value=0.9, slice="kind")
    never = Gate(metric="y", rule="never", n_min=300)
    before = verdicts(RECALL, x, never)
    assert gates_eased(before, before) == []
    harder = verdicts(replace(RECALL, value=0.99), x, never, Gate(metric="z", rule="improves"))
    assert gates_eased(before, harder) == []
    easier = verdicts(RECALL, replace(x, value=0.8, values=["a"]), replace(never, n_min=30))
    assert gates_eased(before, easier) == [
        "x, kind a, at least: threshold 0.9 -> 0.8, which is easier to meet",
        "x, kind b, at least was removed",
        "y, never: none in at least 300 cases -> none in at least 30 cases",
    ]


def test_several_kinds_of_change_make_one_sentence() -> None:
    before = {"a": ("1", "i"), "b": ("2", "i"), "c": ("3", "i")}
    now = {"b": ("2x", "ix"), "c": ("3", "i"), "d": ("4", "i")}
    said = "1 case was added (d); 1 case was removed (a); 1 case was changed in the input (b)"
    assert cases_moved(before, now) == said
