"""The report as data: sections of typed blocks that every view only places. Knows no run and no file format.

Text in it is raw and untrusted; views escape it and make control characters visible.
"""

from typing import Literal

from msgspec import Struct, field

from harness.schema import Estimate, Outcome

Tone = Literal["plain", "good", "bad", "caution", "muted"]
Kind = Literal["regression", "gain", "fabrication", "error", "wrong", "unchanged"]
"""What a case is shown for; a case can be several at once."""
Reading = Literal["", "better", "worse", "undecided"]
"""What a paired change shows; empty where it is no change."""


class Facets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reader can filter a case by."""

    suite: str
    """Suite of the case."""
    kinds: tuple[Kind, ...] = ()
    """All that the case is."""
    slices: tuple[str, ...] = ()
    """Slices it lies in, such as `instrument: lease`."""


class Piece(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of an answer that is shown in one way."""

    text: str
    """A stretch of an answer, raw."""
    change: Literal["same", "removed", "added"] = "same"
    """Whether only the baseline (`removed`) or only the tuned answer (`added`) says it."""
    finding: str = ""
    """What a scorer found here, in words; empty where it found nothing."""
    tone: Tone = "plain"
    """How the finding is shown."""


class Cell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of a table or list, with what gives it meaning."""

    text: str
    """What a reader sees, formatted by `words`."""
    note: str = ""
    """Quieter lines below."""
    tone: Tone = "plain"
    """Colour, always beside words that say the same."""
    badge: str = ""
    """An outcome (`pass`, `fail` ...) that gives the cell a symbol."""
    code: bool = False
    """Set in a fixed-width face: digests, ids, versions."""
    link: str = ""
    """Where a page shows more of it: file and anchor."""
    estimate: Estimate | None = None
    """The unrounded number behind the text."""


class Text(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="text"):
    """A paragraph."""

    text: str
    """One paragraph."""
    tone: Tone = "plain"
    """Colour, always beside words that say the same."""


class Headline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="headline"):
    """The first thing that is said of a suite."""

    suite: str
    """Suite name."""
    outcome: Outcome
    """Outcome of the suite's gates together."""
    sentence: str
    """One plain sentence: what changed for the business."""
    reason: str
    """Which gates decided it."""
    objective: str
    """The aim in the business's own words."""
    glance: list[tuple[str, str]] = field(default_factory=list)
    """What got worse and how sure that is, where several suites share the first screen."""
    counted: str = ""
    """How many gates are not met, where views list them."""
    unmet: list[Cell] = field(default_factory=list)
    """The gates that `reason` names, with what was observed."""


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="facts"):
    """A list of names and values."""

    caption: str
    """What the list describes."""
    pairs: list[tuple[str, Cell]]
    """Name and value."""


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="table"):
    """A table."""

    caption: str
    """What the table shows; read out before it."""
    columns: list[str]
    """Headings."""
    rows: list[list[Cell]]
    """One cell a column; the first heads its row."""
    numeric: list[int] = field(default_factory=list)
    """Columns whose cells line up on the right."""
    note: str = ""
    """How to read it."""
    folded: bool = False
    """Closed until a reader opens it, where a view can do that."""
    cases: list[Facets] = field(default_factory=list)
    """Of a table of cases, what a reader can filter its rows by, one a row."""


class Tick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mark on an axis."""

    at: float
    """Position on the axis, in its unit."""
    text: str
    """Label."""


class Mark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An estimate in a drawing."""

    variant: str
    """Which checkpoint, or `change` for a paired difference."""
    value: float
    """Centre."""
    low: float
    """Left end; equal to `value` where no interval is known."""
    high: float
    """Right end."""
    text: str
    """The same in words."""
    reading: Reading = ""
    """Of a change: what it shows."""
    brief: str = ""
    """The value alone, where there is no room for more."""


class PlotRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a drawing of intervals."""

    label: str
    """Metric or slice."""
    note: str
    """Direction of improvement."""
    marks: list[Mark]
    """Drawn below each other."""
    bars: list[Tick] = field(default_factory=list)
    """Gates' bars, as lines with a label."""
    panel: str = ""
    """Small multiple that the row stands in; rows of one label share a line."""


class Intervals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="intervals"):
    """A drawing of intervals."""

    id: str
    """Unique in the report."""
    title: str
    """What is drawn; the label for those who do not see it."""
    ticks: list[Tick]
    """Axis marks; the first and last are its ends."""
    ends: tuple[str, str] = ("", "")
    """Words for the left and right of 0; where they are given, positions are turned so that right is better."""
    rows: list[PlotRow]
    """Top to bottom."""
    twin: str
    """Caption of the table that says the same."""


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a drawing of curves."""

    name: str
    """Legend."""
    points: list[tuple[float, float]]
    """Step and value."""


class Curve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="curve"):
    """A drawing of curves."""

    id: str
    """Unique in the report."""
    title: str
    """What is drawn."""
    x: str
    """Name and unit of the horizontal axis."""
    y: str
    """Name and unit of the vertical axis."""
    lines: list[Line]
    """Drawn in this order."""
    twin: Table
    """The same as a table."""


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One variant's answer to a case, as it is shown."""

    variant: str
    """Who answered, as readers see it."""
    pieces: list[Piece]
    """The whole answer, uncut."""
    status: str = ""
    """Why there is no usable answer, or that it was cut."""
    findings: list[str] = field(default_factory=list)
    """What the scorers found, in words."""


class Exchange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="exchange"):
    """A case with the answers to it."""

    case_id: str
    """The case."""
    source: str
    """The contract it comes from."""
    kind: Kind
    """What the case is shown for, the gravest first."""
    why: str
    """Which metrics moved, in words."""
    excerpt: str
    """Start of the input."""
    excerpt_note: str
    """How much of the input is shown."""
    expected: str
    """The right answer."""
    answers: list[Answer]
    """Baseline, then tuned."""
    anchor: str = ""
    """Its address in a page; empty where it has none."""
    facets: Facets | None = None
    """What a reader can filter it by."""


Block = Text | Headline | Facts | Table | Intervals | Curve | Exchange


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the report under one heading."""

    id: str
    """Anchor."""
    title: str
    """Heading."""
    lead: str = ""
    """The section in one sentence."""
    blocks: list[Block] = field(default_factory=list)
    """Content, in order."""


class CasePage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more page of cases beside report.html, complete in itself."""

    name: str
    """File name."""
    title: str
    """Heading."""
    run_id: str
    """The evaluation run it shows."""
    seal: str
    """As the report's."""
    outcome: Outcome
    """As the report's."""
    sections: list[Section]
    """Cases, in the report's order."""
    before: str
    """File of the page before it."""
    after: str
    """File of the page after it; empty on the last."""


class ReportModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of report.json."""

    title: str
    """Name of the report."""
    run_id: str
    """The evaluation run it shows."""
    seal: str
    """SHA-256 of the run's MANIFEST.sha256, or a sentence that there is none."""
    outcome: Outcome
    """All suites together; only `pass` merges."""
    sections: list[Section]
    """In reading order."""
    schema_version: int = 1
    """Version of report.json's layout."""
