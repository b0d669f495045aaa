"""How far may the fabrication scorer be trusted? Measures it against people's labels and against known errors.

    python benchmarks/scorer_validity.py [--only PART] [--frozen] [--show 20]
        [--docs docs/scorer-validity.md] [--json FILE] [--checker FOLDER [--limit N]]

Prints its tables, and writes them into a Markdown file, between markers. The public data is found through
TUNEGATE_DATA; a part whose data is not all there is left as it is. The frozen parts of the completions and of the
injected errors are scored only with --frozen, so that daily work on the scorer does not look at them. Under two minutes
on one core. With --checker, what a trained checker is worth is measured instead; the first time takes hours.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

import known_truth as truth  # noqa: E402
import validity_checker as trained  # noqa: E402
import validity_injected as known  # noqa: E402
import validity_known_truth as completions  # noqa: E402
import validity_people as people  # noqa: E402
from injected import FAITHFUL, OPERATORS, cuad_folder  # noqa: E402
from pages import Table, markdown, show_table, write_between  # noqa: E402

from harness.errors import UserError  # noqa: E402
from harness.scoring.grounding import facts  # noqa: E402

DOCS = "docs/scorer-validity.md"
PARTS = ("completions", "people", "injected")
SCORER, CHOSEN, RULE = "fact scorer", "fact scorer, choices cross-validated by source", "untuned rule"
NOVELTY = "novelty of runs, threshold cross-validated by source"
NAMES = {CHOSEN: "choices cross-validated", NOVELTY: "novelty of runs", f"{SCORER}, minus {RULE}": "minus untuned rule"}
"""What the tables call a detector, where that is shorter."""
DIFFERS = 0.1
"""A kind of injected error is shown if it misses the target, or is this far from all kinds in any column."""
COLUMNS = [(origin, part) for part in ("open", "frozen") for origin in ("cuad", "own")]
HEADINGS = {"cuad": "CUAD", "own": "own text"}


class LabelledSet(NamedTuple):
    """What each detector makes of one labelled set."""

    title: str
    rows: list[people.Row]
    note: str


def labelled_set(name: str, data: Path) -> tuple[LabelledSet, list[dict[str, Any]]]:
    """The scorer, the untuned rule and the novelty rival on one labelled set, and the same figures as records."""
    title, items = people.SETS[name].title, people.load(name, data)
    answers = {SCORER: [people.scorer(item) for item in items]}
    chosen: list[str] = []
    if name == "frank":
        answers[CHOSEN], chosen = people.cross_validated(items, people.choices())
    answers[RULE] = [people.untuned_rule(item) for item in items]
    answers[NOVELTY], _ = people.cross_validated(items, people.novelties())
    rows = people.rows(items, answers, RULE)
    positive, sources = sum(item.positive for item in items), len({item.cluster for item in items})
    told = f"{title}: {len(items)} statements on {sources} sources, {positive} wrong."
    if chosen:
        told += f" Chosen for the {SCORER}: {'; '.join(sorted(set(chosen)))}."
    records = [
        {"set": title, "detector": r.detector, "measure": m, "value": v, "low": low, "high": high}
        | {"n": len(items), "clusters": sources}
        for r in rows
        for m, (v, low, high) in r.values.items()
    ]
    return LabelledSet(title, rows, told), records


def labelled_table(sets: Sequence[LabelledSet]) -> Table:
    """The scorer and its rivals by set; choices that change no figure of the scorer are left out."""
    cells = []
    for each in sets:
        for r in each.rows:
            if r.detector != CHOSEN or r.values != each.rows[0].values:
                name = each.title if r.detector == SCORER else f"- {NAMES.get(r.detector, r.detector)}"
                cells.append([name, *(_interval(r, m) for m in people.MEASURES), _or_dash(r.flagged)])
    header = ["fact scorer on", *people.MEASURES, "flagged"]
    return Table("Texts that people labelled", header, cells, " ".join(each.note for each in sets))


def _interval(row: people.Row, measure: str) -> str:
    value, low, high = row.values[measure]
    if row.flagged is None:
        return f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
    return f"{value:.3f} ({low:.3f}-{high:.3f})"


def _or_dash(count: int | None) -> str:
    return "-" if count is None else str(count)


def injected_tables(rates: list[known.Rate]) -> list[Table]:
    """Recall by operator and kind, and false alarms, by origin; of the frozen part if it was measured."""
    part = "frozen" if any(r.part == "frozen" for r in rates) else "open"
    rates = [r for r in rates if r.part == part]
    columns = [column for column in COLUMNS if any((r.origin, r.part) == column for r in rates)]
    header = ["", *(f"{HEADINGS[origin]}, {part}" for origin, part in columns)]
    tables = []
    for title, faithful in (("Injected errors caught (recall)", False), ("False alarms on faithful copies", True)):
        cells = []
        found = [r for r in rates if (r.operator in FAITHFUL) == faithful]
        for operator, kind in dict.fromkeys((r.operator, r.kind) for r in sorted(found, key=_order)):
            here = {(r.origin, r.part): r for r in found if (r.operator, r.kind) == (operator, kind)}
            name = operator if kind == "all" else f"- {kind}"
            if kind != "all" and not any(r.met is False or _differs(r, found) for r in here.values()):
                continue
            cells.append([name, *(_cell(here.get(column)) for column in columns)])
        aimed = {r.operator: r.target for r in sorted(found, key=_order) if r.target is not None}
        told = f"{'at most' if faithful else 'at least'} {next(iter(aimed.values())):g} for {', '.join(aimed)}"
        tables.append(Table(title, header, cells, f"Share (interval), copies. Target: {told}; * misses it."))
    return tables


def _differs(rate: known.Rate, rates: list[known.Rate]) -> bool:
    """Whether a kind's rate is far from that of the whole operator."""
    place = (rate.operator, rate.origin, rate.part, "all")
    whole = next(r for r in rates if (r.operator, r.origin, r.part, r.kind) == place)
    return abs(rate.value - whole.value) >= DIFFERS


