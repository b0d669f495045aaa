"""What may be written in gates.toml, how mistakes are named, and how gates are named."""

import subprocess
import sys

import pytest
from msgspec.structs import replace

from harness.errors import UserError
from harness.gates.config import gate_ids, gate_of, load_gates, validate
from harness.gates.judge import unjudged
from harness.schema import Gate, GateFile, Metric, Objective
from tests.support.scored import METRICS

OBJECTIVE = '[objective]\ntext = "Find the clauses."\n'


def gate_file(*gates):
    return GateFile(objective=Objective(text="Find the clauses."), gate=list(gates))


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "gates.toml"
        path.write_text(text)
        return path

    return write


def refused(path):
    with pytest.raises(UserError) as error:
        load_gates(path)
    return str(error.value)


def test_every_rule_is_read(written):
    found = load_gates(
        written(
            OBJECTIVE + '[[gate]]\nmetric = "recall"\nrule = "at_least"\nvalue = 0.9\n'
            '[[gate]]\nmetric = "recall"\nrule = "at_most"\nvalue = 0.5\n'
            '[[gate]]\nmetric = "recall"\nrule = "improves"\nmargin = 0.2\nunit = "relative"\n'
            '[[gate]]\nmetric = "recall"\nrule = "no_worse"\nmargin = 0.02\n'
            '[[gate]]\nmetric = "fabrication"\nrule = "reduces"\nratio = 0.75\nslice = "kind"\n'
            '[[gate]]\nmetric = "fabrication"\nrule = "never"\nn_min = 300\n'
        )
    )
    assert found.objective.text == "Find the clauses."
    assert [g.rule for g in found.gate] == ["at_least", "at_most", "improves", "no_worse", "reduces", "never"]
    assert found.gate[0].value == 0.9 and found.gate[2].unit == "relative" and found.gate[4].slice == "kind"


def test_all_mistakes_are_named_at_once(written):
    message = refused(
        written(
            'title = "x"\n[[gate]]\nmetric = "recall"\nrule = "at_leest"\n'
            '[[gate]]\nmetric = "recall"\nrule = "at_least"\nvalue = "high"\ntreshold = 1\n'
            '[[gate]]\nrule = "improves"\n'
        )
    )
    for line in (
        "gates.toml: unknown key 'title'",
        "gates.toml: [objective] needs one key, text",
        "gates.toml: gate 1 (recall at_leest): unknown rule 'at_leest'. Known: at_least, at_most, improves",
        "gates.toml: gate 2 (recall at_least): 'value' is 'high': expected a number",
        "gates.toml: gate 2 (recall at_least): unknown key 'treshold'. Known: metric, rule, value",
        "gates.toml: gate 3 (no metric improves): 'metric' is missing",
    ):
        assert line in message


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('rule = "at_least"', "rule 'at_least' needs 'value'"),
        (
            'rule = "at_least"\nvalue = 0.9\nmargin = 0.1',
            "'margin' has no effect on rule 'at_least', which takes value",
        ),
        ('rule = "at_least"\nvalue = nan', "a threshold must be a finite number"),
        ('rule = "at_least"\nvalue = true', "'value' is True"),
        ('rule = "at_least"\nvalue = 0.9\nn_min = -1', "'n_min' is -1"),
        ('rule = "no_worse"', "rule 'no_worse' needs 'margin'"),
        ('rule = "no_worse"\nmargin = 0', "'margin' is 0: it must be above 0, such as 0.02 for 2 points"),
        ('rule = "improves"\nmargin = -0.1', "'margin' is -0.1"),
        ('rule = "improves"\nunit = "percent"', "'unit' is 'percent': expected points or relative"),
        ('rule = "at_least"\nvalue = 0.9\nslice = 3', "'slice' is 3: expected a text"),
        ('rule = "at_least"\nvalue = 0.9\nslice = "kind"\nvalues = "a"', "'values' is 'a': expected a list of texts"),
        ('rule = "never"\nn_min = 0.5', "'n_min' is 0.5: expected a whole number"),
        ('rule = "reduces"', "rule 'reduces' needs 'ratio'"),
        ('rule = "reduces"\nratio = 1.25', "'ratio' is 1.25: it must lie in (0, 1]"),
        ('rule = "never"', "rule 'never' needs 'n_min'"),
        ('rule = "never"\nn_min = 0', "'n_min' is 0"),
    ],
)
def test_a_key_that_does_not_fit_its_rule_is_refused(written, keys, said):
    assert said in refused(written(f'{OBJECTIVE}[[gate]]\nmetric = "recall"\n{keys}\n'))


def test_broken_toml_an_empty_file_and_a_missing_file_are_refused(written, tmp_path):
    assert "gates.toml: not valid TOML" in refused(written("[[gate]\n"))
    assert "no [[gate]] was found" in refused(written(OBJECTIVE))
    assert "no [[gate]] was found" in refused(written("gate = 3\n" + OBJECTIVE))
    single = refused(written(OBJECTIVE + '[gate]\nmetric = "recall"\nrule = "at_least"\nvalu = 0.9\n'))
    assert "found [gate], expected [[gate]]" in single and "unknown key 'valu'" in single
    assert "gate 1 is not a table" in refused(written("gate = [3]\n" + OBJECTIVE))
    assert "cannot be read" in refused(tmp_path / "nowhere.toml")


