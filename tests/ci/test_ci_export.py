"""The export: it holds no model text, travels whole, and one that is not what it should be is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import UserError
from reports.ci import collect
from reports.ci.export import MOST_BYTES, Export, decode, encode, load
from tests.ci.sample import export, suite, verdict
from tests.reports.conftest import Writer
from tests.support.sample import make_manifest, make_records, with_text


def read(written: Path) -> Export:
    return collect.export(collect.evidence(written))


def test_an_export_has_every_gate_unmet_ones_first_and_the_cases_that_got_worse(write_run: Writer) -> None:
    found = read(write_run())
    (part,) = found.suites
    assert [v.outcome for v in part.verdicts] == ["fail", "inconclusive", "pass"]
    assert part.counts == {"fail": 1, "inconclusive": 1, "pass": 1} and found.outcome == "fail"
    assert (part.worse, part.worse_total) == (["lease-009"], 1)  # the one on which the tuned model invents a section
    assert found.commit == "f" * 40 and found.status == "finished"


def test_a_suite_that_was_not_judged_is_said_to_be_left_out_only_where_there_is_a_run(
    write_run: Writer, tmp_path: Path
) -> None:
    (gates := tmp_path / "bars" / "legal" / "other" / "gates.toml").parent.mkdir(parents=True)
    gates.touch()
    ran = collect.export(collect.evidence(write_run()), tmp_path / "bars")
    assert "removed, renamed, deselected" in ran.suites[-1].sentence
    (crashed,) = collect.export(None, tmp_path / "bars").suites
    assert (crashed.name, crashed.sentence) == ("legal/other", collect.NOT_RUN)


def test_no_text_of_models_or_documents_is_in_an_export(write_run: Writer) -> None:
    records = [with_text(record, f"planted answer {n}") for n, record in enumerate(make_records())]
    raw = encode(read(write_run(records=records))).decode()
    assert "planted" not in raw and "governed by the laws" not in raw and "Rent is" not in raw


def test_a_run_whose_sealed_files_changed_cannot_pass(write_run: Writer) -> None:
    folder = write_run(verdicts=[verdict(0, "pass", slice=None, slice_value=None)])
    assert read(folder).outcome == "pass"
    with (folder / "verdicts.json").open("a") as file:
        file.write("\n")
    found = read(folder)
    assert (found.status, found.outcome) == ("changed", "skipped")
    assert "verdicts.json" in found.notes[0]
    (folder / "MANIFEST.sha256").unlink()
    assert read(folder).outcome == "skipped"


def test_a_suite_without_a_verdict_keeps_the_whole_from_passing() -> None:
    assert export(suite(verdict(0, "pass"))).outcome == "pass"
    assert export(suite(verdict(0, "pass")), suite(name="legal/other")).outcome == "inconclusive"
    assert export(suite()).outcome == "skipped"


def test_very_many_gates_are_counted_and_fewer_are_listed() -> None:
    gates = [verdict(number, reason="because " * 100) for number in range(400)]
    parts = [
        suite(*(verdict(n, suite=f"s{i}", reason="because " * 100) for n in range(400)), name=f"s{i}") for i in "ab"
    ]
    raw = encode(export(suite(*gates), *parts))
    found = decode(raw, "x")
    assert len(raw) <= MOST_BYTES
    assert [part.counts["fail"] for part in found.suites] == [400] * 3
    assert {len(part.verdicts) for part in found.suites} == {200}


def altered(**fields: object) -> bytes:
    whole = json.loads(encode(export(suite(verdict()))))
    return json.dumps({**whole, **fields}).encode()


def altered_suite(**fields: object) -> bytes:
    whole = json.loads(encode(export(suite(verdict()))))
    return json.dumps({**whole, "suites": [{**whole["suites"][0], **fields}]}).encode()


@pytest.mark.parametrize(("raw", "expected"), [
    (b"", "not a valid export"),
    (b"\xff\xfe", "not a valid export"),
    (b"[]", "not a valid export"),
    (b"[" * 100_000, "not a valid export"),
    (altered(schema_version=4, colour="red"), "written by a newer tunegate (schema 4, this one reads 3)"),
    (altered(schema_version=0), "has schema 0, expected 3"),
    (altered(completion="text"), "unknown field `completion`"),
    (altered(commit="not hex"), "matching regex"),
    (altered(status="passed"), "Invalid enum value"),
    (altered(run_id="x" * 1001), "length <= 1000"),
    (altered(moved=["x"] * 201), "length <= 200"),
    (altered(suites=[{"name": "x"}]), "missing required field"),
    (altered_suite(counts={"pass": -1}), ">= 0"),
    (altered_suite(counts={"won": 1}), "Invalid enum value"),
    (altered(status="interrupted"), "it has verdicts of a run that is interrupted"),
    (altered_suite(counts={"pass": 9}), "lists more gates than it counts"),
    (altered_suite(name="legal/other"), "listed under another suite"),
    (altered_suite(worse=["a"], worse_total=0), "lists more cases than it counts"),
    (altered(suites=[json.loads(altered())["suites"][0]] * 2), "listed twice"),
    (altered(**{"\n::error::forged ##[error]forged \u202e": 1}), "unknown field ` ::error::forged ## [error]forged"),
])  # fmt: skip
def test_what_is_no_export_is_refused_in_one_inert_line(raw: bytes, expected: str) -> None:
    with pytest.raises(UserError) as refused:
        decode(raw, "verdicts.json")
    said = str(refused.value)
    assert expected in said
    assert "\n" not in said and "##[" not in said and "\u202e" not in said


def test_a_file_that_is_too_large_or_a_link_is_not_read(tmp_path: Path) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(encode(export(suite())) + b" " * MOST_BYTES)
    with pytest.raises(UserError, match="larger than"):
        load(large)
    (tmp_path / "link.json").symlink_to(large)
    with pytest.raises(UserError, match="there is no export"):
        load(tmp_path / "link.json")


def test_a_training_run_has_nothing_to_export(write_run: Writer) -> None:
    with pytest.raises(UserError, match="is a train run"):
        collect.evidence(write_run(manifest=make_manifest(kind="train")))


def test_a_folder_names_its_one_run_none_or_too_many(write_run: Writer, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert collect.locate(str(tmp_path / "empty"), tmp_path) is None
    folder = write_run()
    assert collect.locate(str(tmp_path), tmp_path) == folder
    assert collect.locate(str(folder), tmp_path) == folder
    write_run()
    with pytest.raises(UserError, match="contains 2 runs"):
        collect.locate(str(tmp_path), tmp_path)
    with pytest.raises(UserError, match="no run has that name"):
        collect.locate("nowhere", tmp_path)


def test_long_lists_of_a_manifest_are_cut_and_say_so(write_run: Writer) -> None:
    found = read(write_run(manifest=make_manifest(moved=[f"bar {n}" for n in range(500)], notes=["x" * 5000])))
    assert len(found.moved) == 200 and found.moved[-1] == "301 more differences"
    assert len(found.notes[-1]) == 1000
    decode(encode(found), "x")