def _order(rate: known.Rate) -> tuple[int, bool, str]:
    names = [*FAITHFUL, *OPERATORS]
    return names.index(rate.operator), rate.kind != "all", rate.kind


def _cell(rate: known.Rate | None) -> str:
    if rate is None:
        return "-"
    return f"{rate.value:.3f} ({rate.low:.3f}-{rate.high:.3f}), {rate.n}{' *' if rate.met is False else ''}"


def injected_records(rates: Sequence[known.Rate]) -> list[dict[str, Any]]:
    """The whole-operator figures of the injected set as records."""
    return [
        {"set": f"injected errors, {HEADINGS[r.origin]}, {r.part}", "detector": SCORER}
        | {"measure": f"{'false alarms' if r.operator in FAITHFUL else 'recall'}: {r.operator}", "value": r.value}
        | {"low": r.low, "high": r.high, "n": r.n, "clusters": r.clusters, "target": r.target, "met": r.met}
        for r in rates
        if r.kind == "all"
    ]


class Part(NamedTuple):
    """What was measured on one part of the completions."""

    name: str
    numbers: str
    """How many completions, documents and errors it has."""
    detectors: list[completions.Result]
    """The scorer, and its rivals."""
    domains: list[completions.Result]
    """The scorer by domain, each named by it."""
    types: completions.Result
    """The scorer by type of error."""


def completion_part(name: str) -> tuple[Part, list[dict[str, Any]]]:
    """The scorer and its rivals on the completions of one part, and the scorer's figures as records."""
    tuning = completions.load("tuning")
    whole = tuning if name == "tuning" else completions.load(name)
    found = [completions.judged(rule, detector, whole) for rule, detector in completions.detectors(tuning).items()]
    domains = {domain: [each for each in whole if completions.domain_of(each) == domain] for domain in truth.DOCUMENTS}
    by_domain = [completions.judged(d, completions.fact_scorer, one) for d, one in domains.items()]
    by_type = completions.judged(SCORER, completions.fact_scorer, whole, by_type=True)
    records = [
        {"set": f"completions, {name}", "detector": r.detector, "measure": measure, "value": value.value}
        | {"low": value.low, "high": value.high, "n": len(whole), "clusters": len({each.document for each in whole})}
        for r in found[:1]
        for measure, value in r.measures().items()
    ]
    return Part(name, completions.numbers_of(whole), found, by_domain, by_type), records


def completion_tables(parts: Sequence[Part]) -> list[Table]:
    """The scorer by part and by type of error; by domain, and next to its rivals, on the last part."""
    header = [*(f"recall, {kind}" for kind in truth.CLASSES), "faithful with a finding"]
    header += ["findings per 100 faithful words", "precision of findings", "balanced accuracy"]
    last = parts[-1]
    cells = [_measures(part.name, part.detectors[0]) for part in parts]
    cells += [_measures(f"- {r.detector}", r) for r in last.domains]
    note = " ".join(f"{part.name.capitalize()}: {part.numbers}" for part in parts)
    types = sorted({kind for part in parts for kind in part.types.recall})
    meaning = [kind for kind in types if kind.startswith("meaning")]
    highest = max(part.types.recall[kind].value for part in parts for kind in meaning if kind in part.types.recall)
    by_type = [
        [kind, *(trained.shown(part.types.recall[kind]) if kind in part.types.recall else "-" for part in parts)]
        for kind in types
        if kind not in meaning
    ]
    return [
        Table("Completions with known truth: the scorer", ["part", *header], cells, note),
        Table(
            f"Completions with known truth: rivals on the {last.name} part",
            ["detector", *header],
            [_measures(r.detector, r) for r in last.detectors[1:]],
            "",
        ),
        Table(
            "Completions with known truth: recall of the scorer by type of error",
            ["type", *(part.name for part in parts)],
            by_type,
            f"No type of error of meaning is above {highest:.2f}.",
        ),
    ]


