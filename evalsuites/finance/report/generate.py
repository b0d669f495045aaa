"""Write the suite's cases and its training rows: a fact sheet, what to write about, and the right paragraph.

python -m evalsuites.finance.report.generate --split eval --out evalsuites/finance/report/cases.jsonl
python -m evalsuites.finance.report.generate --split train --out train.jsonl
"""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

from evalsuites.finance.report.sheets import Sheet, bank, draw_sheet, tenths_of_change, unit_of
from evalsuites.training_rows import command, fill
from harness.schema import Case

SUITE = Path(__file__).parent
KINDS = ("single_period", "comparison", "peer", "negative", "not_reported", "units")
EVAL_SHEETS = 90
ROWS = {"train": 1800, "dev": 180}
"""Rows written when --rows is not given."""


def kinds_of(number: int) -> tuple[str, str]:
    """The two kinds of a sheet's cases; over thirty sheets every pair of kinds comes up twice."""
    first, step = number % 6, 1 + number // 6 % 5
    return KINDS[first], KINDS[(first + step) % 6]


def eval_cases() -> list[Case]:
    """The suite's cases, always the same."""
    return [case for number in range(EVAL_SHEETS) for case in _cases("eval", number, "eval-1", None)]


def training_pairs(split: str, rows: int, seed: int) -> Iterator[tuple[Case, str]]:
    """Cases of `train` or `dev` with their right paragraphs; each list's last phrase is the dev rows' own."""
    every = (case for number in itertools.count() for case in _cases("train", number, f"{split}-{seed}", split))
    for case in itertools.islice(every, rows):
        yield case, case.expected[0]


def _cases(name: str, number: int, seed: str, split: str | None) -> Iterator[Case]:
    rng = random.Random(f"{seed}-{number}")
    kinds = kinds_of(number)
    sheet = draw_sheet(name, rng, kinds)
    form, absent = {}, {}
    for kind in kinds:
        form[kind] = _form(kind, sheet, rng)
        if kind == "not_reported":
            absent[kind] = _take_out(form[kind], sheet)
    document = sheet.document()
    for at, kind in enumerate(kinds, 1):
        values = _values(sheet, form[kind], absent.get(kind, ""), rng)
        phrases = bank(name)[form[kind]]
        question, paragraph = (rng.choice(_part(phrases[key], split)) for key in ("questions", "paragraphs"))
        tags = {"kind": kind, "form": form[kind], "names": "alike" if sheet.alike else "apart"}
        yield Case(
            id=f"sheet-{number + 1:03d}-{at}" if name == "eval" else f"{seed}-{number}-{at}",
            input={"document": document, "question": fill(question, values, rng)},
            expected=[fill(paragraph, values, rng)],
            cluster=f"sheet-{number + 1:03d}",
            tags=tags | ({"absent": absent[kind]} if kind in absent else {}),
        )


def _part(phrases: list[str], split: str | None) -> list[str]:
    if split is None:
        return phrases
    return phrases[-1:] if split == "dev" else phrases[:-1] or phrases


def _form(kind: str, sheet: Sheet, rng: random.Random) -> str:
    """The group of phrases that a case of a kind is written from."""
    rated = any(metric == "rating" for _, _, metric in sheet.values)
    if kind == "single_period":
        returns = (sheet.first, sheet.now, "total return") in sheet.values
        return "single_rated" if rated and (not returns or rng.random() < 0.5) else "single_period"
    if kind == "comparison":
        return rng.choice(["comparison_change", "comparison_change", "comparison_points", "comparison_difference"])
    if kind == "peer":
        return rng.choice(["peer", "peer", "peer_sum"])
    if kind == "not_reported":
        return rng.choice(["absent_metric", "absent_benchmark"] if rated else ["absent_metric", "absent_rating"])
    return kind


