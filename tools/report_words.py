"""Count the words of a report page as a reader meets them: all but source texts and rendered prompts.

    python -m tools.report_words runs/latest/report/report.html

Folded text counts. Of a chart that is drawn in two widths, one counts.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LIMIT = 6_000
"""Most words of a report on one suite."""
SKIPPED = ("script", "style", "title")
UNCOUNTED = {"source", "narrow"}
"""Classes of elements that are not counted: source texts and prompts, the second width of a chart."""
VOID = {"meta", "input", "br", "img", "link", "hr", "path", "rect", "line", "circle", "use"}
WORD = re.compile(r"\w[\w'’.,%/:-]*")


class _Reader(HTMLParser):
    """Collects the counted text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = set((dict(attrs).get("class") or "").split())
        if tag not in VOID:
            self._open.append((tag, tag in SKIPPED or bool(classes & UNCOUNTED)))

    def handle_endtag(self, tag: str) -> None:
        while tag not in VOID and self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(skips for _, skips in self._open):
            self.texts.append(data)


def count(page: str) -> int:
    """Return the number of words of a page."""
    reader = _Reader()
    reader.feed(page)
    return len(WORD.findall(" ".join(reader.texts)))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {count(Path(name).read_text('utf-8')):,} words")
