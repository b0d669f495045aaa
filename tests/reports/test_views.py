"""Three views of one model: the same numbers, the same bytes each time, one plain line when the disk refuses."""

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

import reports
from harness.errors import UserError
from harness.runs.folder import RunData, load_results
from harness.runs.score_events import append
from reports import notice, side_by_side
from reports.ci import annotations, collect, markdown
from reports.model import Curve, ReportModel, Table
from reports.render import markdown as markdown_report
from reports.render import notebook, terminal
from reports.sections.verdict import warnings
from reports.wording import MET_ALONE
from tests.reports.conftest import Writer, part, table
from tests.support.sample import make_manifest, make_verdicts

NUMBER = re.compile(r"[+−<>]?\d[\d,]*(?:\.\d+)?[%×]?")


class Tables(HTMLParser):
    """Texts of all table cells of a page, note after text, in document order."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self.cells.append("")
            self._open = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.cells[-1] += data


def tables(model: ReportModel) -> list[Table]:
    blocks = [block for section in model.sections for block in section.blocks]
    return [b if isinstance(b, Table) else b.twin for b in blocks if isinstance(b, (Table, Curve))]


def numbers(texts: list[str]) -> list[str]:
    return [found for text in texts for found in NUMBER.findall(text)]


def test_html_markdown_and_json_show_the_same_numbers(run: RunData, training_run: RunData, tmp_path: Path) -> None:
    model = reports.build([run, training_run])
    page, _, text, data = (p.read_text("utf-8") for p in reports.write(model, tmp_path / "out"))
    shown = [[*t.columns, *(f"{c.text} {c.note}" for row in t.rows for c in row)] for t in tables(model)]
    expected = numbers([cell for cells in shown for cell in cells])
    parser = Tables()
    parser.feed(page)
    assert len(expected) > 150
    assert numbers(parser.cells) == expected
    facts = {name for s in model.sections for b in s.blocks if hasattr(b, "pairs") for name, _ in b.pairs}
    rows = [line for line in text.split("\n") if line.startswith("| ") and not line.startswith("| ---")]
    plain = [re.sub(r"&#(\d+);", lambda m: chr(int(m[1])), line) for line in rows]
    assert numbers([r for r in plain if r.split(" | ")[0].removeprefix("| ") not in facts]) == expected
    assert msgspec.json.decode(data, type=ReportModel) == model


def test_a_refused_write_is_one_plain_line(run: RunData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        reports.write(reports.build([run]), tmp_path / "file")


def views_of(path: Path, out: Path) -> dict[str, str]:
    """The views of a run that have room for findings and warnings."""
    view = collect.evidence(path)
    exported = collect.export(view)
    page, short, text, _ = (p.read_text("utf-8") for p in reports.write(reports.build([view.run]), out))
    views = {
        "page": page,
        "summary": short,
        "markdown": text,
        "terminal": "\n".join(terminal.lines(view.run, 300, is_verbose=True)),
        "comment": markdown.comment(exported, exported.suites[0]),
        "annotation": "\n".join(annotations.lines(exported)).replace("%25", "%"),
        "notebook": notebook.render(view.run),
    }
    return {name: html.unescape(shown) for name, shown in views.items()}


def test_every_view_says_what_a_gate_found_in_the_same_words(write_run: Writer, tmp_path: Path) -> None:
    unmet = [verdict.reason for verdict in make_verdicts() if verdict.outcome != "pass"]
    assert len(unmet) == 2
    for name, shown in views_of(write_run(), tmp_path / "out").items():
        assert [reason for reason in unmet if reason not in shown] == [], name


def test_every_view_gives_the_warnings_of_a_run(write_run: Writer, tmp_path: Path) -> None:
    """The notice, notebooks and the page side by side gave none; one model against itself was said far down."""
    twin = make_manifest().checkpoints["baseline"]
    pair = {"baseline": twin, "tuned": twin}
    manifest = make_manifest(checkpoints=pair, moved=["a gate was lost"], notes=["A note."])
    path = write_run(manifest=manifest)
    again = [msgspec.structs.replace(verdict, outcome="pass") for verdict in make_verdicts()[-1:]]
    append(path, "code", [], {"kind": "code", "verdicts": msgspec.to_builtins(again)})
    columns, first = side_by_side.open_columns([str(path), f"{path}:baseline"], tmp_path)
    views = views_of(path, tmp_path / "out") | {
        "side by side": side_by_side.write(columns, first, tmp_path / "page.html").read_text("utf-8"),
        "notice": notice.text(load_results(path), "link"),
    }
    del views["annotation"]
    said = ("a gate was lost", "are the same model: their", "another outcome of clause recall", "A note.")
    for name, shown in views.items():
        assert [text for text in said if text not in shown] == [], name
    assert "A and B: A note." in views["side by side"]


@pytest.mark.parametrize(
    ("kind", "digest", "why"),
    [
        ("scripted", "9" * 64, "has the answers of a script, not of a model"),
        ("model", "8" * 64, "compared a model with itself"),
    ],
)
def test_no_view_lets_a_script_or_one_model_be_merged(write_run: Writer, kind: str, digest: str, why: str) -> None:
    tuned = msgspec.structs.replace(make_manifest().checkpoints["tuned"], kind=kind, digest=digest)
    baseline = msgspec.structs.replace(tuned, digest="8" * 64)
    manifest = make_manifest(checkpoints={"tuned": tuned, "baseline": baseline})
    model = reports.build([write_run(manifest=manifest, verdicts=make_verdicts()[:1])])
    verdict = model.sections[0]
    assert "**PASS: No merge by this run**" in markdown_report.render(model)
    said = [getattr(block, "text", "") for block in verdict.blocks]
    assert verdict.lead == MET_ALONE and f"The run {why}. The run approves no merge." in said
    assert "PASS, no merge. Content: " in table(part(model, "signoff")).caption


def test_the_same_weights_with_another_chat_template_are_named(write_run: Writer) -> None:
    tuned = make_manifest().checkpoints["tuned"]
    twin = msgspec.structs.replace(tuned, digest="9" * 64, tokenizer_digest="e" * 64)
    view = collect.evidence(write_run(manifest=make_manifest(checkpoints={"baseline": twin, "tuned": tuned})))
    assert any("same weights: only the tokenizer or chat template differs" in text for text in warnings(view))