def _measures(name: str, r: completions.Result) -> list[str]:
    return [name, *map(trained.shown, (*r.recall.values(), r.alarms, r.density, r.precision, r.accuracy))]


def show_false_alarms(data: Path, most: int) -> None:
    """Print findings in summaries of the tuning set that people called faithful."""
    alarms = [(span, item) for item in people.load("frank", data) if not item.positive for span in people.found(item)]
    for span, item in alarms[:most]:
        around = item.statement[max(0, span.start - 50) : span.end + 50]
        print(f"frank false alarm: {span.kind} [[{span.quote}]] in: {' '.join(around.split())}")


def show(results: list[tuple[known.Copy, bool]], most: int) -> None:
    """Print missed errors and false alarms of the open part, at most so many of each operator and kind."""
    seen: dict[tuple[str, str, str], int] = {}
    for copy, found in results:
        key = (copy.operator, copy.kind, copy.origin)
        wrong = found if copy.operator in FAITHFUL else not found
        if wrong and not copy.frozen and seen.setdefault(key, 0) < most:
            seen[key] += 1
            spans = copy.spans or tuple((s.start, s.end) for s in known.findings(copy))
            text = copy.completion.text
            for start, end in spans:
                around = f"{text[max(0, start - 50) : start]}[[{text[start:end]}]]{text[end : end + 50]}"
                print(f"{copy.origin} {copy.operator}: {copy.kind} | {' '.join(around.split())}")


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Run the parts asked for, print and write their tables, and give their figures as records."""
    root = os.environ.get("TUNEGATE_DATA")
    records = []
    if args.only in (None, "completions"):
        measured = [completion_part(name) for name in (truth.PARTS if args.frozen else truth.PARTS[:-1])]
        records += [record for _, found in measured for record in found]
        _publish(completion_tables([part for part, _ in measured]), "completions", args.docs)
    labelled = []
    for name, each in people.SETS.items():
        if args.only in (None, "people", name):
            files = [file for file in (each.file, each.documents) if file]
            if not root or not all((Path(root) / file).is_file() for file in files):
                print(f"{name}: skipped; set TUNEGATE_DATA to a folder with {' and '.join(files)}", file=sys.stderr)
                continue
            measured_set, found = labelled_set(name, Path(root))
            labelled.append(measured_set)
            records += found
            if name == "frank":
                show_false_alarms(Path(root), args.show)
    if labelled:
        _publish([labelled_table(labelled)], "people", args.docs if len(labelled) == len(people.SETS) else None)
    if args.only in (None, "injected"):
        if cuad_folder() is None:
            print("injected: own text only; TUNEGATE_DATA names no folder with cuad/", file=sys.stderr)
        results = known.judged(("open", "frozen") if args.frozen else ("open",))
        show(results, args.show)
        rates = known.rates(results)
        records += injected_records(rates)
        _publish(injected_tables(rates), "injected", args.docs)
    return records


def measure_checker(args: argparse.Namespace) -> None:
    """Print and write what a checker is worth on the completions and the public sets."""
    root = os.environ.get("TUNEGATE_DATA")
    if not root:
        raise UserError("--checker needs the public sets: set TUNEGATE_DATA to the folder that has them")
    supports, sets = trained.Supports(args.checker.absolute()), []
    if args.only in (None, "completions"):
        sets.append(trained.known("frozen" if args.frozen else "derived", supports, args.limit))
    for name in people.SETS:
        if args.only in (None, "people", name):
            sets += trained.reported(name, Path(root), supports, args.limit)
    _publish(trained.tables(sets, supports), "checker", args.docs)


def _publish(tables: list[Table], name: str, docs: Path | None) -> None:
    for table in tables:
        show_table(table)
    if docs:
        measured = f"Measured on {today()}, scorer version {facts.fabricated.version}.\n"
        write_between(docs, name, "\n".join([*map(markdown, tables), measured]))


def today() -> str:
    """The date, for the record."""
    return datetime.now(UTC).date().isoformat()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure the fabrication scorer.")
    parser.add_argument("--only", choices=(*PARTS, *people.SETS), help="one part, or one labelled set")
    parser.add_argument("--frozen", action="store_true", help="score the frozen parts too")
    parser.add_argument(
        "--show",
        type=int,
        default=0,
        metavar="N",
        help="list N mistakes of a kind, none held out",
    )
    parser.add_argument("--docs", type=Path, help=f"Markdown file to write the tables into, such as {DOCS}")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--checker", type=Path, metavar="FOLDER", help="measure this checker instead of the scorer")
    parser.add_argument("--limit", type=int, metavar="N", help="with --checker: at most N statements of a set")
    args = parser.parse_args(arguments)
    try:
        records = [] if args.checker else measure(args)
        if args.checker:
            measure_checker(args)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    if args.json and not args.checker:
        says = next(m.says for m in facts.fabricated.metrics if m.name == "fabrication_rate")
        told = {"fabrication_rate": {"says": says, "scorer": facts.fabricated.version, "rows": records}}
        told["measured"] = today()
        args.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
