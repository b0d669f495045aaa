"""Do the suites' scorers read right answers as right, in whatever form, and wrong ones as wrong?

    python benchmarks/answer_validity.py [--suite policy/handbook] [--show]

`benchmarks/answers/SUITE-PART.jsonl` has answers with known truth to cases of the suites, in four forms: plain as the
prompt asks, talkative as untuned models write, unusual (terse, or in other words), and wrong; the other parts have only
plain ones, right and wrong, and in `meaning` the wrong ones hold the right values. Prints, by suite and part, how many
are read as they are. `--show` prints the others; whoever works on a scorer sees only counts of the frozen parts. Takes
half a minute.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from harness.formatting import markdown_table
from harness.schema import Completion
from harness.suites.discovery import find_suites

FOLDER = Path(__file__).parent / "answers"
PARTS = ("tuning", "frozen", "plain", "meaning", "meaning-frozen")
FORMS = ("plain", "talkative", "unusual", "wrong")
FAMILIES = {
    "brand/voice": "voice",
    "finance/report": "fact_sheets",
    "general/basics": "answers",
    "legal/citations": "grounded",
    "legal/clauses": "clauses",
    "legal/paragraphs": "clauses",
    "policy/handbook": "guidelines",
}
"""The scorer of each suite that says whether an answer is right."""


class Read(NamedTuple):
    """An answer with known truth, and whether the scorer calls it right."""

    case: str
    form: str
    answer: str
    right: bool
    why: str
    """Why it is right or wrong."""
    passes: bool


def known_answers(suite: str, part: str) -> list[dict[str, object]]:
    """The answers of a part, none where the suite has no such part."""
    file = FOLDER / f"{suite.replace('/', '_')}-{part}.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def read(name: str, part: str) -> Iterator[Read]:
    """Score every answer of a part."""
    (suite,) = find_suites([f"evalsuites/{name}"])
    cases = {case.id: case for case in suite.cases}
    for known in known_answers(name, part):
        said = Completion(key="", text=known["answer"], finish_reason="stop", prompt_tokens=0, output_tokens=0)
        score = suite.score(cases[known["case"]], said)[FAMILIES[name]]
        yield Read(**known, passes=bool(score.counts.get("usable", score.value == 1)))


def row(name: str, part: str, answers: list[Read]) -> list[str]:
    """A row of the table: of each form how many are read as they are. Unusual answers that are wrong count as wrong."""
    forms = [(each.form if each.right else "wrong", each.passes == each.right) for each in answers]
    agreed, asked = Counter(form for form, agrees in forms if agrees), Counter(form for form, _ in forms)
    return [name, part, *(f"{agreed[form]} of {asked[form]}" if asked[form] else "-" for form in FORMS)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--suite", choices=[*FAMILIES], help="one suite (default: all)")
    parser.add_argument("--show", action="store_true", help="print the answers read wrongly, none of the frozen parts")
    args = parser.parse_args()
    rows = []
    for name in [args.suite] if args.suite else FAMILIES:
        for part in PARTS:
            answers = list(read(name, part))
            if answers:
                rows.append(row(name, part, answers))
            for each in answers if args.show and "frozen" not in part else ():
                if each.passes != each.right:
                    print(
                        f"{each.case}, {each.form}, {'right' if each.right else 'wrong'}: {each.why}\n{each.answer}\n"
                    )
    print("\n".join(markdown_table(["suite", "part", *(f"read rightly: {form}" for form in FORMS)], rows)))
