"""Render the pages of a review. They show sides and texts, never variants.

Every value is escaped with hidden characters made visible, and the content policy allows one style sheet and one
script, by their hashes. The server sends one page at a time; a packet has all of them in one file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from markupsafe import Markup

from harness import sanitize
from harness.schema import Estimate
from harness.stats.human_review import SCALES
from reports import number_format, wording
from reports.render import html
from reports.review import passages
from reports.review.items import practices
from reports.review.progress import QUESTION_S, WORDS_PER_MINUTE, Effort, ReviewProgress
from reports.review.schema import Reviewer, ReviewItem, ReviewPlan, Task
from reports.review.workflow import EarlierJudgement

HERE = Path(__file__).parent
SHARED = ("answer.js", "clock.js", "marks.js", "task.js", "keys.js", "page.js")
TITLE = "Review"
EXCERPT = 400
"""Characters of an answer on the page of guesses."""
KEYS = [
    ("j, k", "next question, previous question"),
    ("0 … 5", "answer the current question; fabrications: 0 none, 1 minor, 2 major, 3 critical"),
    ("a, b", "go to answer A, answer B (or the draft)"),
    ("s", "go to the source"),
    ("p", "go to the preference"),
    ("q", "show or hide the prompt"),
    ("t", "mark all listed clauses of the answer as present"),
    ("f", "mark a fabrication: type a sentence number, Enter, then choose with Tab or 1, 2, 3"),
    ("n", "write a note"),
    ("z", "undo"),
    ("c, x", "cannot judge, skip"),
    ("r, ?", "rubric, these keys"),
    ("Esc", "leave a text field, so that single keys work again"),
    ("Ctrl Enter", "submit and continue"),
]
Page = tuple[str, dict[str, Any]]
"""Name of a template and its values."""


def document(
    pages: Sequence[Page],
    *,
    title: str,
    plan: ReviewPlan | None = None,
    boot: dict[str, Any] | None = None,
    packet: bool = False,
) -> str:
    """Render the whole HTML document. `boot` configures the script; a packet contains its content policy."""
    values = {
        "title": title,
        "pages": pages,
        "boot": boot,
        "is_packet": packet,
        "policy": policy(packet) if packet else "",
        "style": Markup(style()),
        "script": Markup(script(packet)),
        "rubric": plan.rubric if plan else {},
        "mode": plan.mode if plan else "",
        "plan": plan,
        "keys": KEYS,
        "scales": SCALES,
    }
    return html.environment_of(HERE / "templates").get_template("base.html.jinja").render(values) + "\n"


@lru_cache(maxsize=2)
def script(packet: bool) -> str:
    """Return the client script: the shared parts, then the storage of packet or server."""
    names = [*SHARED, "packet.js" if packet else "server.js"]
    parts = "\n".join((HERE / "client" / name).read_text("utf-8") for name in names)
    return f'"use strict";\n(() => {{\n{parts}}})();'


@lru_cache(maxsize=1)
def style() -> str:
    """Return the style sheet: the report's colours, light and dark, and narrow tables; then the review's own rules."""
    report = (html.HERE / "style.css").read_text("utf-8")
    light, dark = re.findall(r":root \{.*?\}", report, re.S)[:2]
    (stacks,) = re.findall(r"^@container .*?^\}", report, re.S | re.M)
    own = (HERE / "review.css").read_text("utf-8")
    return f"{light}\n@media (prefers-color-scheme: dark) {{ {dark} }}\n{own}\n{stacks}"


def policy(packet: bool) -> str:
    """Return the content policy: this script, this style sheet and, for the server's pages, its own address."""
    server = "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    rest = "base-uri 'none'; form-action 'none'" if packet else server
    return html.policy(style(), script(packet), f"img-src data:; {rest}")


def enter_page(problem: str = "", address: str = "/enter") -> Page:
    return "enter", {"problem": problem, "address": address}


def consent_page(reviewer: Reviewer, tasks: Sequence[Task], effort: Effort) -> Page:
    practice = _practice(tasks)
    values = {"reviewer": reviewer.name, "count": len(tasks) - practice, "practice": practice}
    return "consent", values | _times(effort)


def rubric_page(tasks: Sequence[Task]) -> Page:
    return "rubric", {"practice": _practice(tasks)}


def done_page() -> Page:
    return "done", {}


