"""The messages on the page about troubleshooting are those of the product."""

import ast
import re

from tests.docs.blocks import ROOT, text_of

PAGE = "docs/troubleshooting.md"
PACKAGES = ("tunegate", "harness", "training", "reports")


def messages() -> list[str]:
    """Every string of the product; values that it fills in are left out."""
    found = []
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = [part.value if isinstance(part, ast.Constant) else "\0" for part in node.values]
                    found.append("".join(map(str, parts)))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.append(node.value)
    return found


def test_every_quoted_message_is_in_the_code() -> None:
    quoted = re.findall(r"^\| `([^`]+)` \|", text_of(PAGE), re.M) + re.findall(
        r"`(Only a finished[^`]*)`", text_of(PAGE)
    )
    there = messages()
    patterns = {text: re.compile(".*?".join(map(re.escape, text.split("...")))) for text in quoted}
    assert len(quoted) > 20
    gone = [text for text, pattern in patterns.items() if not any(map(pattern.search, there))]
    assert gone == [], f"{PAGE} quotes messages that the code no longer has: quote the new ones"
