"""What gates can show before anything is asked: counts from the suite's own scorers, words, and the command."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.gates import power_view
from harness.gates.config import GateId, load_gates
from harness.gates.power import (
    AN_AMOUNT_SAYS,
    AS_EXPECTED,
    ONE_EACH,
    GatePower,
    PowerInputs,
    clusters_enough,
    from_run,
    measured,
    perfect_evidence,
    suite_power,
)
from harness.gates.rules import GATE_RULES
from harness.gates.rules.base import NEEDS_RUN, Assumed, PowerQuestion
from harness.schema import BASELINE, CANDIDATE, Gate, Record
from harness.stats.paired import difference
from harness.stats.power import Design
from harness.stats.power_exact import chance_of_cut, chance_of_level
from harness.suites.discovery import find_suites
from tests.support.command import tunegate
from tests.support.mini import right, rows, write_script, write_suite
from tests.support.scored import ACCURACY, FABRICATION, MACRO_F1, answers, record

GATES = """[objective]
text = "Find the clauses."

[[gate]]
metric = "clause_recall"
rule = "at_least"
value = 0.5

[[gate]]
metric = "clause_exact_set"
rule = "at_least"
value = 0.98
slice = "instrument"

[[gate]]
metric = "clause_precision"
rule = "no_worse"
margin = 0.05

[[gate]]
metric = "clause_exact_set"
rule = "improves"

[[gate]]
metric = "clause_macro_f1"
rule = "at_least"
value = 0.5

[[gate]]
metric = "false_alarm_rate"
rule = "reduces"
ratio = 0.75

[[gate]]
metric = "false_alarm_rate"
rule = "never"
n_min = 20
"""
CLAIMS = '''"""Mini: no answer but a model's own makes a claim."""

from harness import Metric, Score, Suite
from harness.scoring.base import scorer

PRECISE = Metric(name="precise", scorer="claims", numerator="right", denominator="claims")
WORDS = Metric(name="words", scorer="claims", numerator="words", higher_is_better=False, unbounded=True)


@scorer(metrics=[PRECISE, WORDS], name="claims")
def claims(case, completion):
    words = completion.text.split()
    return Score(name="claims", value=0.0, counts={"right": 0, "claims": words.count("therefore"), "words": len(words)})


