"""A training refuses rows of a suite, says where they are, and records the reason why they may stay."""

import json
from pathlib import Path

import pytest

from harness.errors import UserError
from tests.support.mini import write_suite
from tests.training.curation.conftest import TEST, case, prose
from training.config_file import load
from training.job import prepare

CASE = prose("case", 80)


def leak(path):
    """Add a row that contains the case."""
    with path.open("a") as file:
        file.write(json.dumps({"instruction": f"Read this.\n{CASE}", "output": "none"}) + "\n")


@pytest.fixture
def prepared(write_config, write_cases, tmp_path):
    """Prepare a training whose files hold one leaked row each, where asked for; returns the job and what was said."""

    def run(leaked=("train",), without_suites=False, **data):
        path = write_config(data__suites=[write_cases([case(1, CASE)])], **{f"data__{k}": v for k, v in data.items()})
        for name in leaked:
            leak(tmp_path / f"{name}.jsonl")
        lines = []
        return prepare(load(path), lines.append, without_suites), lines

    return run


def test_a_leaked_row_is_refused_with_row_suite_case_and_passage(prepared, tmp_path):
    with pytest.raises(UserError) as refused:
        prepared()
    message = str(refused.value)
    assert message.startswith("rows that contain text of a suite's cases, so that its scores would mean nothing: 1.")
    assert f"{tmp_path / 'train.jsonl'}:13: 80 words" in message
    assert "suite legal/mini, case c1 of k1" in message and CASE[:40] in message
    assert "'data.allow_contaminated'" in message


def test_validation_rows_are_compared_too(prepared):
    with pytest.raises(UserError, match=r"validation\.jsonl:4: 80 words"):
        prepared(leaked=["validation"])


def test_a_reason_lets_the_rows_stay_and_is_recorded(prepared):
    job, said = prepared(allow_contaminated="shows what a leak is worth")
    assert job.contamination["allowed"] == "shows what a leak is worth"
    assert [(leak["suite"], leak["case"], leak["words"]) for leak in job.contamination["leaks"]] == [
        ("legal/mini", "c1", 80)
    ]
    leaked = "Text of a suite's cases is in 1 training row, so the scores are too high: shows what a leak is worth"
    assert f"training: {leaked}" in said
    assert not any(key.startswith("data.") and "contaminated" in key for key in job.fingerprint)


def test_clean_rows_pass_and_the_number_of_cases_is_said(prepared):
    job, said = prepared(leaked=())
    assert job.contamination == {"cases": 1, "suites": {"legal/mini": 1}, "rows": 0}
    assert any(text.startswith("training: no row contains text of the 1 case of 1 suite") for text in said)


