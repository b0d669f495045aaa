"""Blind human review of a finished run: a small web application, offline packets, and events as the result.

Imports stay light; the web server loads when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import UserError
from reports import number_format
from reports.review import packet as review_packet
from reports.review import planning, results, workflow
from reports.review.items import Material, load_material
from reports.review.planning import ReviewOptions
from reports.review.schema import Mode
from reports.review.storage import ReviewDatabase

__all__ = ["ReviewOptions", "adjudicate", "finish", "import_answers", "packet", "plan", "start"]

Say = Callable[[str], None]


def plan(run: Path, wanted: ReviewOptions, say: Say) -> tuple[ReviewDatabase, Material]:
    """Plan a review, or read the plan that there is, and say it."""
    material = load_material(run, wanted.suites)
    state, found = planning.planned(material, wanted)
    for line in planning.summary(found):
        say(line)
    if material.named:
        say(f"in {material.named} items an answer names a model of this run: they may not be blind")
    return state, material


def start(
    run: Path, wanted: ReviewOptions, say: Say, host: str, port: int, address: str | None, new_links: Sequence[str] = ()
) -> None:
    """Plan where nothing is planned yet, and serve until interrupted."""
    from reports.review.server import serve

    state, material = plan(run, wanted, say)
    serve(state, material, say, host, port, address, new_links)


def packet(run: Path, mode: Mode, reviewer: str, out: Path, say: Say) -> None:
    """Write one reviewer's packet; plans for that reviewer alone where nothing is planned yet."""
    state, material = plan(run, ReviewOptions(reviewers=[reviewer], mode=mode), say)
    items = review_packet.write_packet(state, material, reviewer, out)
    say(
        f"packet: {out} ({items} items, {number_format.number(out.stat().st_size // 1000)} kB). "
        f"Whoever has it can answer as {reviewer}: hand it over as you would a key"
    )
    say(f"import what comes back: tunegate review import {run} answers.json" + _mode(mode))


def import_answers(run: Path, mode: Mode, file: Path, say: Say) -> None:
    """Take a packet's answers and record them in the run."""
    state = planning.existing(run, mode)
    reviewer, items, batch = review_packet.import_answers(state, load_material(run), file)
    say(f"{reviewer}: {items} answers imported and recorded: {run / 'later' / batch}")


def finish(run: Path, mode: Mode, reviewers: Sequence[str], say: Say) -> None:
    """Record reviewers who are through; those who are named are closed as they are."""
    state = planning.existing(run, mode)
    material = load_material(run)
    known = {reviewer.name: reviewer for reviewer in state.reviewers()}
    unknown = [name for name in reviewers if name not in known]
    if unknown:
        raise UserError(f"no reviewer '{unknown[0]}' in this review. It is planned for {', '.join(known)}")
    for reviewer in known.values():
        if reviewer.recorded:
            say(f"{reviewer.name}: recorded before: {reviewer.recorded}")
        elif reviewer.closed_at or reviewer.name in reviewers:
            say(f"{reviewer.name}: recorded: {run / 'later' / results.record(state, material, reviewer.name)}")
        else:
            begun = planning.progress(state, reviewer)
            say(f"{reviewer.name}: {begun}; not recorded. --reviewer {reviewer.name!r} closes it as it is")


def adjudicate(
    run: Path, by: str, say: Say, host: str, port: int, address: str | None, new_links: Sequence[str] = ()
) -> None:
    """Give a third person the differences between reviewers, and serve."""
    from reports.review.server import serve

    state = planning.existing(run, "compare")
    material = load_material(run)
    count = workflow.appoint(state, by)
    say(f"{by} decides {count} {'items' if count > 1 else 'item'} on which reviewers differ")
    serve(state, material, say, host, port, address, new_links)


def _mode(mode: Mode) -> str:
    return "" if mode == "compare" else f" --mode {mode}"
