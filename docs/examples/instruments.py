"""Write docs/examples/instruments.md: two instruments of each kind, whole, with their labels.

python docs/examples/instruments.py
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from evalsuites.legal.instruments.documents import INSTRUMENTS, Instrument, instruments, span_text  # noqa: E402

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Georgia instruments with their labels

Two instruments of each kind from `evalsuites/legal/instruments/test`, whole, with the labels of their sidecars. No
party in them exists, and no lawyer wrote or checked them. Written by `python docs/examples/instruments.py`.
"""


def chosen() -> Iterator[Instrument]:
    """Yield two instruments of each kind, of styles that were shown least before them."""
    shown: dict[str, int] = {}
    for kind in INSTRUMENTS:
        left = [each for each in instruments("test") if each.sidecar.instrument == kind]
        for _ in range(2):
            best = min(left, key=lambda each: (shown.get(each.sidecar.style, 0), each.id))
            left = [each for each in left if each.sidecar.style != best.sidecar.style]
            shown[best.sidecar.style] = shown.get(best.sidecar.style, 0) + 1
            yield best


def section(instrument: Instrument) -> str:
    """Return one instrument as Markdown: text, deal, passages, summary and questions."""
    sidecar = instrument.sidecar
    deal = [f"{party.role}: {party.name}" for party in sidecar.parties]
    for values in (sidecar.amounts, sidecar.dates, sidecar.periods):
        deal += [f"{name.replace('_', ' ')}: {value}" for name, value in values.items()]
    rows = [(p.type, p.note, span_text(instrument, p)) for p in instrument.clauses]
    rows += [(f"near miss: {p.type}", p.note, span_text(instrument, p)) for p in instrument.near_misses]
    title = f"## {instrument.id}: {sidecar.instrument}, {sidecar.style}"
    lines = [title, "", "```text", instrument.text.rstrip(), "```", "", f"**Deal.** {'; '.join(deal)}.", ""]
    lines += ["| label | says, or why it is no clause | from ... to |", "|---|---|---|"]
    lines += [f"| {name} | {_cell(note)} | {_cell(_ends(text))} |" for name, note, text in rows]
    lines += ["", f"**Summary.** {' '.join(sidecar.summary.split())}"]
    for question in sidecar.questions:
        answer = "; ".join(question.answer) or "not in the document"
        lines += ["", f"**Question ({question.kind}).** {question.ask} *{answer}*"]
    return "\n".join(lines) + "\n"


def _ends(text: str, words: int = 6) -> str:
    """The first and last words of a passage."""
    listed = text.split()
    return text if len(listed) <= 2 * words else f"{' '.join(listed[:words])} ... {' '.join(listed[-words:])}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("~", "\\~")


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *map(section, chosen())])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
