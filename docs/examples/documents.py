"""Write docs/examples/documents.md: two documents of each kind that the suites are cut from, whole, with their labels.

python docs/examples/documents.py
"""

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from evalsuites.brand.voice.briefs import Brief, brands, briefs  # noqa: E402
from evalsuites.finance.report.sheets import Sheet, sheets  # noqa: E402
from evalsuites.legal.instruments.documents import INSTRUMENTS, Instrument, flat, instruments  # noqa: E402
from evalsuites.policy.handbook.handbooks import Handbook, handbooks  # noqa: E402

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Documents of the suites with their labels

Two documents of each kind from the test parts, whole, with the labels of their sidecars: Georgia instruments, fund
sheets, staff handbooks, and briefs in a brand's voice. No party, fund, company or brand in them exists, and no lawyer,
fund company, employer or client wrote or checked them. Written by `python docs/examples/documents.py`.
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
    rows = [(p.type, p.note, flat(instrument.text[p.start : p.end])) for p in instrument.clauses]
    rows += [(f"near miss: {p.type}", p.note, flat(instrument.text[p.start : p.end])) for p in instrument.near_misses]
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


def sheet_section(sheet: Sheet) -> str:
    """Return one fund sheet as Markdown: text, facts, statements and tasks with right answers."""
    sidecar = sheet.sidecar
    lines = [f"## {sheet.id}", "", f"Layout: {sidecar.layout}.", "", "```text", sheet.text.rstrip(), "```", ""]
    head, *rows = [line.split("|") for line in sidecar.facts.strip().splitlines()]
    lines += [f"| {' | '.join(cell.strip() for cell in head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(cell.strip() for cell in row)} |" for row in rows]
    lines += [f"\nMust go with every report: {' / '.join(wordings)}" for wordings in sidecar.statements]
    lines += [f"\n**Task ({task.kind}).** {task.ask} *{task.answer}*" for task in sidecar.tasks]
    return "\n".join(lines) + "\n"


def handbook_section(handbook: Handbook) -> str:
    """Return one handbook as Markdown: text, departments and questions with right answers."""
    sidecar = handbook.sidecar
    lines = [f"## {handbook.id}", "", f"{sidecar.company}.", "", "```text", handbook.text.rstrip(), "```", ""]
    lines += [
        f"**Departments.** {'; '.join(sidecar.departments)}. **No sections:** {'; '.join(sidecar.missing_sections)}."
    ]
    lines += [f"\n**Question ({each.kind}).** {each.ask} *{each.answer}*" for each in sidecar.questions]
    return "\n".join(lines) + "\n"


def brief_section(brief: Brief) -> str:
    """Return one brief as Markdown: the source, the points to be kept and the right texts."""
    lines = [f"## {brief.id}: {brief.kind}", "", "```text", brief.document.strip(), "```", ""]
    lines += [f"**Points.** {'; '.join(brief.points)}"]
    for text in brief.texts:
        lines += ["", f"**{text.channel.capitalize()}**", "", "```text", text.answer.strip(), "```"]
    return "\n".join(lines) + "\n"


def page() -> str:
    """Return the whole page."""
    sections = [*map(section, chosen()), *map(sheet_section, sheets("test")[1:3])]
    sections += map(handbook_section, handbooks("test")[:2])
    drafts = [brief for brand in brands() for brief in briefs(brand, "test")]
    sections += [brief_section(next(brief for brief in drafts if brief.kind == kind)) for kind in ("rewrite", "trap")]
    return "\n".join([HEAD, *sections])


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
