"""What the answers cost, and why a row is missing."""

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from harness.engines.usage import UsageMeter
from harness.schema import Completion
from reports.assemble import build
from reports.model import Cell, Section, Table
from tests.reports.conftest import Writer, as_markdown, facts, part, table
from tests.support.sample import make_checkpoint, make_manifest

SPENT = {
    "answers": 10,
    "prompt_tokens": 5_000,
    "cached_prompt_tokens": 1_000,
    "prefix_hit_rate": 0.2,
    "generated_tokens": 400,
    "answer_s": 25.0,
    "prompt_tokens_per_s": 200.0,
    "generated_tokens_per_s": 16.0,
    "utilisation": 0.125,
}
ENGINE = {
    "name": "vllm",
    "version": "0.32.0",
    "device": "cuda",
    "cached": 10,
    "generated": 10,
    "prompt_tokens": 10_000,
    "output_tokens": 800,
    "truncated": {"baseline": 3, "tuned": 0},
    "wall_s": 60.0,
    "throughput": {
        "variants": {"tuned": SPENT},
        "whole": SPENT,
        "loads": 1,
        "load_s": 20.0,
        "why_no_utilisation": "",
        "peak_memory_bytes": 3 * 2**30,
        "peak_memory_of": "reserved on the device by vLLM's process",
    },
}


def cost(write_run: Writer, engine: dict[str, Any], **more: Any) -> Section:
    return part(build([write_run(manifest=make_manifest(engine=engine, **more))]), "cost")


def rows(section: Section, caption: str) -> dict[str, list[Cell]]:
    return {row[0].text: row[1:] for row in table(section, caption).rows}


def test_the_section_of_a_run_with_a_cached_baseline(write_run: Writer, snapshot: SnapshotAssertion) -> None:
    # The run took 450 s, 60 s of them in answers: 20 s to load, 25 s to answer.
    assert as_markdown(cost(write_run, ENGINE)) == snapshot


def note(section: Section) -> str:
    return table(section, "Cost by model").note


def test_what_was_not_recorded_has_no_row(write_run: Writer) -> None:
    bare = cost(write_run, {"name": "fake"})
    assert list(facts(bare)) == ["Engine"]
    assert list(rows(bare, "Cost by model")) == ["Answers truncated at the limit"]


def test_nothing_computed_is_no_engine_that_records_nothing(write_run: Writer) -> None:
    silent = {key: value for key, value in ENGINE.items() if key != "throughput"} | {"name": "transformers"}
    timed = "only servers' answers are timed one by one, not those of a batch."
    assert (
        note(cost(write_run, ENGINE | {"throughput": {}}))
        == f"Rows without a value are left out: cached from an earlier run; {timed}"
    )
    assert (
        note(cost(write_run, silent))
        == f"Rows without a value are left out: the engine transformers did not record it; {timed}"
    )


def test_an_unknown_peak_leaves_the_utilisation_open_with_the_reason(write_run: Writer) -> None:
    spent = SPENT | {"utilisation": None}
    why = {"why_no_utilisation": "the peak of a processor is not known"}
    engine = ENGINE | {"throughput": ENGINE["throughput"] | {"variants": {"tuned": spent}} | why}  # type: ignore[operator]
    section = cost(write_run, engine)
    assert "Utilisation" not in rows(section, "Cost by model")
    assert "the peak of a processor is not known" in note(section) and "Utilisation is" not in note(section)


def test_an_older_record_without_answers_says_so(write_run: Writer) -> None:
    spent = {key: value for key, value in SPENT.items() if key != "answers"}
    engine = ENGINE | {"throughput": ENGINE["throughput"] | {"variants": {"tuned": spent}}}  # type: ignore[operator]
    section = cost(write_run, engine)
    found = rows(section, "Cost by model")
    assert "Time per answer" not in found and "not recorded in this run" in note(section)
    assert found["Seconds answering"][1].text == "25.0 s"


def test_latency_is_shown_where_servers_were_timed_and_explained_where_not(write_run: Writer) -> None:
    timed = {"tuned": {"answers": 40, "p50": 850.0, "p95": 2400.0, "p99": 5000.0}}
    servers = {
        "http://host:8000": {"version": "0.32.0", "answered": 41, "faults": {"timed out": 2, "503": 1}},
        "http://other:8000": {"version": "", "answered": 0, "faults": {}},
    }
    engine = {"name": "openai", "latency_ms": timed, "servers": servers, "wall_s": 60.0}
    section = cost(write_run, engine)
    latency = rows(section, "Cost by model")["Latency"]
    assert [(cell.text, cell.note) for cell in latency] == [
        ("–", "cached from an earlier run"),
        ("850 ms; 2.4 s", "40 answers"),
    ]
    by_server = rows(section, "Servers")
    assert [cell.text for cell in by_server["http://host:8000"]] == ["41", "3"]
    assert [cell.text for cell in by_server["http://other:8000"]] == ["0", "0"]
    assert "not those of a batch" in note(cost(write_run, ENGINE))


def test_parts_that_the_engine_did_not_tell_apart_stay_together(write_run: Writer) -> None:
    engine = {key: value for key, value in ENGINE.items() if key != "throughput"}
    found = rows(cost(write_run, engine), "Where the time went")
    assert found["Answering"][0].text == "1 min 0 s"
    running = cost(write_run, ENGINE, ended=None)
    assert "Whole run" not in rows(running, "Where the time went")
    assert not [b for b in cost(write_run, {"name": "fake"}).blocks if isinstance(b, Table) and "time" in b.caption]


def test_an_accepted_baseline_was_not_asked_and_has_no_column(write_run: Writer) -> None:
    accepted = make_checkpoint("old", "1", kind="accepted")
    checkpoints = {"baseline": accepted, "tuned": make_checkpoint("new", "2")}
    section = cost(write_run, ENGINE, checkpoints=checkpoints)
    assert table(section, "Cost by model").columns == ["", "Tuned"]


@pytest.mark.parametrize("engine", [{}, {"throughput": None}, {"throughput": {"variants": {}}}, {"truncated": {}}])
def test_a_record_with_little_in_it_makes_a_section(write_run: Writer, engine: dict[str, Any]) -> None:
    assert cost(write_run, engine).blocks


def test_what_the_meter_writes_is_what_the_section_reads(write_run: Writer, tmp_path: Any) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text('{"model_type": "llama", "num_experts": 4}')
    meter = UsageMeter()
    with meter.loading():
        pass
    with meter.answering("tuned", tmp_path / "m") as spent:
        spent.add(Completion(key="k", text="a", finish_reason="stop", prompt_tokens=70, output_tokens=7))
        spent.add(Completion(key="l", text="", finish_reason="error", prompt_tokens=9, output_tokens=0, error="e"))
    engine = ENGINE | {"throughput": meter.describe(None, "float32")}
    section = cost(write_run, engine)
    found = rows(section, "Cost by model")
    assert [found[title][1].text for title in ("Answers computed", "Prompt tokens", "Output tokens")] == [
        "1",
        "70",
        "7",
    ]
    assert "only some of the model's parameters" in note(section)
