"""Blind human review of a finished run: a small web application, offline packets, and score events as the result.

Imports stay light: the web server's packages load when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from shlex import quote

from harness.errors import UserError
from reports import number_format
from reports.review import annotation_tools, argilla, label_studio, planning, progress, results, workflow
from reports.review import packet as review_packet
from reports.review.items import Material, load_material
from reports.review.planning import ReviewOptions
from reports.review.schema import Mode
from reports.review.storage import ReviewDatabase

__all__ = ["ReviewOptions", "adjudicate", "finish", "import_answers", "packet", "plan", "start"]

Say = Callable[[str], None]


def plan(run: Path, options: ReviewOptions, say: Say) -> tuple[ReviewDatabase, Material]:
    """Plan a review, or read its plan, and print the summary."""
    material = load_material(run, options.suites)
    state, review_plan = planning.planned(material, options)
    for line in planning.summary(review_plan):
        say(line)
    efforts = [progress.estimate(state.tasks(reviewer.name), material) for reviewer in state.reviewers()]
    longest = max(efforts, key=lambda effort: effort.left_s)
    say(
        f"estimated time: about {number_format.minutes(longest.per_item_s)} per item, "
        f"{number_format.minutes(longest.left_s)} for one reviewer"
    )
    if material.named:
        say(f"in {material.named} items, an answer names a model of this run: they may not be blind")
    return state, material


def start(
    run: Path,
    options: ReviewOptions,
    say: Say,
    host: str,
    port: int,
    address: str | None,
    new_links: Sequence[str] = (),
) -> None:
    """Plan the review where there is no plan yet, and serve it until interrupted."""
    from reports.review.server import serve

    state, material = plan(run, options, say)
    serve(state, material, say, host, port, address, new_links)


TOOLS = {"label-studio": label_studio, "argilla": argilla}


def packet(run: Path, mode: Mode, reviewer: str, out: Path, say: Say, to: str = "html") -> None:
    """Write one reviewer's packet; plan a review for this reviewer alone where there is no plan yet.

    to: `html` for a page, or the name of an annotation tool
    """
    if to != "html" and mode == "fix":
        raise UserError(f"--mode fix has no packet for {to}: drafts are edited in the review app. Leave --to out")
    state, material = plan(run, ReviewOptions(reviewers=[reviewer], mode=mode), say)
    if to != "html":
        say(annotation_tools.hand_out(state, material, reviewer, out, TOOLS[to].write))
        say(f"import its annotations with: tunegate review import {quote(str(run))} FILE")
        return
    items = review_packet.write_packet(state, material, reviewer, out)
    say(
        f"packet: {out} ({items} items, {number_format.number(out.stat().st_size // 1000)} kB). "
        f"Anyone who has it can answer as {reviewer}: share it like a password"
    )
    option = "" if mode == "compare" else f" --mode {mode}"
    say(f"import the answers with: tunegate review import {quote(str(run))} answers.json{option}")


def import_answers(run: Path, mode: Mode, file: Path, say: Say) -> None:
    """Import the answers of packets and record them in the run.

    Raises UserError where the file is not of a packet of this review; then nothing is imported.
    """
    state, material = planning.reopened(run, mode)
    data = annotation_tools.read_file(file)
    if data.lstrip()[:1] != b"[":
        reviewer, items, batch = review_packet.import_answers(state, material, data, file)
        say(f"{reviewer}: {items} answers imported and recorded: {run / 'later' / batch}")
        return
    found, tool = annotation_tools.parsed(data, file, {name: module.read for name, module in TOOLS.items()})
    for line in annotation_tools.store(state, material, found, tool, file):
        say(line)


def finish(run: Path, mode: Mode, reviewers: Sequence[str], say: Say) -> None:
    """Record the reviewers who have finished, and close the named ones as they are.

    Raises UserError where a named reviewer is not in the plan.
    """
    state, material = planning.reopened(run, mode)
    for name in reviewers:
        state.reviewer(name)
    for reviewer in state.reviewers():
        if reviewer.recorded:
            say(f"{reviewer.name}: already recorded: {reviewer.recorded}")
        elif reviewer.closed_at or reviewer.name in reviewers:
            say(f"{reviewer.name}: recorded: {run / 'later' / results.record(state, material, reviewer.name)}")
        else:
            begun = planning.progress(state, reviewer)
            say(f"{reviewer.name}: {begun}; not recorded. Use --reviewer {reviewer.name!r} to close it as it is")


def adjudicate(
    run: Path, by: str, say: Say, host: str, port: int, address: str | None, new_links: Sequence[str] = ()
) -> None:
    """Let a third person decide the differences between reviewers, and serve the review until interrupted."""
    from reports.review.server import serve

    state, material = planning.reopened(run, "compare")
    count = workflow.appoint(state, by)
    say(f"{by} decides {count} {'items' if count > 1 else 'item'} on which reviewers differ")
    if more := len(workflow.undecided(state)):
        say(f"reviewers differ on {more} more, which {by} was not given; let somebody else decide these with --by NAME")
    serve(state, material, say, host, port, address, new_links)
