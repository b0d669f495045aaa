"""JUnit as pytest writes it of a suite: every gate with its numbers, and no character that breaks the file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from tests.support.mini import TEST, pytest_in, right, rows, write_script, write_suite

ILLEGAL = 'NUL \x00 ESC \x1b[31m bell \x07 noncharacter \ufffe ]]> <failure> & " \u202e'
SAYS = (
    TEST
    + """

@suite.case(must=True)
def test_says_nothing_odd(record):
    assert record.completion.text == "", record.completion.text
"""
)


def test_gates_carry_their_numbers_and_illegal_characters_do_not_break_the_file(tmp_path: Path) -> None:
    cases = rows()
    cases[1]["id"] = 'c1 \x00\x1b\u202e<&">'
    cases[3]["tags"] = {"instrument": "deed \x00\x1b<&", "kind": "clause"}
    write_suite(tmp_path, cases=cases, test=SAYS)
    write_script(tmp_path, tuned=right(cases) | {"c0": ILLEGAL, "c2": f"holdover {ILLEGAL}"})
    done = pytest_in(tmp_path, "-q", "--junitxml=junit.xml")
    assert done.returncode == 1, done.stdout + done.stderr
    raw = (tmp_path / "junit.xml").read_bytes()
    assert not {0, 7, 27} & set(raw) and "\ufffe" not in raw.decode()
    tests = {case.get("name", ""): case for case in ET.fromstring(raw).iter("testcase")}
    gates = [case for name, case in tests.items() if name.startswith("gate[")]
    assert len(gates) == 4  # one on the whole suite, one for each of three slice values
    for gate in gates:
        found = {p.get("name"): p.get("value") for p in gate.iter("property")}
        assert {"value", "low", "high", "n", "clusters", "bar", "outcome"} <= set(found)
        assert 0 <= float(found["low"] or "x") <= float(found["value"] or "x") <= float(found["high"] or "x") <= 1
        assert int(found["n"] or "x") >= int(found["clusters"] or "x") >= 1 and found["bar"] == "at least 50.0%"
    assert any("NUL #x00" in (failure.get("message") or "") for failure in ET.fromstring(raw).iter("failure"))
