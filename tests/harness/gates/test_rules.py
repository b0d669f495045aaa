"""Every rule of gates is declared once, and has its part wherever a rule decides what happens."""

from pathlib import Path
from typing import get_args

import pytest

from harness.gates import judge
from harness.gates.rules import GATE_RULES, bar_in_words, enough, power
from harness.schema import Gate, Rule
from reports import number_format

DOCS = Path(__file__).parents[3] / "docs"
NUMBERS = {"value": 0.9, "margin": 0.02, "ratio": 0.75, "n_min": 300}


@pytest.mark.parametrize("table", [GATE_RULES, judge.RULES, power.BY_RULE, enough.GOOD_MODELS])
def test_every_rule_has_its_part_in_every_table(table):
    assert list(table) == list(get_args(Rule))


@pytest.mark.parametrize("rule", get_args(Rule))
def test_a_rule_names_keys_of_a_gate_and_says_its_bar_with_the_number_of_it(rule):
    known = GATE_RULES[rule]
    assert {*known.needs, *known.takes} <= set(Gate.__struct_fields__)
    stated = {key: NUMBERS[key] for key in (*known.needs, *known.takes) if key in NUMBERS}
    assert stated, "a rule asks for a number"
    said, other = (bar_in_words(Gate(metric="x", rule=rule, **found)) for found in (stated, _halved(stated)))
    assert said != other


def _halved(stated):
    return {key: type(found)(found / 2) for key, found in stated.items()}


@pytest.mark.parametrize("rule", get_args(Rule))
def test_a_rule_is_told_to_readers_and_its_number_can_be_written(rule):
    assert GATE_RULES[rule].unit in number_format.FORMS
    for page in ("own-suite.md", "statistics.md"):
        assert f"`{rule}`" in (DOCS / page).read_text("utf-8"), page
