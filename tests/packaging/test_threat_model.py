"""Every control of the threat model names a test, and every test that it names is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_every_named_test_exists() -> None:
    functions = {
        path: {
            node.name
            for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
            if isinstance(node, ast.FunctionDef)
        }
        for path in {path for path, _ in NAMED}
    }
    assert len(NAMED) >= 40
    assert [f"{path}::{name}" for path, name in NAMED if name not in functions[path]] == []


def test_every_threat_has_a_control_and_says_what_shows_it() -> None:
    listed = TEXT.partition("## Threats")[2].partition("## What is not")[0]
    threats = re.findall(r"^- \*\*(.+?)\*\*: (.+?)(?=\n\n|\n- |\Z)", listed, re.M | re.S)
    assert len(threats) >= 40
    for threat, control in threats:
        said, _, shown = control.partition("`tests/")
        assert said.strip() and (shown or control.endswith("`make check`")), threat
