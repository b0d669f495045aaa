"""Cases: strict lines, all faults at once, hashes of content."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.errors import UserError
from harness.schema import Case
from harness.suites import cases as cases_module
from harness.suites.cases import CasesOnDisk, case_hash, cases_hash, check_cases, load_cases, repeats, spellings

GOOD = {"id": "a", "input": {"document": "text"}, "expected": [], "cluster": "c1"}


def write(folder: Path, *rows: dict[str, object] | str) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
    return path


@pytest.fixture(params=["in memory", "on the disk"], autouse=True)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test sees files that fit into memory, and files that do not."""
    if request.param == "on the disk":
        monkeypatch.setattr("harness.files.MEMORY_BYTES", -1)


def test_a_good_file_loads_in_order(tmp_path: Path) -> None:
    cases = load_cases(write(tmp_path, GOOD, {**GOOD, "id": "b", "tags": {"kind": "x"}}))
    assert [(c.id, c.tags, c.document) for c in cases] == [("a", {}, "text"), ("b", {"kind": "x"}, "text")]


def test_all_bad_lines_are_named_with_their_numbers(tmp_path: Path) -> None:
    no_expected = {k: v for k, v in GOOD.items() if k != "expected"}
    twice = json.dumps({**GOOD, "id": "c"}).replace('"input": {', '"input": {"document": "other", ')
    path = write(tmp_path, GOOD, no_expected, "{broken", {**GOOD, "colour": 1}, GOOD, {**GOOD, "id": "x[1]"}, twice)
    with pytest.raises(UserError) as caught:
        load_cases(path)
    text = str(caught.value)
    assert "6 problems" in text
    assert "cases.jsonl:2: 'expected' is missing. Every case needs one; use [] if nothing is right" in text
    assert "cases.jsonl:3:" in text and "cases.jsonl:4:" in text and "colour" in text
    assert "cases.jsonl:5: id 'a' is already used on line 1" in text
    assert "cases.jsonl:6: id 'x[1]'" in text
    assert "cases.jsonl:7: has the key 'document' twice. Remove one of them" in text


def test_adjacent_lines_with_one_problem_are_one_problem(tmp_path: Path) -> None:
    wrong = [{**GOOD, "id": f"w{n}", "colour": 1} for n in range(240)]
    with pytest.raises(UserError) as caught:
        load_cases(write(tmp_path, GOOD, *wrong))
    assert re.fullmatch(r"\S*cases\.jsonl:2-241: Object contains unknown field `colour`\. .*", str(caught.value))
    with pytest.raises(UserError, match="2 problems"):
        load_cases(write(tmp_path, *wrong[:3], GOOD, *wrong[3:]))


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no cases were found"):
        load_cases(write(tmp_path, ""))


def test_cases_that_are_no_lines_are_said_to_be_so_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    for written, fault in (
        (json.dumps([GOOD, GOOD], indent=1), r"a JSON array\. Name the file \.json, or write one object per line"),
        (json.dumps(GOOD, indent=1), r"an object over several lines\. Write one object per line"),
    ):
        path.write_text(written)
        with pytest.raises(UserError, match=rf"cases\.jsonl: {fault}") as caught:
            load_cases(path)
        assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read .* Name the cases in Suite"):
        load_cases(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize(("wrong", "said"), [
    ({"cluster": ""}, "'cluster' is empty"),
    ({"expected": "42"}, r"case 1: Expected `array`, got `str` - at `\$\.expected`"),
    ({"tags": {"year": 2024}}, r"case 1: Expected `str`, got `int` - at `\$\.tags"),
    ({"input": {"n": Path}}, "case 1: Encoding objects of type"),
])  # fmt: skip
def test_a_built_case_that_a_run_could_not_read_back_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_cases([Case(**{**GOOD, **wrong})], "built")


def test_hashes_follow_content_and_not_order() -> None:
    one = Case(id="a", input={"document": "x", "b": "y"}, expected=["t"], cluster="c")
    same = Case(id="a", input={"b": "y", "document": "x"}, expected=["t"], cluster="c")
    other = Case(id="b", input={"document": "x"}, expected=["t"], cluster="c")
    assert case_hash(one) == case_hash(same) != case_hash(other)
    assert cases_hash([one, other]) == cases_hash([other, same])
    assert cases_hash([one]) != cases_hash([one, other])


def test_a_file_that_does_not_fit_into_memory_reads_like_one_that_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**GOOD, "id": f"{i}", "input": {"document": "ä" * i}} for i in range(50)]
    path = write(tmp_path, *rows[:20], "", "  ", *rows[20:])
    monkeypatch.undo()
    held = load_cases(path)
    monkeypatch.setattr("harness.files.MEMORY_BYTES", 10)
    read = load_cases(path)
    assert isinstance(read, CasesOnDisk) and not isinstance(held, CasesOnDisk)
    assert list(read) == list(held) and len(read) == 50
    assert (read[7], read[-1], read[3:9:2]) == (held[7], held[-1], held[3:9:2])
    assert cases_hash(read) == cases_hash(held)
    assert list(read[::-1]) == held[::-1] and read[:None] is read  # A copy of all would be in memory.


