"""The report as data: sections of typed blocks that each view renders.

Text in it is raw and untrusted; views escape it and make control characters visible.
"""

from typing import Literal

from msgspec import Struct, field

from harness.schema import Estimate, Outcome

Tone = Literal["plain", "good", "bad", "caution", "muted"]
Kind = Literal["regression", "gain", "fabrication", "error", "wrong", "unchanged", "other"]
"""Why a case is shown; a case can be several at once."""
Reading = Literal["", "better", "worse", "undecided"]
"""What a paired change shows; empty where there is no change to show."""


class Facets(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a reader can filter a case by."""

    suite: str
    """Suite of the case."""
    kinds: tuple[Kind, ...] = ()
    """Every reason to show the case."""
    slices: tuple[str, ...] = ()
    """Slices that contain it, such as `instrument: lease`."""


class Piece(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an answer with one style."""

    text: str
    """The raw text."""
    change: Literal["same", "removed", "added"] = "same"
    """`removed`: only in the baseline's answer; `added`: only in the tuned model's."""
    finding: str = ""
    """A scorer's finding here, in words; empty without one."""
    tone: Tone = "plain"
    """How the finding is shown."""


class Cell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One value of a table or list, with its notes and style."""

    text: str
    """The formatted value."""
    note: str = ""
    """Smaller lines below."""
    tone: Tone = "plain"
    """Colour; the words always say the same."""
    badge: str = ""
    """An outcome (`pass`, `fail`, ...), shown as a symbol."""
    code: bool = False
    """Fixed-width font: digests, IDs, versions."""
    link: str = ""
    """File and anchor of the details."""
    estimate: Estimate | None = None
    """The unrounded number behind the text."""


class Text(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="text"):
    """A paragraph."""

    text: str
    """Its text."""
    tone: Tone = "plain"
    """Colour; the words always say the same."""


class Passage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="passage"):
    """A long text as it is, folded in views that can fold."""

    caption: str
    """What it is."""
    note: str = ""
    """Its start, or how much of it is shown."""
    text: str
    """The raw text."""


class Headline(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="headline"):
    """The summary of a suite at the top of the report."""

    suite: str
    """Suite name."""
    outcome: Outcome
    """Combined outcome of the suite's gates."""
    sentence: str
    """One plain sentence: what changed for the business."""
    reason: str
    """How many gates are not met."""
    objective: str
    """The suite's objective."""
    size: str = ""
    """How many cases from how many clusters were run."""
    glance: list[tuple[str, str]] = field(default_factory=list)
    """What got worse and how certain that is, where several suites share the first screen."""
    unmet: list[Cell] = field(default_factory=list)
    """The first gates that are not met, each with its finding."""


class Facts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="facts"):
    """A list of names and values."""

    caption: str
    """What the list describes."""
    pairs: list[tuple[str, Cell]]
    """Name and value."""
    folded: bool = False
    """Collapsed, in views that can collapse."""


class Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="table"):
    """A table."""

    caption: str
    """What the table shows; screen readers announce it first."""
    columns: list[str]
    """Headings."""
    rows: list[list[Cell]]
    """One cell per column; the first is the row's heading."""
    numeric: list[int] = field(default_factory=list)
    """Columns that are aligned right."""
    note: str = ""
    """How to read it."""
    folded: bool = False
    """Collapsed, in views that can collapse."""
    cases: list[Facets] = field(default_factory=list)
    """For a table of cases, the filter values of each row."""


class Tick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mark on an axis."""

    at: float
    """Position on the axis, in its unit."""
    text: str
    """Label."""


class Mark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A paired difference in a chart."""

    value: float
    """Centre."""
    low: float
    """Left end; equal to `value` where no interval is known."""
    high: float
    """Right end."""
    text: str
    """The same in words."""
    reading: Reading
    """What it shows."""
    brief: str = ""
    """The value alone, where there is no room for more."""


class PlotRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of an interval chart."""

    label: str
    """Metric or slice."""
    note: str
    """Direction of improvement."""
    marks: list[Mark]
    """Drawn one below another."""
    bars: list[Tick] = field(default_factory=list)
    """Gate thresholds, as lines with a label."""
    panel: str = ""
    """Small multiple of the row; rows with the same label share a line."""


class Intervals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="intervals"):
    """An interval chart."""

    id: str
    """Unique in the report."""
    title: str
    """What is drawn; also the alternative text."""
    ticks: list[Tick]
    """Axis ticks; the first and last are the ends of the axis."""
    ends: tuple[str, str]
    """Labels left and right of 0; positions are mirrored so that right is better."""
    unit: str = ""
    """The scale's unit and direction, in words."""
    rows: list[PlotRow]
    """Top to bottom."""
    twin: str
    """Caption of the table with the same numbers."""


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of a line chart."""

    name: str
    """Name in the legend."""
    points: list[tuple[float, float]]
    """Step and value."""


class Curve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="curve"):
    """A line chart."""

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
    """One variant's answer to a case."""

    variant: str
    """Display name of the variant."""
    pieces: list[Piece]
    """The whole answer."""
    status: str = ""
    """Why there is no usable answer, or that it was truncated."""
    findings: list[str] = field(default_factory=list)
    """The scorers' findings, in words."""


class Exchange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="exchange"):
    """A case with the answers to it."""

    case_id: str
    """Case ID."""
    source: str
    """The cluster it comes from, such as a contract."""
    kind: Kind
    """The most serious reason to show the case."""
    why: str
    """Which metrics changed, in words."""
    asked: str = "Input"
    """What the excerpt is of: the rendered prompt, or the input where the run holds no template."""
    excerpt: str
    """The prompt or document, long inputs cut."""
    excerpt_note: str
    """How much of the input is shown."""
    expected: str
    """The right answer."""
    answers: list[Answer]
    """Baseline, then tuned."""
    anchor: str = ""
    """Its anchor in a page; empty without one."""
    facets: Facets | None = None
    """Its filter values."""


Block = Text | Passage | Headline | Facts | Table | Intervals | Curve | Exchange


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
    group: str = ""
    """Heading of its group in the navigation."""


class CasePage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A self-contained page of cases next to report.html."""

    name: str
    """File name."""
    title: str
    """Heading."""
    run_id: str
    """The evaluation run it shows."""
    seal: str
    """The same as in the report."""
    outcome: Outcome
    """The same as in the report."""
    sections: list[Section]
    """Cases, in the report's order."""
    before: str
    """File of the previous page."""
    after: str
    """File of the next page; empty on the last."""


class ReportModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of report.json."""

    title: str
    """Name of the report."""
    run_id: str
    """The evaluation run it shows."""
    seal: str
    """SHA-256 of the run's MANIFEST.sha256, or a sentence that says there is none."""
    outcome: Outcome
    """Combined outcome of all suites; only `pass` allows a merge."""
    context: list[tuple[str, str]] = field(default_factory=list)
    """Models, base, engine and date: what the decision is about."""
    sections: list[Section]
    """In reading order."""
    schema_version: int = 1
    """Version of the layout of report.json."""
