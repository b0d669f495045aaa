"""Every rule of gates is declared once: a line in the table is all that reading, judging and planning need."""

from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from harness.errors import UserError
from harness.gates.config import load_suite_gates
from harness.gates.power import suite_power
from harness.gates.rules import GATE_RULES, threshold_in_words
from harness.gates.rules.base import Assumed, Finding
from harness.runs.folder import recorded_verdicts
from harness.schema import CANDIDATE, Gate, Verdict
from harness.suites.discovery import find_suites
from reports import number_format
from tests.support.mini import write_suite
from tests.support.scored import ACCURACY, answers, judged

DOCS = Path(__file__).parents[3] / "docs"
NUMBERS = {"value": 0.9, "margin": 0.02, "ratio": 0.75, "n_min": 300}


@pytest.mark.parametrize("rule", GATE_RULES)
def test_a_rule_names_keys_of_a_gate_and_says_its_bar_with_the_number_of_it(rule):
    known = GATE_RULES[rule]
    assert {*known.needs, *known.takes} <= set(Gate.__struct_fields__)
    stated = {key: NUMBERS[key] for key in (*known.needs, *known.takes) if key in NUMBERS}
    assert stated, "a rule asks for a number"
    said, other = (threshold_in_words(Gate(metric="x", rule=rule, **found)) for found in (stated, _halved(stated)))
    assert said != other


def test_a_new_rule_is_read_judged_and_planned_by_its_line_in_the_table(tmp_path, monkeypatch):
    exactly = structs.replace(
        GATE_RULES["at_least"],
        in_words=lambda gate, is_share: f"exactly {gate.value:g}",
        idle=lambda gate, metric: [],
        judge=lambda evidence: Finding("pass", f"judged on {evidence.cases}"),
        power=lambda question: {"says": [f"planned for {question.gate.value:g}"]},
    )
    monkeypatch.setitem(GATE_RULES, "exactly", exactly)
    gates = '[objective]\ntext = "Half."\n[[gate]]\nmetric = "clause_recall"\nrule = "exactly"\nvalue = 0.5\n'
    (suite,) = find_suites([str(write_suite(tmp_path, gates=gates))])
    read = load_suite_gates(suite, None)
    (planned,) = suite_power(suite, read, Assumed())
    assert (planned.bar, planned.says, planned.can_pass) == ("exactly 0.5", ["planned for 0.5"], True)
    gate = Gate(metric="accuracy", rule="exactly", value=0.5)
    (verdict,) = judged([gate], [ACCURACY], {CANDIDATE: answers([1] * 20)})
    assert (verdict.outcome, verdict.bar, verdict.reason) == ("pass", "exactly 0.5", "judged on 20")


UNKNOWN = "unknown rule 'half'. This version has: at_least, at_most"


def test_verdicts_by_a_rule_of_another_version_are_refused_in_one_line(tmp_path):
    verdict = Verdict(suite="a/b", gate="x-half", metric="x", rule="half", outcome="pass", bar="", reason="")
    (tmp_path / "verdicts.json").write_bytes(msgspec.json.encode([verdict]))
    with pytest.raises(UserError, match=UNKNOWN):
        recorded_verdicts(tmp_path)


def _halved(stated):
    return {key: type(found)(found / 2) for key, found in stated.items()}


@pytest.mark.parametrize("rule", GATE_RULES)
def test_a_rule_is_told_to_readers_and_its_number_can_be_written(rule):
    assert GATE_RULES[rule].unit in number_format.FORMS
    for page in ("own-suite.md", "statistics.md"):
        assert f"`{rule}`" in (DOCS / page).read_text("utf-8"), page