def task_page(
    task: Task,
    item: ReviewItem,
    tasks: Sequence[Task],
    effort: Effort,
    earlier: Sequence[EarlierJudgement] = (),
    has_previous: bool = False,
) -> Page:
    """Build the page of one task: the source, and the answers by side."""
    before = _practice(tasks)
    is_practice = task.kind == "practice"
    source = passages.sentences(item.source)
    texts = {side: item.answers[variant] for side, variant in sorted(task.sides.items())}
    draft = texts["A"]
    return "task", {
        "id": task.id,
        "revision": task.revision,
        "active_ms": task.active_ms,
        "draft": msgspec.to_builtins(task.draft),
        "note": sanitize.shown(task.draft.note),
        "is_practice": is_practice,
        "number": task.position + 1 - (0 if is_practice else before),
        "of": before if is_practice else len(tasks) - before,
        "task": item.task,
        "prompt": item.prompt_parts,
        "prompt_words": item.prompt_words,
        "is_folded": item.is_folded,
        "inputs": item.other_inputs,
        "source": passages.cut(item.source),
        "answers": [
            {
                "side": side,
                "passages": passages.cut(text, source, item.source),
                "is_cut": task.sides[side] in item.cut,
            }
            for side, text in texts.items()
        ],
        "clauses": item.clauses,
        "is_same": len(texts) == 2 and len(set(texts.values())) == 1,
        "text": sanitize.shown(draft),
        "hidden_characters": [part for part, is_name in sanitize.split(draft) if is_name],
        "earlier": earlier,
        "has_previous": has_previous,
        **_times(effort),
    }


def _times(effort: Effort) -> dict[str, str]:
    return {"per_item": number_format.minutes(effort.per_item_s), "left": number_format.minutes(effort.left_s)}


def organiser_page(progress: ReviewProgress, at: str) -> Page:
    """Build the organiser's page: progress, time and agreement, without a variant's name."""
    agreement = [
        (
            wording.title(one.measure.name),
            number_format.estimate(one.raw),
            _coefficient(one.alpha),
            _coefficient(one.ac1),
        )
        for one in progress.agreement
    ]
    rows = [
        (
            one.name,
            one.stage,
            f"{one.done} of {one.of}",
            one.left_out,
            "–" if one.median_s is None else number_format.duration(one.median_s),
            number_format.minutes(one.estimated_s),
            number_format.minutes(one.left_s) if one.left_s else "–",
            number_format.moment(one.last) if one.last else "–",
        )
        for one in progress.reviewers
    ]
    return "organiser", {
        "rows": rows,
        "agreement": agreement,
        "shared": wording.count(progress.shared, "item") if progress.shared else "",
        "words_per_minute": WORDS_PER_MINUTE,
        "question_s": QUESTION_S,
        "at": number_format.moment(at),
    }


def _coefficient(found: Estimate) -> str:
    return "–" if found.value is None else number_format.estimate(found, "coefficient")


def feedback_page(task: Task, tasks: Sequence[Task]) -> Page:
    """Build the page with a careful reader's judgement of a practice item."""
    practice = practices()[task.key.case_id]
    by_variant = {str(number): text for number, text in enumerate(practice.would_say, 1)}
    one_draft = len(task.sides) == 1
    judgements = [
        ("The draft" if one_draft else f"Answer {side}", by_variant[variant])
        for side, variant in sorted(task.sides.items())
    ]
    if not one_draft:
        judgements.append(("Preference", practice.preference))
    number = task.position + 1
    return "feedback", {"judgements": judgements, "number": number, "is_last": number == _practice(tasks)}


def guess_page(pairs: Sequence[tuple[Task, ReviewItem]], tasks: Sequence[Task], has_previous: bool = False) -> Page:
    """Build the page that asks which answer is the tuned model's, with answers on the sides where they were shown."""
    before = _practice(tasks)
    one_draft = all(len(task.sides) == 1 for task, _ in pairs)
    choices = [("A", "This one did"), ("B", "This one did not")] if one_draft else [("A", "A"), ("B", "B")]
    shown = [
        {
            "id": task.id,
            "number": task.position + 1 - before,
            "answers": [
                (side, wording.shortened(item.answers[variant], EXCERPT))
                for side, variant in sorted(task.sides.items())
            ],
        }
        for task, item in pairs
    ]
    values = {"shown": shown, "choices": [*choices, ("unsure", "Cannot tell")], "has_previous": has_previous}
    return "guess", values


def _practice(tasks: Sequence[Task]) -> int:
    return sum(task.kind == "practice" for task in tasks)
