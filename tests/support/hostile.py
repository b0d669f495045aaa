"""Texts that attack a report's reader, and a model that carries texts in every place where one can stand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

from reports.model import (
    Answer,
    Cell,
    Curve,
    Exchange,
    Facets,
    Facts,
    Headline,
    Intervals,
    Line,
    Mark,
    Piece,
    PlotRow,
    ReportModel,
    Section,
    Table,
    Text,
    Tick,
)

RUN = "document.documentElement.dataset.pwned=1"
ATTACKS = [
    f"</script><script>{RUN}</script>",
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"</style><script>{RUN}</script><style>",
    f"</title></head><body onload={RUN}>",
    f'"><svg onload={RUN}>',
    f"' onmouseover='{RUN}' autofocus onfocus='{RUN}",
    f'<a href="javascript:{RUN}">click</a>',
    f"[click](javascript:{RUN})",
    "![x](https://evil.example/pixel.png)",
    "<iframe src=https://evil.example></iframe><link rel=stylesheet href=https://evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'><base href=https://evil.example>",
    "<style>body{display:none}</style>",
    "```\n# PASSED\n![x](https://evil.example/p.png)\n```",
    "````text\n~~~\n# PASSED",
    "text\n\n# PASSED\n\n---\n\n| a | b |\n| --- | --- |\n| x | y |",
    "PASSED\n===",
    "@everyone #1 www.evil.example https://evil.example :tada: <!-- marker -->",
    "{{ 7*7 }} {% raw %} ${7*7} $x^2$",
    "\x1b[2J\x1b[31mred\x07 \x9b31m",
    "abc\u202edcba\u2066x\u2069 zero\u200bwidth\ufeff tag\U000e0041",
    "NUL\x00 CR\rX half\ud800",
    "::error::forged",
    "[bold red]markup[/bold red] [link=https://evil.example]x[/link]",
    "&lt;script&gt; &#60;b&#62; &amp;",
]
ALPHABET = "<>\"'`&|*_[]()!#~\\/:;=-+@$%{}\n\r\t\x00\x1b\u202e\u200b\u2028 aA1§é😀\ud800"


def random_texts(count: int) -> list[str]:
    """Attacks cut, joined and sprinkled with special characters."""
    chance = random.Random(7)
    made = []
    for _ in range(count):
        noise = "".join(chance.choice(ALPHABET) for _ in range(chance.randrange(12)))
        attack = chance.choice(ATTACKS)
        cut = chance.randrange(len(attack) + 1)
        made.append(noise + attack[cut:] + chance.choice(ATTACKS)[:cut] + noise[::-1])
    return made


def model_of(texts: Sequence[str]) -> ReportModel:
    """A report that has these texts in its titles, cells, notes, labels, anchors, answers and captions."""
    supply = cycle(texts)
    blocks: list[Any] = []
    for _ in range(max(1, len(texts) // 20)):
        blocks += _blocks(supply)
    section = Section(id="s", title=next(supply), lead=next(supply), blocks=blocks)
    return ReportModel(title=next(supply), run_id=next(supply), seal=next(supply), outcome="fail", sections=[section])


def _blocks(supply: Iterator[str]) -> list[Any]:
    def cells(count: int, **more: Any) -> list[Cell]:
        return [Cell(text=next(supply), note=next(supply), **more) for _ in range(count)]

    def facets() -> Facets:
        return Facets(suite=next(supply), kinds=("regression", "error"), slices=(next(supply), next(supply)))

    table = Table(
        caption=next(supply),
        columns=[next(supply), next(supply)],
        rows=[cells(2, link=next(supply)), cells(2, code=True), cells(2, badge="fail", tone="bad")],
        note=next(supply),
        cases=[facets(), facets(), facets()],
    )
    mark = Mark(value=0.5, low=0.4, high=0.6, text=next(supply), reading="better")
    row = PlotRow(label=next(supply), note=next(supply), marks=[mark], bars=[Tick(at=0.9, text=next(supply))])
    ends = [Tick(at=0, text=next(supply)), Tick(at=1, text="100%")]
    pieces = [
        Piece(text=next(supply), change=change, finding=next(supply), tone=tone)
        for change, tone in (("same", "bad"), ("added", "good"), ("removed", "plain"))
    ]
    return [
        Text(text=next(supply)),
        Text(text=next(supply), tone="caution"),
        Headline(
            suite=next(supply), outcome="fail", sentence=next(supply), reason=next(supply), objective=next(supply)
        ),
        Headline(
            suite=next(supply),
            outcome="fail",
            sentence=next(supply),
            reason=next(supply),
            objective=next(supply),
            unmet=cells(2, badge="fail"),
        ),
        Facts(caption=next(supply), pairs=[(next(supply), cells(1)[0])]),
        table,
        Intervals(
            id="i", title=next(supply), ticks=ends, ends=(next(supply), next(supply)), rows=[row], twin=next(supply)
        ),
        Exchange(
            case_id=next(supply),
            source=next(supply),
            kind="regression",
            why=next(supply),
            excerpt=next(supply),
            excerpt_note=next(supply),
            expected=next(supply),
            answers=[Answer(variant=next(supply), pieces=pieces, status=next(supply), findings=[next(supply)])],
            anchor=next(supply),
            facets=facets(),
        ),
    ]


def curve_of(texts: Sequence[str]) -> Curve:
    """A curve with these texts as title, axis names and legend."""
    title, x, y, name = texts[:4]
    twin = Table(caption=title, columns=[x, y], rows=[])
    return Curve(id="c", title=title, x=x, y=y, lines=[Line(name=name, points=[(1, 2.0), (2, 1.0)])], twin=twin)
