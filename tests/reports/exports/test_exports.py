"""A run for other programs: text that starts no formula, the hub's shapes, and no model text where none belongs."""

import csv
import io
import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest
import yaml
from huggingface_hub import ModelCardData, parse_eval_result_entries
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.sanitize import is_hidden
from harness.schema import Case, Completion, Estimate, MetricRow, Metrics, Score
from reports.exports import FORMATS, export, inspect_log
from reports.exports.records_csv import FIXED, cell, heading, line
from tests.reports.conftest import Writer, write_training
from tests.support.command import run_tunegate
from tests.support.hostile import ATTACKS, random_texts
from tests.support.sample import (
    SUITE,
    make_checkpoint,
    make_manifest,
    make_metrics,
    make_record,
    make_records,
    make_suite,
    with_text,
)

SEVEN = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet acts on at the start of a cell."""
WIDE = ("\uff1d", "\uff0b", "\uff0d", "\uff20")


def whole(run: Path, form: str, dataset: str = "") -> str:
    return "".join(export(run, form, dataset))


def parsed(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True))


@pytest.mark.parametrize("start", [*SEVEN, *WIDE, "\r\n", " =", "\u00a0+", "\n="])
def test_no_cell_starts_a_formula(start: str) -> None:
    made = str(cell(f"{start}cmd|' /C calc'!A0"))
    assert not made.startswith((*SEVEN, *WIDE))
    assert not made.lstrip().startswith((*SEVEN, *WIDE))
    assert made.endswith("cmd|' /C calc'!A0")


def test_only_hidden_characters_of_a_text_that_starts_nothing_are_changed() -> None:
    assert [cell(text) for text in ("none", "a=b", "§ 1\nline", "", None)] == ["none", "a=b", "§ 1\nline", "", ""]
    assert cell("a\u202eb\x00\x1b[2J\u200b\rc") == "a⟨U+202E⟩b⟨U+0000⟩⟨U+001B⟩[2J⟨U+200B⟩⟨U+000D⟩c"


def test_numbers_are_numbers() -> None:
    assert line(["a", 1, -2, 0.25, -1e-9, None, "7"]) == '"a",1,-2,0.25,-1e-09,"","7"\r\n'


STARTS = st.sampled_from(["", *SEVEN, *WIDE, '"', '";', '",', "\u200b", " ", "\r\n", "\ud800"])


@given(st.lists(st.tuples(STARTS, st.text(alphabet=st.characters(exclude_categories=[]))), min_size=1, max_size=6))
def test_whatever_an_answer_says_it_stays_in_its_cell_and_starts_nothing(parts: list[tuple[str, str]]) -> None:
    texts = [start + text for start, text in parts]
    raw = line([*texts, -0.5]).encode("utf-8").decode("utf-8")
    (found,) = parsed(raw)
    assert len(found) == len(texts) + 1
    assert found[-1] == "-0.5" and raw.endswith(",-0.5\r\n")
    for made, text in zip(found, texts, strict=False):
        assert not made.lstrip().startswith((*SEVEN, *WIDE)) and not made.startswith(SEVEN)
        assert not any(is_hidden(character) for character in made)
        kept = [c for c in text.replace("\r\n", "\n") if not is_hidden(c)]
        assert all(made.count(c) >= kept.count(c) for c in set(kept))


def test_a_line_an_answer_with_what_it_counts_for_each_metric(write_run: Writer) -> None:
    text = whole(write_run(), "csv")
    head = (rows := parsed(text))[0]
    assert text[0] == "\ufeff"
    assert head[:5] == ["suite", "case_id", "cluster", "variant", "repeat"]
    assert head[-3:] == ["slice instrument", "clause_recall", "fabrication_rate"]
    assert {len(row) for row in rows} == {len(head)} and len(rows) == 31
    found = [dict(zip(head, row, strict=True)) for row in rows[1:]]
    wrong = next(row for row in found if (row["case_id"], row["variant"]) == ("lease-003", "tuned"))
    assert (wrong["clause_recall"], wrong["fabrication_rate"], wrong["slice instrument"]) == ("0.0", "0.0", "lease")
    invents = next(row for row in found if (row["case_id"], row["variant"]) == ("lease-009", "tuned"))
    assert (invents["clause_recall"], invents["fabrication_rate"]) == ("1.0", "0.5")
    assert (invents["expected"], invents["prompt_tokens"], invents["output_tokens"]) == ("Insurance", "50", "9")
    assert invents["answer"] == "Audit Rights, see O.C.G.A. § 44-99-999 for the duty to keep books."


def test_an_error_is_named_and_counts_as_the_worst_value(write_run: Writer) -> None:
    failed = Completion(
        key="k", text="", finish_reason="error", prompt_tokens=5, output_tokens=0, error="=out of memory"
    )
    record = make_record(1, "tuned", "", completion=failed, scores={})
    head, row = parsed(whole(write_run(records=[record]), "csv"))
    found = dict(zip(head, row, strict=True))
    assert (found["error"], found["finish_reason"], found["answer"]) == ("'=out of memory", "error", "")
    assert (found["clause_recall"], found["fabrication_rate"]) == ("0.0", "1.0")


def test_an_error_of_a_scorer_is_named_too(write_run: Writer) -> None:
    record = make_record(1, "tuned", "an answer")
    record.scores["citations"] = Score(name="citations", value=None, reason="the scorer raised KeyError", failed=True)
    head, row = parsed(whole(write_run(records=[record]), "csv"))
    assert dict(zip(head, row, strict=True))["error"] == "the scorer raised KeyError"


def test_a_cell_is_empty_where_nothing_was_scored_or_the_suite_has_no_such_metric(write_run: Writer) -> None:
    other = make_suite(name="general/basics", metrics=[], slices=["kind"])
    record = make_record(2, "tuned", "x", scores={})
    path = write_run(manifest=make_manifest(suites=[make_suite(), other]), records=[record])
    head, row = parsed(whole(path, "csv"))
    found = dict(zip(head, row, strict=True))
    assert (found["clause_recall"], found["slice kind"], found["slice instrument"]) == ("", "", "deed")


def test_hostile_answers_ids_and_slices_change_no_line(write_run: Writer) -> None:
    texts = [*ATTACKS, *random_texts(500), *(f"{start}1+1" for start in (*SEVEN, *WIDE))]
    records = []
    for text in (text.encode("utf-8", "replace").decode() for text in texts):
        record = with_text(make_record(1, "tuned", "x"), text)
        case = msgspec.structs.replace(record.case, cluster=text, tags={"instrument": text}, expected=[text])
        records.append(msgspec.structs.replace(record, case=case))
    rows = parsed(whole(write_run(records=records), "csv"))
    assert len(rows) == len(texts) + 1 and {len(row) for row in rows} == {len(rows[0])}
    cells = [found for row in rows[1:] for found in row]
    assert not [found for found in cells if found.lstrip().startswith((*SEVEN, *WIDE)) or found[:1] in SEVEN]
    assert not [found for found in cells if any(is_hidden(c) for c in found)]


def test_names_of_metrics_and_slices_start_nothing_either(write_run: Writer) -> None:
    suite = make_suite(slices=["\t=1"])
    head = parsed(whole(write_run(manifest=make_manifest(suites=[suite])), "csv"))[0]
    assert head[-3] == "slice \t=1" and not [name for name in head if name[:1] in SEVEN]


def test_json_is_the_report(write_run: Writer, tmp_path: Path) -> None:
    import reports

    path = write_run()
    (written,) = [file for file in reports.write(reports.build([path]), tmp_path / "r") if file.suffix == ".json"]
    assert whole(path, "json") == written.read_text("utf-8")


def test_markdown_holds_numbers_and_no_model_text(write_run: Writer) -> None:
    records = [with_text(record, f"SAID {record.completion.text}") for record in make_records()]
    text = whole(write_run(records=records), "markdown")
    assert "88.3% (95% confidence: at most 93.4%)" in text and "lease-009" in text
    assert "SAID" not in text and "44-99-999" not in text


def test_the_model_card_is_what_the_hubs_library_reads(write_run: Writer) -> None:
    text = whole(write_run(), "model-card")
    front = yaml.safe_load(text.split("---\n")[1])
    card = ModelCardData(**front)
    assert card.model_name == "runs/adapter"
    assert card.eval_results is not None
    assert [(r.dataset_name, r.metric_type, r.metric_value) for r in card.eval_results] == [
        (SUITE, "clause_recall", 0.883),
        (SUITE, "fabrication_rate", 0.125),
    ]
    first = card.eval_results[0]
    assert first.task_type == "text-generation"
    assert first.metric_args == {"low": 0.789, "high": 0.938, "level": 0.95, "n": 240, "clusters": 40}
    assert first.dataset_args == {"cases_sha256": "c".ljust(64, "0"), "run": "20261125T010000Z-clauses-0a1b2c3d"}


def test_suites_of_one_data_set_stay_apart_in_the_model_card(write_run: Writer) -> None:
    other = make_suite(name="legal/other", title="Other")
    rows = [
        msgspec.structs.replace(row, suite=name) for name in (SUITE, "legal/other") for row in make_metrics().metrics
    ]
    path = write_run(manifest=make_manifest(suites=[make_suite(), other]), metrics=Metrics(metrics=rows))
    groups = yaml.safe_load(whole(path, "model-card", "org/cases").split("---\n")[1])["model-index"][0]["results"]
    assert [(group["dataset"]["type"], group["dataset"]["config"], len(group["metrics"])) for group in groups] == [
        ("org/cases", SUITE, 2),
        ("org/cases", "legal/other", 2),
    ]


def test_the_model_card_names_no_folder_of_this_machine(write_run: Writer) -> None:
    tuned = make_checkpoint("/home/somebody/models/tuned-7", "2")
    text = whole(write_run(manifest=make_manifest(checkpoints={"tuned": tuned})), "model-card")
    assert "tuned-7" in text and "somebody" not in text


def test_eval_results_are_what_the_hubs_library_reads(write_run: Writer) -> None:
    entries = parse_eval_result_entries(yaml.safe_load(whole(write_run(), "eval-results", "org/clauses")))
    assert [(e.dataset_id, e.task_id, e.value) for e in entries] == [
        ("org/clauses", "legal-clauses-clause-recall", 0.883),
        ("org/clauses", "legal-clauses-fabrication-rate", 0.125),
    ]
    assert entries[0].date == "2026-11-25T01:07:30Z"
    assert entries[0].notes == "Clause recall, excerpt; tunegate run 20261125T010000Z-clauses-0a1b2c3d"


def test_only_whole_suites_and_measured_metrics_are_published(write_run: Writer) -> None:
    part = make_suite(name="legal/part", asked=3)
    rows = [
        *make_metrics().metrics,
        MetricRow(suite="legal/part", variant="tuned", metric="clause_recall", estimate=Estimate(value=0.1, n=3)),
    ]
    path = write_run(manifest=make_manifest(suites=[make_suite(), part]), metrics=Metrics(metrics=rows))
    assert "legal/part" not in whole(path, "model-card")
    unmeasured = [r for r in rows if r.metric == "fabrication_rate" and r.variant == "keyword_floor"]
    only = Metrics(metrics=[msgspec.structs.replace(unmeasured[0], variant="tuned")])
    with pytest.raises(UserError, match="no gate judged a metric over a whole suite"):
        whole(write_run(metrics=only), "eval-results", "org/clauses")


@pytest.mark.parametrize("form", ["model-card", "eval-results", "lm-eval"])
def test_a_changed_run_is_not_published(write_run: Writer, form: str) -> None:
    path = write_run()
    file = path / "metrics.json"
    file.write_bytes(file.read_bytes().replace(b"0.883", b"0.983"))
    with pytest.raises(UserError, match=r"metrics\.json changed after the run was sealed"):
        whole(path, form, "org/clauses")


def test_what_is_missing_is_said(write_run: Writer) -> None:
    with pytest.raises(UserError, match="--format xml: expected one of csv, json, markdown, model-card, eval-results"):
        export(write_run(), "xml")
    with pytest.raises(UserError, match="needs --dataset OWNER/NAME"):
        whole(write_run(), "eval-results")
    with pytest.raises(UserError, match="a train run, which has no scores"):
        whole(write_training(write_run), "model-card")
    with pytest.raises(UserError, match="a train run, which has no answers"):
        whole(write_training(write_run), "csv")
    with pytest.raises(UserError, match="no metric was measured over a whole suite"):
        whole(write_run(manifest=make_manifest(suites=[make_suite(cases=1000)])), "model-card")


def tunegate(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return run_tunegate("export", *words, cwd=folder)


def test_the_command_writes_or_prints(write_run: Writer, tmp_path: Path) -> None:
    path = write_run()
    for form in FORMATS:
        if form == "inspect" and find_spec("inspect_ai") is None:
            continue
        more = ["--dataset", "org/clauses"] if form == "eval-results" else []
        done = tunegate(tmp_path, str(path), "--format", form, "--out", f"new/{form}.txt", *more)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"written: new/{form}.txt\n", "")
        assert (tmp_path / "new" / f"{form}.txt").read_bytes().decode() == whole(path, form, *more[1:])
    assert list((tmp_path / "new").glob(".*")) == []
    assert json.loads(tunegate(tmp_path, str(path), "--format", "json").stdout)["outcome"] == "fail"
    assert tunegate(tmp_path, str(path), "--format", "xml").returncode == 4


def test_a_file_stays_as_it_was_until_the_new_one_is_whole(write_run: Writer, tmp_path: Path) -> None:
    path = write_run()
    (tmp_path / "out.csv").write_text("old")
    records = path / "records.jsonl"
    records.write_bytes(records.read_bytes().replace(b'"suite"', b"suite", 1))
    done = tunegate(tmp_path, str(path), "--format", "csv", "--out", "out.csv")
    assert done.returncode == 4 and "cannot be read" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "out.csv").read_text() == "old"
    assert list(tmp_path.glob(".out*")) == []


def test_a_metric_called_like_a_column_of_every_export_has_a_column_of_its_own() -> None:
    assert heading(["kind"], ["error", "accuracy"]) == [*FIXED, "slice kind", "metric error", "accuracy"]


def test_a_tag_called_cluster_does_not_replace_the_cluster_in_a_log_of_inspect() -> None:
    case = Case(id="a", input={}, expected=[], cluster="lease 1", tags={"cluster": "north", "kind": "lease"})
    about = {"suite": SUITE, "cluster": "lease 1", "tag cluster": "north", "kind": "lease"}
    assert inspect_log.metadata(make_suite(), case) == about