suite = Suite(scorers=[claims], max_tokens=8)
'''


def one_gate(metric: str, rule: str, keys: str = "") -> str:
    return f'[objective]\ntext = "Right."\n[[gate]]\nmetric = "{metric}"\nrule = "{rule}"\n{keys}\n'


def suite_in(root: Path, **more: object):
    (suite,) = find_suites([str(write_suite(root, **more))])  # type: ignore[arg-type]
    return suite, load_gates(suite.gates_path)


def by_gate(root: Path, assumed: Assumed | None = None, **more: object) -> dict[str, GatePower]:
    return {row.gate: row for row in suite_power(*suite_in(root, **more), assumed or Assumed())}


def asked(metric: str, rule: str, **more: object) -> GateId:
    return GateId(id=f"{metric}-{rule}", gate=Gate(metric=metric, rule=rule, **more))  # type: ignore[arg-type]


def test_a_denominator_that_no_answer_changes_is_known(tmp_path: Path) -> None:
    suite, _ = suite_in(tmp_path)
    foresight, metrics = PowerInputs(suite), {m.name: m for m in suite.metrics}
    recall = foresight.counted(asked("clause_recall", "at_least", value=0.5), metrics["clause_recall"])
    assert (len(recall.cases), recall.assumed, recall.is_share) == (20, "", True)
    alarms = foresight.counted(asked("false_alarm_rate", "at_most", value=0.1), metrics["false_alarm_rate"])
    assert {c.case_id for c in alarms.cases} == {f"c{i}" for i in range(0, 40, 2)}
    precision = foresight.counted(asked("clause_precision", "at_least", value=0.5), metrics["clause_precision"])
    assert (len(precision.cases), precision.assumed) == (20, AS_EXPECTED)
    macro = foresight.counted(asked("clause_macro_f1", "at_least", value=0.5), metrics["clause_macro_f1"])
    assert not macro.is_share
    assert sum(tp for case in macro.cases for tp, _, _ in case.labels.values()) == 20


def test_a_number_of_words_is_no_share_of_right_answers(tmp_path: Path) -> None:
    (found,) = by_gate(tmp_path, test=CLAIMS, gates=one_gate("words", "at_most", "value = 20")).values()
    assert found.says == NEEDS_RUN["says"]


def test_a_limit_that_too_few_answers_without_an_event_show_says_the_bound_and_the_contracts(tmp_path: Path) -> None:
    (found,) = by_gate(tmp_path, test=CLAIMS, gates=one_gate("words", "at_most", "value = 0.2")).values()
    assert not found.can_pass and found.contracts_needed is not None
    assert found.says[0].startswith("without any event in 40 cases the bound is 0.361; it takes about ")
    enough = found.contracts_needed
    assert 5 * (1 - 0.05 ** (1 / (enough + 1))) <= 0.2 < 5 * (1 - 0.05 ** (1 / (enough - 2)))


NEUTRAL = "neutral=True, unbounded=True)"


@pytest.mark.parametrize(
    ("metric", "rule", "keys"),
    [
        ("unbounded=True)", "at_least", "value = 20"),
        (NEUTRAL, "at_least", "value = 20"),
        (NEUTRAL, "at_most", "value = 0.5"),
        (NEUTRAL, "improves", "margin = 3"),
        ("higher_is_better=False, unbounded=True)", "improves", "margin = 3"),
        ("neutral=True)", "at_most", "value = 0.5"),
    ],
)
def test_a_gate_that_some_model_passes_is_not_said_to_be_out_of_reach(
    tmp_path: Path, metric: str, rule: str, keys: str
) -> None:
    test = CLAIMS.replace("higher_is_better=False, unbounded=True)", metric)
    (found,) = by_gate(tmp_path, test=test, gates=one_gate("words", rule, keys)).values()
    assert found.can_pass, found.says


def test_claims_that_only_a_model_makes_are_taken_as_one_a_case(tmp_path: Path) -> None:
    suite, _ = suite_in(tmp_path, test=CLAIMS, gates=GATES)
    gate = asked("precise", "at_least", value=0.5)
    counted = PowerInputs(suite).counted(gate, suite.metrics[0])
    assert [case.denominator for case in counted.cases] == [1.0] * 40 and counted.assumed == ONE_EACH


@pytest.mark.parametrize(("rule", "keys"), [("at_least", "value = 0.5"), ("improves", "")])
def test_a_score_that_only_a_model_gives_needs_a_run(tmp_path: Path, rule: str, keys: str) -> None:
    unscored = CLAIMS.replace("value=0.0, counts={", 'value=None, reason="no model was named", counts={')
    (found,) = by_gate(tmp_path, test=unscored, gates=one_gate("precise", rule, keys)).values()
    assert (found.says, found.can_pass, found.is_enough) == (NEEDS_RUN["says"], True, None)
    assert "need a run |" in power_view.markdown([found], [])


def test_the_whole_and_every_slice_value_have_their_own_numbers(tmp_path: Path) -> None:
    found = by_gate(tmp_path, gates=GATES)
    recall = found["clause_recall-at_least-0.5"]
    assert (recall.units, recall.cases, recall.contracts, recall.can_pass) == (20, 20, 20, True)
    assert recall.allowed == 5 and recall.says[0] == "passes with at most 5 errors in 20"
    assert recall.chance == pytest.approx(0.6172, abs=1e-4)  # Bin(20, 1/4) is at most 5
    lease = found["clause_exact_set-at_least-0.98[instrument=lease]"]
    assert (lease.units, lease.slice_value, lease.can_pass) == (20, "lease", False)
    assert "without any error in 20 the bound is 86.1%" in lease.says[0]
    enough = clusters_enough(Gate(metric="x", rule="at_least", value=0.98))  # For half the errors, as `truth` says.
    assert enough and lease.contracts_needed == pytest.approx(enough, rel=0.15)
    # With more cases power falls until one more error is allowed, so that more than one number reaches the target.
    assert all(chance_of_level(Design(n), 0.98, 0.99) >= 0.8 for n in (enough, lease.contracts_needed))
    cut = found["false_alarm_rate-reduces-0.75"]
    assert not cut.can_pass and cut.says[0].startswith("with none left of a baseline rate of 20%, the bound is 100%")
    assert cut.contracts_needed and chance_of_cut(Design(cut.contracts_needed), 0.2, 0.375, 0.75, 0.5) >= 0.8
    never = found["false_alarm_rate-never"]
    assert never.needed == pytest.approx(1 - 0.05 ** (1 / 20)) and never.is_enough is True
    assert found["clause_macro_f1-at_least-0.5"].says == NEEDS_RUN["says"]
    assert found["clause_macro_f1-at_least-0.5"].can_pass


def test_too_few_cases_for_a_cut_ask_for_more_than_there_are(tmp_path: Path) -> None:
    gates = one_gate("false_alarm_rate", "reduces", "ratio = 1.0")
    (cut,) = by_gate(tmp_path, Assumed(baseline_rate=0.4), cases=rows(96), gates=gates).values()
    assert cut.contracts == 48 and cut.chance is not None and cut.chance < 0.8
    assert cut.contracts_needed is not None and cut.contracts_needed > 48, cut.says


def test_at_most_is_the_same_claim_as_at_least_on_what_is_left(tmp_path: Path) -> None:
    gate = '[[gate]]\nmetric = "false_alarm_rate"\nrule = "at_most"\nvalue = 0.5\n'
    found = by_gate(tmp_path, gates=f"{GATES}\n{gate}")
    most, least = found["false_alarm_rate-at_most-0.5"], found["clause_recall-at_least-0.5"]
    assert (most.units, most.allowed, most.chance) == (least.units, least.allowed, least.chance)
    assert (most.truth, least.truth) == (0.25, 0.75) and most.needed == pytest.approx(1 - least.needed)  # type: ignore[operator]
    assert most.says[0] == "passes with at most 5 hits in 20" and "a model at 25.0% passes 62%" in most.says[1]


@pytest.mark.slow
def test_no_worse_says_so_where_even_an_unchanged_model_cannot_pass(tmp_path: Path) -> None:
    gates = one_gate("clause_precision", "no_worse", "margin = 0.05")
    row = by_gate(tmp_path, gates=gates)["clause_precision-no_worse-0.05"]
    assert not row.can_pass
    assert row.says[0] == (
        "with no case changed, 20 contracts rule out losses over 13.9 points only; it takes about 59 contracts "
        "(39 more), or 20 in which an answer changes"
    )
    assert row.chance == pytest.approx(0.0, abs=0.01) and row.contracts_needed and row.contracts_needed > 200
    enough = by_gate(tmp_path, cases=rows(160), gates=gates)["clause_precision-no_worse-0.05"]
    assert enough.can_pass and [said.split(" of ")[0] for said in enough.says] == ["guards losses"]


def test_too_few_contracts_are_said_before_anything_else(tmp_path: Path) -> None:
    found = by_gate(tmp_path, cases=rows(16), gates=one_gate("clause_recall", "at_least", "value = 0.5"))
    row = found["clause_recall-at_least-0.5"]
    assert not row.can_pass and row.chance is None
    assert row.says == ["8 cases from 8 contracts are shown but not judged: a gate needs at least 10 contracts."]


@pytest.mark.slow
def test_what_is_assumed_moves_what_is_said(tmp_path: Path) -> None:
    few = by_gate(tmp_path, gates=one_gate("clause_exact_set", "improves"))["clause_exact_set-improves"]
    many = by_gate(tmp_path, Assumed(discordance=0.4, power=0.9), gates=one_gate("clause_exact_set", "improves"))[
        "clause_exact_set-improves"
    ]
    assert few.needed and many.needed and many.needed > few.needed
    assert (
        "every change is a gain" in few.says[0]
        and "40% of cases change" in many.says[0]
        and "90% of the time" in many.says[0]
    )
    clustered = [{**row, "cluster": f"k{i // 4}"} for i, row in enumerate(rows(80))]
    alike, apart = (
        by_gate(
            tmp_path, Assumed(icc=icc), cases=clustered, gates=one_gate("clause_recall", "at_least", "value = 0.5")
        )["clause_recall-at_least-0.5"]
        for icc in (0.6, 0.0)
    )
    assert (alike.contracts, apart.deff) == (20, 1.0)
    assert alike.deff == pytest.approx(1.6) and alike.chance < apart.chance  # type: ignore[operator]


def test_nearly_every_case_may_change(tmp_path: Path) -> None:
    found = by_gate(tmp_path, Assumed(discordance=0.95), gates=one_gate("clause_exact_set", "improves"))[
        "clause_exact_set-improves"
    ]
    assert 0 < found.chance < 1  # type: ignore[operator]
    baseline = [record(i, 0, claims=9, variant=BASELINE) for i in range(40)]
    records = {CANDIDATE: [record(i, 1, claims=1) for i in range(40)], BASELINE: baseline}
    own = measured(from_run(asked("fabrication", "no_worse", margin=0.05), FABRICATION, records), Assumed())
    assert (own.discordance, own.baseline_rate) == (1.0, 1.0)


def test_cases_of_one_contract_tell_less_of_what_never_happens(tmp_path: Path) -> None:
    clustered = [{**row, "cluster": f"k{i // 4}"} for i, row in enumerate(rows(80))]
    never = one_gate("false_alarm_rate", "never", "n_min = 20")
    apart, alike = (
        by_gate(tmp_path, cases=made, gates=never)["false_alarm_rate-never"] for made in (rows(80), clustered)
    )
    assert (apart.needed, alike.needed) == pytest.approx((1 - 0.05 ** (1 / 40), 1 - 0.05 ** (1 / 20)))
    assert apart.chance == pytest.approx(0.99**40) and alike.chance > apart.chance  # type: ignore[operator]


def test_the_best_model_is_judged_by_the_rule_itself(tmp_path: Path) -> None:
    suite, _ = suite_in(tmp_path)
    foresight, metrics = PowerInputs(suite), {m.name: m for m in suite.metrics}
    counted = foresight.counted(asked("clause_exact_set", "improves"), metrics["clause_exact_set"])
    assert perfect_evidence(counted, 0.2, "contract").pairs.values == (1.0, 0.0)  # type: ignore[union-attr]
    cut = foresight.counted(asked("false_alarm_rate", "reduces", ratio=0.75), metrics["false_alarm_rate"])
    assert perfect_evidence(cut, 0.2, "contract").pairs.values == (0.0, 0.2)  # type: ignore[union-attr]
    kept = foresight.counted(asked("clause_recall", "no_worse", margin=0.05), metrics["clause_recall"])
    assert perfect_evidence(kept, 0.2, "contract").pairs.values == (1.0, 1.0)  # type: ignore[union-attr]


def power_from(gate: GateId, records: dict[str, list[Record]]) -> dict[str, Any]:
    """What a gate on the macro mean can show by a run."""
    counted = from_run(gate, MACRO_F1, records)
    assert counted is not None
    return GATE_RULES[gate.gate.rule].power(PowerQuestion(counted, Assumed(), 1, perfect_evidence(counted, 0.2, "k")))


def run_of(tuned: list[int], baseline: list[int], per_contract: int = 1):
    return {CANDIDATE: answers(tuned, per_contract), BASELINE: answers(baseline, per_contract, variant=BASELINE)}


def test_a_run_takes_the_place_of_assumptions() -> None:
    records = run_of([1] * 6 + [0] * 2 + [1] * 92, [0] * 6 + [1] * 2 + [1] * 92)
    counted = from_run(asked("accuracy", "no_worse", margin=0.05), ACCURACY, records)
    own = measured(counted, Assumed())
    assert (own.discordance, own.baseline_rate) == (pytest.approx(0.08), pytest.approx(0.94))
    alike = from_run(asked("accuracy", "at_least", value=0.5), ACCURACY, run_of([1] * 40 + [0] * 40, [1] * 80, 4))
    assert measured(alike, Assumed()).icc == pytest.approx(0.95)
    apart = from_run(asked("accuracy", "at_least", value=0.5), ACCURACY, run_of([1, 0, 1, 1] * 20, [1] * 80, 4))
    assert measured(apart, Assumed()).icc == 0.0
    faultless = from_run(asked("accuracy", "at_least", value=0.5), ACCURACY, run_of([1] * 80, [1] * 80, 4))
    assert measured(faultless, Assumed()).icc == Assumed().icc


def test_a_run_gives_macro_means_a_standard_error() -> None:
    records = run_of([1, 1, 1, 0] * 60, [1, 0] * 90 + [0, 1] * 30)
    found = power_from(asked("macro_f1", "at_least", value=0.5), records)
    assert 0.5 < found["needed"] < 0.75
    assert found["says"][0].startswith("passes 80% of the time at a true ")
    found = power_from(asked("macro_f1", "no_worse", margin=0.05), records)
    assert 0.01 < found["needed"] < 0.05 and found["says"][0].endswith("passes 80% of the time or more")
    found = power_from(asked("macro_f1", "no_worse", margin=0.01), records)
    assert found["contracts_needed"] == pytest.approx(240 * (found["needed"] / 0.01) ** 2, rel=0.01)


def test_a_run_shows_what_gain_of_a_macro_mean_is_visible() -> None:
    """1.96 + 0.84 standard errors of the difference beyond the margin: two-sided 95%, with a power of 80%."""
    records = run_of([1, 1, 1, 0] * 30, [1, 0] * 60)
    seen = difference(from_run(asked("macro_f1", "improves"), MACRO_F1, records).pairs)
    error = (seen.high - seen.low) / (2 * 1.959964)
    for margin in (0.0, 0.05):
        found = power_from(asked("macro_f1", "improves", margin=margin), records)
        assert found["needed"] == pytest.approx(margin + 2.8016 * error, rel=1e-4)
        shown = f"{found['needed'] * 100:.1f} points"
        assert found["says"] == [f"shows true gains of {shown} or more 80% of the time"]


def test_a_run_of_one_cluster_has_no_standard_error_to_plan_with() -> None:
    assert power_from(asked("macro_f1", "improves"), run_of([1, 1, 0] * 20, [1, 0, 0] * 20, 60)) == NEEDS_RUN


def row(**more: object) -> GatePower:
    named = {"suite": "legal/mini", "gate": "a-at_least-0.5", "rule": "at_least", "bar": "at least 50.0%"}
    sizes = {"units": 40, "cases": 40, "contracts": 40, "cluster": "contract", "can_pass": True, "says": ["fine"]}
    return GatePower(**{**named, **sizes, **more})  # type: ignore[arg-type]


def test_what_cannot_pass_comes_first_and_loudly() -> None:
    made = [
        row(gate="a-at_least-0.5[kind=x]", slice_value="x"),
        row(gate="b-never", bar="at most 0", can_pass=False, says=["too few"], units=50, contracts=20),
    ]
    head = power_view.heading(made, Assumed())
    assert head[0].startswith("1 of 2 gates cannot pass")
    shown = power_view.lines(made, head, 80)
    assert shown.index("  CANNOT PASS: too few") == shown.index("legal/mini  b: at most 0") + 1
    assert shown.index("legal/mini  b: at most 0") < shown.index("legal/mini  a, kind x: at least 50.0%")
    assert max(map(len, shown)) <= 80


@pytest.mark.parametrize(
    ("can_pass", "said"), [(True, "The one gate can pass."), (False, "1 of 1 gate cannot pass with these cases, ")]
)
def test_one_gate_is_one_gate(can_pass: bool, said: str) -> None:
    assert power_view.heading([row(can_pass=can_pass)], Assumed())[0].startswith(said)


@pytest.mark.parametrize(("few", "said"), [(0, "."), (1, "; 1 needs more cases."), (2, "; 2 need more cases.")])
def test_the_heading_counts_gates_that_a_good_model_often_misses(few: int, said: str) -> None:
    rows = [row(is_enough=place >= few) for place in range(3)]
    assert power_view.heading(rows, Assumed())[0] == f"All 3 gates can pass{said}"


def test_the_page_counts_gates_by_suite_and_lists_those_that_need_more_cases() -> None:
    made = [
        row(is_enough=True),
        row(gate="b-never", can_pass=False, is_enough=False, says=["too few"]),
        row(gate="c-at_least-0.9", is_enough=False, chance=0.4, contracts_needed=60),
        row(gate="d-improves"),
    ]
    page = power_view.markdown(made, power_view.heading(made, Assumed())).splitlines()
    assert "| `legal/mini` | 40 | 4 | 1 | 1 | 1 | 1 |" in page
    assert page[-2:] == [
        "| `legal/mini` | `b-never` | CANNOT PASS | 40 | over 20,000 |",
        "| `legal/mini` | `c-at_least-0.9` | 40% | 40 | 60 |",
    ]


def test_the_page_puts_gates_of_labels_and_gates_with_equal_numbers_in_one_row() -> None:
    short = {"is_enough": False, "chance": 0.4, "contracts_needed": 60, "cases": 80}
    made = [
        row(gate="recall_of_a-at_least-0.8", **short),
        row(gate="x-at_least-0.9", **short),
        row(gate="recall_of_b-at_least-0.8", **short | {"chance": 0.7, "cases": 40}),
        row(gate="y-at_least-0.9", **short),
    ]
    assert power_view.markdown(made, []).splitlines()[-2:] == [
        "| `legal/mini` | `recall_of_*-at_least-0.8` (2 gates) | 40% to 70% | 40 to 80 (40) | 60 to 120 (60) |",
        "| `legal/mini` | `x-at_least-0.9`, `y-at_least-0.9` | 40% | 80 (40) | 120 (60) |",
    ]


@pytest.mark.parametrize(("fields", "says"), [
    (
        {"is_enough": False, "contracts": 20, "contracts_needed": 60},
        "needs about 120 cases from 60 contracts; you have 40 from 20",
    ),
    ({"is_enough": False, "contracts_needed": 183}, "needs about 190 cases; you have 40"),
    ({"is_enough": False}, "needs more than 20,000 contracts; you have 40"),
    ({"is_enough": True, "contracts": 20}, "has enough: 40 cases from 20 contracts"),
    ({"is_enough": False, "contracts_needed": 30}, ""),
    ({"is_enough": None}, ""),
])  # fmt: skip
def test_what_a_gate_needs_is_said_in_cases_and_clusters(fields: dict[str, object], says: str) -> None:
    assert power_view.needs(row(**fields)) == says


def test_slice_values_that_say_the_same_share_a_row() -> None:
    made = [
        row(gate="a-at_least-0.5[kind=x]", slice_value="x"),
        row(gate="a-at_least-0.5[kind=y]", slice_value="y", says=["other"]),
        row(gate="a-at_least-0.5[kind=z]", slice_value="z"),
    ]
    assert [r.gate for r in power_view.loud_first(made)] == ["a-at_least-0.5[kind=x, z]", "a-at_least-0.5[kind=y]"]


def test_an_amount_counts_once_a_case() -> None:
    assert power_view.sentences(row(assumes=AN_AMOUNT_SAYS)) == ["fine", AN_AMOUNT_SAYS]


def test_the_command_says_prints_json_and_is_strict_when_asked(tmp_path: Path) -> None:
    write_suite(tmp_path, gates=GATES)
    done = tunegate(tmp_path, "power", "evalsuites/legal/mini")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 of 8 gates cannot pass")
    assert "10% of cases change" in done.stdout
    strict = tunegate(tmp_path, "power", "--strict", "--json", "--discordance", "0.3")
    assert strict.returncode == 1
    found = json.loads(strict.stdout)
    assert found["assumed"]["discordance"] == 0.3
    assert [g["gate"] for g in found["gates"] if not g["can_pass"]] == [
        "clause_exact_set-at_least-0.98[instrument=deed]",
        "clause_exact_set-at_least-0.98[instrument=lease]",
        "clause_precision-no_worse-0.05",
        "false_alarm_rate-reduces-0.75",
    ]
    wrong = tunegate(tmp_path, "power", "--icc", "2")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (4, 1)
    assert "--icc 2: expected a number between 0 and 1" in wrong.stderr


def test_the_command_takes_a_run(tmp_path: Path) -> None:
    write_suite(tmp_path, gates=GATES)
    cases = right(rows())
    half = {name: text if i % 4 else "none" for i, (name, text) in enumerate(cases.items())}
    write_script(tmp_path, tuned=cases, baseline=half)
    tunegate(tmp_path, "compare", "old", "new", "--engine", "fake", "--script", "script.json")
    (run,) = (tmp_path / "runs").iterdir()
    done = tunegate(tmp_path, "power", "--from", run.name[-8:])
    assert done.returncode == 0, done.stderr
    assert f"Measured in {run.name}" in done.stdout
    assert "the baseline of the run has none of it to reduce" in done.stdout
    assert NEEDS_RUN["says"][0] not in done.stdout