def test_a_training_whose_suites_are_not_found_is_refused_and_says_where_it_looked(write_config, tmp_path, monkeypatch):
    """The suites that come with tunegate are no answer: they are not those that the adapter is made for."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    lines = []
    with pytest.raises(UserError) as refused:
        prepare(load(write_config(data__suites=None)), lines.append)
    assert str(refused.value) == (
        "no suite was found, so no training row can be compared with its cases: no folder evalsuites is in "
        f"{tmp_path / 'elsewhere'}, in the folder of the configuration or above them. Name the folders in "
        "'data.suites', or train without the comparison: --no-contamination-check"
    )


def test_without_suites_the_option_lets_it_train_and_the_run_records_it(write_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = []
    job = prepare(load(write_config(data__suites=None)), lines.append, without_suites=True)
    assert job.contamination == {"cases": 0, "unchecked": "--no-contamination-check"}
    assert any(text.startswith("training: The training rows were compared with no suite, so the") for text in lines)


@pytest.mark.parametrize("names", [[], ["test_words.py"]])
def test_the_option_lets_it_train_also_where_a_folder_of_suites_has_none(write_config, tmp_path, monkeypatch, names):
    (tmp_path / "evalsuites").mkdir()
    for name in names:
        (tmp_path / "evalsuites" / name).write_text("")
    monkeypatch.chdir(tmp_path)
    config = load(write_config(data__suites=None))
    with pytest.raises(UserError, match="evalsuites: no suite was found"):
        prepare(config, print)
    record = prepare(config, print, without_suites=True).contamination
    assert record == {"cases": 0, "unchecked": "--no-contamination-check"}


def test_the_option_does_not_let_leaked_rows_through_where_suites_are_found(prepared):
    with pytest.raises(UserError, match="rows that contain text of a suite's cases"):
        prepared(without_suites=True)


def test_the_suites_around_the_configuration_are_found_from_any_folder(
    write_config, write_cases, tmp_path, monkeypatch
):
    Path(write_cases([case(1, CASE)])).rename(tmp_path / "evalsuites")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = write_config(data__suites=None)
    leak(tmp_path / "train.jsonl")
    with pytest.raises(UserError, match="suite legal/mini, case c1 of k1"):
        prepare(load(path), print)


@pytest.mark.slow
@pytest.mark.parametrize("with_suites", [True, False])
def test_the_suites_of_validation_cases_are_compared_too(write_config, write_cases, tmp_path, monkeypatch, with_suites):
    """Also where no other suite is found, and next to a suite of the same name."""
    folder = write_suite(tmp_path / "dev", [case(1, CASE)], TEST)
    suites = [write_cases([case(3, prose("other"))])] if with_suites else None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dev.jsonl").write_text(json.dumps(case(2, prose("dev"))))
    select = {"suite": str(folder), "cases": ["dev.jsonl"], "metric": "accuracy"}
    path = write_config(data__suites=suites, **{f"select__{key}": value for key, value in select.items()})
    leak(tmp_path / "train.jsonl")
    with pytest.raises(UserError, match="suite legal/mini, case c1 of k1"):
        prepare(load(path), print, without_suites=True)
    if not with_suites:
        with pytest.raises(UserError, match="no suite was found"):
            prepare(load(path), print)
    path = write_config(data__suites=suites, **{f"select__{key}": value for key, value in select.items()})
    record = prepare(load(path), print, without_suites=True).contamination
    assert record.get("unchecked") == (None if with_suites else "--no-contamination-check")


def test_suites_whose_data_is_missing_are_not_found_either(write_config, write_cases, tmp_path):
    folder = write_cases([case(1, CASE)])
    (tests,) = Path(folder).rglob("test_*.py")
    tests.write_text(
        "from harness import Suite, Unavailable\n\n\ndef cases():\n    raise Unavailable('legal/mini: get it')\n\n\n"
        "suite = Suite(cases=cases, scorers=[])\n"
    )
    missing = "legal/mini was not compared: legal/mini: get it"
    with pytest.raises(UserError, match=f"no suite was found.*{missing}"):
        prepare(load(write_config(data__suites=[folder])), print)
    # Nor does a suite of validation cases stand in for them.
    dev = write_suite(tmp_path / "dev", [case(3, prose("other"))], TEST)
    (tmp_path / "dev.jsonl").write_text(json.dumps(case(2, prose("dev"))))
    select = {"select__suite": str(dev), "select__cases": ["dev.jsonl"], "select__metric": "accuracy"}
    config = load(write_config(data__suites=[folder], **select))
    with pytest.raises(UserError, match=f"no suite was found.*{missing}"):
        prepare(config, print)
    record = prepare(config, print, without_suites=True).contamination
    assert record["missing"] == [missing] and record["unchecked"] == "--no-contamination-check"


@pytest.mark.parametrize(("data", "message"), [
    ({"data__allow_contaminated": " "}, "'data.allow_contaminated' is ' '; give the reason"),
    ({"data__suites": ["nowhere"]}, "'data.suites' names"),
])  # fmt: skip
def test_a_wrong_setting_is_named(write_config, data, message):
    with pytest.raises(UserError, match=message):
        load(write_config(**data))


def test_few_rows_are_said_with_the_reason(prepared):
    _, said = prepared(leaked=())
    assert any("12 rows; at least 1,000 are recommended. With fewer," in text for text in said)