def test_the_same_bar_stated_twice_is_refused(written):
    gate = '[[gate]]\nmetric = "recall"\nrule = "at_least"\nvalue = 0.9\n'
    assert "recall-at_least-0.9 is stated 2 times" in refused(written(OBJECTIVE + gate + gate))
    sliced = load_gates(written(OBJECTIVE + gate + gate + 'slice = "kind"\n'))
    assert len(sliced.gate) == 2


def test_metrics_slices_and_rules_that_do_not_fit_the_suite_are_named_together():
    wrong = gate_file(
        Gate(metric="recal", rule="at_least", value=0.9),
        Gate(metric="recall", rule="at_least", value=0.9, slice="colour"),
        Gate(metric="recall", rule="never", n_min=10),
        Gate(metric="macro_f1", rule="reduces", ratio=0.5),
        Gate(metric="accuracy", rule="at_most", value=0.1),
        Gate(metric="accuracy", rule="no_worse", margin=0.02),
    )
    with pytest.raises(UserError) as error:
        validate(wrong, METRICS, ["kind"])
    message = str(error.value)
    assert "gate 1 (recal at_least): unknown metric 'recal'. The suite has: accuracy, error_rate, recall" in message
    assert "gate 2 (recall at_least): unknown slice 'colour'. The suite has: kind" in message
    assert "gate 3 (recall never): 'never' is for a rate where fewer is better; 'recall' is not one" in message
    assert "gate 4 (macro_f1 reduces)" in message and "gate 5 (accuracy at_most): the gates ask for less" in message
    assert "gate 6 (accuracy no_worse): the gates ask for less of it only, and more is better." in message
    assert message.endswith("where more is better up to that limit, add a gate that asks for more")
    grade = Metric(name="grade", scorer="s", numerator="", kind="mean", worst=1.0, best=5.0)
    band = [Gate(metric="grade", rule="at_most", value=4.5), Gate(metric="grade", rule="no_worse", margin=0.2)]
    validate(gate_file(*band), [grade], [])
    floor = Gate(metric="accuracy", rule="at_least", value=0.05)
    validate(gate_file(*wrong.gate[4:], floor), METRICS, [])
    for alone in (band[0], wrong.gate[4], Gate(metric="error_rate", rule="at_least", value=0.1)):
        with pytest.raises(UserError, match=r"^gates.toml: gate 1 \(.*the gates ask for (less|more) of it only"):
            validate(gate_file(alone), [*METRICS, grade], [])
    neutral = replace(METRICS[0], neutral=True)
    validate(gate_file(wrong.gate[4]), [neutral], [])
    with pytest.raises(UserError, match=r"gate 1 \(accuracy no_worse\): 'accuracy' is neutral, so"):
        validate(gate_file(wrong.gate[5]), [neutral], [])
    validate(gate_file(Gate(metric="fabrication", rule="never", n_min=10, slice="kind")), METRICS, ["kind"])


def test_gates_are_named_by_metric_rule_bar_and_slice_value():
    file = gate_file(
        Gate(metric="recall", rule="at_least", value=0.95),
        Gate(metric="recall", rule="at_least", value=0.9, slice="kind"),
        Gate(metric="recall", rule="improves"),
        Gate(metric="recall", rule="improves", margin=0.2, unit="relative"),
        Gate(metric="recall", rule="no_worse", margin=0.02),
        Gate(metric="fabrication", rule="reduces", ratio=0.75),
        Gate(metric="fabrication", rule="never", n_min=300),
    )
    assert [g.id for g in gate_ids(file, {"kind": ["deed", "lease"]})] == [
        "recall-at_least-0.95",
        "recall-at_least-0.9[kind=deed]",
        "recall-at_least-0.9[kind=lease]",
        "recall-improves",
        "recall-improves-0.2-relative",
        "recall-no_worse-0.02",
        "fabrication-reduces-0.75",
        "fabrication-never",
    ]
    for found in unjudged("mini", file, {"kind": ["deed", "lease"]}, "why"):
        (gate,) = (one.gate for one in gate_ids(file, {"kind": ["deed", "lease"]}) if one.id == found.gate)
        assert gate_of(found) == replace(gate, slice=None, n_min=0)


def test_repeated_names_and_slices_without_a_value_are_refused():
    twice = gate_file(Gate(metric="a", rule="never", n_min=3), Gate(metric="a", rule="never", n_min=4))
    with pytest.raises(UserError, match="a-never is stated 2 times"):
        gate_ids(twice, {})
    with pytest.raises(UserError, match="no case has the slice 'kind'"):
        gate_ids(gate_file(Gate(metric="a", rule="never", n_min=3, slice="kind")), {"kind": []})


def test_reading_gates_loads_no_numeric_library():
    code = "import sys, harness.gates.judge; print([m for m in ('numpy', 'scipy', 'statsmodels') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_gate_may_judge_some_values_of_a_slice_only(written):
    some = Gate(metric="recall", rule="at_least", value=0.9, slice="kind", values=["b"])
    assert [i.id for i in gate_ids(gate_file(some), {"kind": ["a", "b"]})] == ["recall-at_least-0.9[kind=b]"]
    with pytest.raises(UserError, match=r"no case has kind=b\. It can be: a, c"):
        gate_ids(gate_file(some), {"kind": ["a", "c"]})
    with pytest.raises(UserError, match="name the slice, and one value or more"):
        load_gates(written(OBJECTIVE + '[[gate]]\nmetric = "a"\nrule = "at_least"\nvalue = 0.5\nvalues = ["b"]\n'))