def _take_out(form: str, sheet: Sheet) -> str:
    """What a case asks for and the sheet lacks. A benchmark is taken out; a metric is there for others alone."""
    if form == "absent_benchmark":
        for place in [place for place in sheet.values if place[0] not in (sheet.first, sheet.second)]:
            del sheet.values[place]
    if form != "absent_metric":
        return form.removeprefix("absent_")
    return sheet.gap


def _values(sheet: Sheet, form: str, absent: str, rng: random.Random) -> dict[str, str]:
    """What fills the slots of a case's phrases."""
    a, b, p1, p2 = sheet.first, sheet.second, sheet.before, sheet.now
    values = {"A": a, "B": b, "p1": p1, "p2": p2, "m1": sheet.flow, "m2": sheet.share, "x": absent}
    values |= {
        "m1u": sheet.flow.capitalize(),
        "am2": f"{'an' if sheet.share[0] == 'o' else 'a'} {sheet.share}",
        "m2u": sheet.share.capitalize(),
    }
    for slot, entity, period, metric in [
        ("v1", a, p2, sheet.flow),
        ("w1", a, p1, sheet.flow),
        ("b1", b, p2, sheet.flow),
        ("v2", a, p2, sheet.share),
        ("w2", a, p1, sheet.share),
        ("b2", b, p2, sheet.share),
        ("n1", a, p1, "net income"),
        ("nav", a, p2, "net asset value"),
        ("ex", a, p2, "expense ratio"),
        ("v3", a, p2, "total return"),
    ]:
        if (entity, period, metric) in sheet.values:
            values[slot] = written(metric, sheet.number(entity, period, metric))
    values["m3"] = "total return"
    values |= points_of(sheet) if form == "comparison_points" else _changes(sheet)
    if form == "negative":
        loss, fall = -sheet.number(a, p2, "net income"), -sheet.number(a, p2, "total return")
        size = written("net income", loss)
        values |= {"loss": size, "neg": f"-{size}", "acc": f"{size.replace('$', '$(')} ".replace(" ", ") ", 1).strip()}
        values |= {"tr": written("total return", fall), "trneg": f"-{written('total return', fall)}"}
    if form == "single_rated" and (a, p2, "rating") in sheet.values:
        values["r"] = sheet.values[a, p2, "rating"].name
    values["S"] = " ".join(f"{rng.choice(wordings)}." for wordings in sheet.statements)
    return values


def _changes(sheet: Sheet) -> dict[str, str]:
    """Slots of the change of the flow, or of the share where the sheet has it; the words follow the flow's."""
    now, before = (sheet.number(sheet.first, period, sheet.flow) for period in (sheet.now, sheet.before))
    other = sheet.number(sheet.second, sheet.now, sheet.flow)
    tenths = abs(tenths_of_change(before, now))
    found = {
        "c": f"{tenths / 10:.1f}%",
        "d": written(sheet.flow, abs(now - before)),
        "s": written(sheet.flow, now + other),
    }
    found |= _direction(now > before)
    return found


def _direction(up: bool) -> dict[str, str]:
    words = ("rose", "rise", "higher") if up else ("fell", "fall", "lower")
    return dict(zip(("rose", "rise", "higher"), words, strict=True))


def points_of(sheet: Sheet) -> dict[str, str]:
    """Slots of the change of the share, in percentage points."""
    now, before = (sheet.number(sheet.first, period, sheet.share) for period in (sheet.now, sheet.before))
    return {"pp": f"{abs(now - before) / 10:.1f} percentage points"} | _direction(now > before)


def written(metric: str, number: int) -> str:
    """A number of the sheet as a report writes it."""
    unit = unit_of(metric)
    if unit == "USD thousands":
        return f"${number / 1000:.2f} million" if number >= 1000 else f"${number}," + "000"
    if unit == "USD millions":
        return f"${number / 10:.1f} million"
    return f"{number / 100:.2f}%" if unit == "basis points" else f"{number / 10:.1f}%"


if __name__ == "__main__":
    command(SUITE, eval_cases, training_pairs, ROWS)
