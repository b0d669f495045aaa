"""What the report shows of a training: result, tests on the way, data with its cards, settings; nothing lost."""

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from harness.runs.folder import RunData
from reports.assemble import build
from reports.model import Facts, Section
from reports.sections.training import record_blocks
from tests.reports.conftest import Writer, as_markdown, facts, part, table, write_training
from tests.support.sample import SUITE

RECORD: dict[str, Any] = {
    "name": "clauses",
    "config": {"base": "org/base", "lora": {"r": 16, "dropout": 0.0, "rank_pattern": {}}, "select": {"suite": ""}},
    "dtype": "bfloat16",
    "steps_planned": 120,
    "steps": 100,
    "stopped_early": True,
    "best_step": 80,
    "chosen_by": "lowest validation loss",
    "best_validation_loss": 0.4703,
    "trainable_parameters": 4_884_480,
    "device": "cuda",
    "wall_s": 200.0,
    "cpu_s": 400.0,
    "peak_memory_mib": 2_478,
    "rates": {"tokens_per_s": 386.1, "answer_tokens_per_s": 16.7, "tflops_per_s": 0.1086, "mfu": 0.4},
    "train": {"rows": 1_600, "tokens": 90_000, "answer_tokens": 9_000, "rows_cut": 2, "tokens_cut": 77},
    "validation": {"rows": 64, "tokens": 3_000, "answer_tokens": 300, "rows_cut": 0, "tokens_cut": 0},
    "data": {
        "train": [
            {"file": "/data/train.jsonl", "rows": 1_600, "sha256": "ab2a" * 16, "card": "/data/data_card.md"},
            {"file": "/data/more.jsonl", "rows": 5, "sha256": "cd3b" * 16, "card": None},
        ],
        "validation": [{"file": "/data/val.jsonl", "rows": 64, "sha256": "ff14" * 16, "card": None}],
    },
    "contamination": {"cases": 900, "suites": {"legal/clauses": 600, "general/basics": 300}, "rows": 0},
    "selection": {
        "suite": "legal/clauses",
        "metric": "clause_recall",
        "is_share": True,
        "cases": 40,
        "before": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 40, "clusters": 40},
        "best": {"value": 0.75, "low": 0.6, "high": 0.85, "n": 40, "clusters": 40},
    },
    "forgetting": {"before": 3.581, "after": 4.29, "cases": None},
    "fingerprint": {"lora.r": 16},
    "serving": {"way": "lora", "max_lora_rank": 16, "reasons": []},
    "something_new": {"nobody": "foresaw"},
}


def shown(write_run: Writer, run: RunData, **changes: Any) -> Section:
    return part(build([run, write_training(write_run, RECORD | changes)]), "training")


def test_the_section_of_a_training_run(write_run: Writer, run: RunData, snapshot: SnapshotAssertion) -> None:
    section = shown(write_run, run)
    assert as_markdown(section) == snapshot
    assert [row[4].tone for row in table(section, "Training data").rows] == ["plain", "caution", "caution"]


def test_paths_in_the_project_are_shown_as_called_from_it(write_run: Writer, run: RunData) -> None:
    """A report that is passed on does not say where on a machine the project was."""
    files = {"train": [{"file": f"/home/a/project/{name}.jsonl", "card": None} for name in ("data/x", "suites/../y")]}
    files["validation"] = [{"file": "/data/val.jsonl", "card": None}]
    config = {
        "base": "org/base",
        "data": {"suites": ["/home/a/project/evalsuites/letters", "/home/a/tunegate/evalsuites/general/facts"]},
    }
    config["output"] = {"dir": "/home/a/project/suites/../runs"}
    section = shown(write_run, run, data=files, config=config)
    assert [(row[0].text, row[0].note) for row in table(section, "Training data").rows] == [
        ("x.jsonl", "data"),
        ("y.jsonl", "."),
        ("val.jsonl", "/data"),
    ]
    settings = facts(section, "Settings and files")
    assert settings["Config / data / suites"].text == "evalsuites/letters, evalsuites/general/facts"
    assert "/home/a" not in as_markdown(section)


def test_an_evaluation_without_a_value_is_not_measured(write_run: Writer, run: RunData) -> None:
    selection = RECORD["selection"] | {"best": {"value": None, "reason": "too few"}, "before": None}
    unmeasured = table(shown(write_run, run, selection=selection), "Evaluations during training").rows[0]
    assert [cell.text for cell in unmeasured[1:]] == ["not measured", "not measured"]


CHECKED = RECORD["contamination"] | {"allowed": "a rehearsal"}
UNKNOWN = ("not known", "the base is a merge that does not say what its adapter was trained on", "bad")
NOT_CHECKED = ("not checked", "rows were not compared with any suite", "bad")


@pytest.mark.parametrize(
    ("leaks", "said"),
    [
        (CHECKED, ("0", "no row contains text of a suite's case", "good")),
        (CHECKED | {"rows": 3}, ("3", "", "bad")),
        ({"cases": 0, "unchecked": "--no-contamination-check"}, NOT_CHECKED),
        ({"cases": 0, "suites": {"own/tickets": 0}, "rows": 0, "uncompared": {"own/tickets": 30}}, NOT_CHECKED),
        (
            {"cases": None},
            ("not known", "the base is a merge that does not say what its adapter was trained on", "bad"),
        ),
        (
            CHECKED | {"unchecked": "--no-contamination-check"},
            ("0", "rows were compared only with the suites of the validation cases", "caution"),
        ),
    ],
)
def test_text_of_test_cases_among_the_rows_is_said(
    write_run: Writer, run: RunData, leaks: dict[str, Any], said: tuple[str, str, str]
) -> None:
    found = facts(shown(write_run, run, contamination=leaks), "Text of test cases in the training data")
    rows = found["Rows with such text"]
    assert (rows.text, rows.note, rows.tone) == said
    section = shown(write_run, run, contamination=RECORD["contamination"] | {"base": {"cases": 0, "base": leaks}})
    below = facts(section, "Text of test cases in the training data of the base of the base")
    assert below == found
    if leaks.get("cases"):
        assert found["Of the suites"].text == "legal/clauses and general/basics"
        assert found["Reason to allow it"].text == "a rehearsal"


@pytest.mark.parametrize(
    ("compared", "tone"), [({SUITE: 3}, "caution"), ({SUITE: 10_000}, None), ({"a/b": 9}, "caution")]
)
def test_cases_that_no_training_row_was_compared_with_are_said(
    write_run: Writer, run: RunData, compared: dict[str, int], tone: str | None
) -> None:
    leaks = {"cases": 9, "suites": compared, "rows": 0}
    found = facts(shown(write_run, run, contamination=leaks), "Text of test cases in the training data")
    said = found.get("Suites judged on cases that were not compared")
    assert (said and (said.text, said.tone)) == (tone and (SUITE, tone))


PARTS = ["selection", "forgetting", "validation", "contamination", "rates", "data"]


@pytest.mark.parametrize("absent", [*([key] for key in RECORD), *([key, None] for key in PARTS)], ids=str)
def test_a_record_without_a_part_is_shown_without_it(absent: list[str | None]) -> None:
    record = {key: value for key, value in RECORD.items() if key != absent[0]}
    blocks = list(record_blocks(record | ({absent[0]: None} if len(absent) > 1 else {})))
    assert isinstance(blocks[-1], Facts) and blocks[-1].caption == "Settings and files"
