"""What generated suites share: filling phrases, writing cases and training rows, one command line. Knows no domain.

A suite's `generate.py` gives two functions and ends with `generated.command(...)`:

    def eval_cases() -> list[Case]                                           # always the same
    def training_pairs(split, rows, seed) -> Iterator[tuple[Case, str]]      # of train or dev: case and right answer

The split `dev-cases` is the cases behind the rows of `dev`: what a checkpoint is chosen by, scored as the suite scores.
"""

import argparse
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from harness.errors import UserError
from harness.schema import Case
from harness.suites.cases import check_cases
from harness.suites.prompts import load_template, messages

CHOICE = re.compile(r"<([^<>]+)>")
SLOT = re.compile(r"\{(\w+)\}")
FIELDS = ("id", "input", "expected", "cluster", "tags")
DEV_CASES = "dev-cases"

Pairs = Callable[[str, int, int], Iterable[tuple[Case, str]]]


def fill(text: str, values: Mapping[str, str], rng: random.Random) -> str:
    """The phrase with each `<a|b>` chosen and each `{slot}` filled; a slot without a value is a KeyError."""
    chosen = CHOICE.sub(lambda found: rng.choice(found[1].split("|")), text)
    return SLOT.sub(lambda found: values[found[1]], chosen)


def chat_rows(folder: Path, pairs: Iterable[tuple[Case, str]]) -> Iterator[dict[str, object]]:
    """Chat rows of cases and their right answers, with the prompt of the suite in `folder`."""
    template = load_template(folder / "prompt.jinja")
    for case, answer in pairs:
        yield {"messages": [*messages(template, case), {"role": "assistant", "content": answer}]}


def dev_cases(pairs: Iterable[tuple[Case, str]], suite_cases: Iterable[Case]) -> list[Case]:
    """The cases of pairs, in their order; where the suite has one of their ids, all ids get `dev-` in front."""
    cases = [case for case, _ in pairs]
    if {case.id for case in cases} & {case.id for case in suite_cases}:
        cases = [msgspec.structs.replace(case, id=f"dev-{case.id}") for case in cases]
    return check_cases(cases, DEV_CASES)


def case_rows(cases: Iterable[Case]) -> Iterator[dict[str, object]]:
    """Cases as rows of cases.jsonl."""
    for case in cases:
        yield {name: getattr(case, name) for name in FIELDS}


def write_rows(out: Path, rows: Iterable[Mapping[str, object]]) -> int:
    """Write rows as JSON lines and return their number."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    out.write_text("".join(lines), "utf-8")
    return len(lines)


def command(folder: Path, eval_cases: Callable[[], list[Case]], training_pairs: Pairs, rows: Mapping[str, int]) -> None:
    """The command line of a suite's generator; `rows` gives the number of rows of `train` and `dev` by default."""
    parser = argparse.ArgumentParser(description=f"Write cases or training rows of {'/'.join(folder.parts[-2:])}.")
    parser.add_argument("--split", choices=("eval", *rows, DEV_CASES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--rows", type=int, help="rows of train, dev or dev-cases; the eval split has a fixed size")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other rows; not for eval")
    args = parser.parse_args()
    if args.split == "eval":
        if args.rows or args.seed:
            parser.error("--split eval is fixed: it takes neither --rows nor --seed")
        written = write_rows(args.out, case_rows(eval_cases()))
    elif args.split == DEV_CASES:
        pairs = training_pairs("dev", args.rows or rows["dev"], args.seed)
        try:
            written = write_rows(args.out, case_rows(dev_cases(pairs, eval_cases())))
        except UserError as error:
            parser.exit(error.exit_code, f"{error}\n")
    else:
        pairs = training_pairs(args.split, args.rows or rows[args.split], args.seed)
        written = write_rows(args.out, chat_rows(folder, pairs))
    print(f"{written} rows in {args.out}")