def test_a_line_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "LONGEST_LINE_BYTES", 1 << 20)
    path = write(tmp_path, GOOD, {**GOOD, "id": "b", "input": {"document": "x" * (1 << 20)}}, {**GOOD, "id": "c"})
    with pytest.raises(UserError, match=r"cases\.jsonl:2: the line is longer than 1 MiB\. Shorten the case"):
        load_cases(path)


def test_a_workbook_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "mails.XLSX").write_bytes(b"PK\x03\x04\n\xff\n\xff")
    with pytest.raises(UserError, match=r"mails\.XLSX: a workbook cannot be a suite's cases\. Save it as 'CSV UTF-8'$"):
        load_cases(tmp_path / "mails.XLSX")


def test_ids_used_three_times_are_named_each_time(tmp_path: Path) -> None:
    path = write(tmp_path, *[{**GOOD, "id": name} for name in ("a", "b", "a", "c", "b", "a")])
    with pytest.raises(UserError) as caught:
        load_cases(path)
    for line, name, first in ((3, "a", 1), (5, "b", 2), (6, "a", 1)):
        assert f"cases.jsonl:{line}: id '{name}' is already used on line {first}" in str(caught.value)


def test_a_file_on_the_disk_that_changes_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.files.MEMORY_BYTES", 10)
    path = write(tmp_path, GOOD, {**GOOD, "id": "b"})
    read = load_cases(path)
    assert read[1].id == "b"
    with path.open("a") as file:
        file.write("\n" + json.dumps({**GOOD, "id": "c"}))
    with pytest.raises(UserError, match="was changed while it was in use"):
        read[0]


def test_clusters_that_differ_in_letters_that_look_alike_are_named() -> None:
    def said(*clusters: str) -> str:
        return spellings(Case(id=f"c{i}", input={}, expected=[], cluster=name) for i, name in enumerate(clusters))

    assert "one source counts as several: 'Acme Lease', '\\u0410cme Lease'." in said("Acme Lease", "\u0410cme Lease")
    assert said("Beta", "\u0412eta", "B\u0435ta") != "" and said("alpha", "a\u04cfpha") == ""
    assert said("\u0412\u0430\u0433\u0430", "Bara") == ""  # a word of its own script


def test_a_long_input_that_cases_of_several_clusters_share_is_one_source() -> None:
    def said(name: str, texts: list[str], **more: str) -> tuple[str, str]:
        return repeats(
            Case(id=f"c{i}", input={name: text, "question": f"{i}?", **more}, expected=[], cluster=f"k{i}")
            for i, text in enumerate(texts)
        )

    lease, deed = (" ".join(f"{word}{i}" for i in range(50)) for word in ("rent", "land"))
    short = lease.rpartition(" ")[0]
    for name, one in ("contract", "input 'contract'"), ("document", "document"):
        assert said(name, [lease, deed, f"{lease.upper()}."], rule=f"{deed} 1") == (
            "",
            f"1 case repeats the {one} of a case of another cluster (but for capitals, white space, punctuation and "
            "digits), such as 'c0' and 'c2'. One source counts as several: give both one cluster",
        )
    assert said("contract", [lease, deed, lease.replace("9", "8")]) == said("contract", [lease, deed, lease])
    assert said("contract", [short, deed, short]) == ("", "")
    assert said("contract", [lease] * 3) == ("", "")  # an instruction
    guided = [
        Case(id=f"c{i}", input={"guide": guide, "document": f"Text {i}."}, expected=[], cluster=f"k{i}")
        for i, guide in enumerate([lease, lease, deed])
    ]
    assert repeats(guided) == ("", "")
    assert said("document", ["rent"] * 2)[1].startswith("1 case repeats the document of a case")
