"""Shared parts of suites with training rows: writing cases and rows, one command line, filling phrases.

A suite's module of cases defines two functions and ends with `command(...)`:

    def eval_cases() -> list[Case]                                           # always the same
    def training_pairs(split, rows, seed) -> Iterator[tuple[Case, str]]      # of train or dev: case and right answer

The split `dev-cases` has the cases of the rows of `dev`: they choose a checkpoint, with the suite's scorers.
"""

import argparse
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
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
    """Choose one of each `<a|b>` and fill each `{slot}` of a phrase. Raises KeyError for a slot without a value."""
    chosen = CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
    return SLOT.sub(lambda match: values[match[1]], chosen)


def chat_rows(folder: Path, pairs: Iterable[tuple[Case, str]]) -> Iterator[dict[str, object]]:
    """Yield chat rows of cases and their right answers, with the prompt of the suite in `folder`."""
    template = load_template(folder / "prompt.jinja")
    for case, answer in pairs:
        yield {"messages": [*messages(template, case), {"role": "assistant", "content": answer}]}


def dev_cases(pairs: Iterable[tuple[Case, str]], suite_cases: Iterable[Case]) -> list[Case]:
    """Return the cases of pairs, in order; if the suite has one of their ids, all ids get the prefix `dev-`."""
    cases = [case for case, _ in pairs]
    if {case.id for case in cases} & {case.id for case in suite_cases}:
        cases = [msgspec.structs.replace(case, id=f"dev-{case.id}") for case in cases]
    return check_cases(cases, DEV_CASES)


def case_rows(cases: Iterable[Case]) -> Iterator[dict[str, object]]:
    """Yield cases as rows of cases.jsonl."""
    for case in cases:
        yield {name: getattr(case, name) for name in FIELDS}


def write_rows(out: Path, rows: Iterable[Mapping[str, object]]) -> int:
    """Write rows as JSON lines and return their number."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    out.write_text("".join(lines), "utf-8")
    return len(lines)


def write_split(
    folder: Path, split: str, out: Path, rows: int, seed: int, eval_cases: Callable[[], list[Case]], pairs: Pairs
) -> int:
    """Write the cases or rows of one split of the suite in `folder`, and return the number of lines.

    `split` is `eval`, `train`, `dev` or `dev-cases`. Raises UserError for dev cases that share an id.
    """
    if split == "eval":
        return write_rows(out, case_rows(check_cases(eval_cases(), str(out))))
    if split == DEV_CASES:
        return write_rows(out, case_rows(dev_cases(pairs("dev", rows, seed), eval_cases())))
    return write_rows(out, chat_rows(folder, pairs(split, rows, seed)))


def command(
    folder: Path,
    eval_cases: Callable[[], list[Case]],
    training_pairs: Pairs,
    rows: Mapping[str, int],
    without: Sequence[str] = (),
    first: Sequence[str] = (),
    numbers: Mapping[str, tuple[int, str]] | None = None,
    instruments: bool = False,
) -> None:
    """Run the command line that writes a suite's cases and rows; `rows` has the default numbers of `train` and `dev`.

    `without` lists what `--without` may leave out of the rows, and `first` what `--first` may begin them with;
    `training_pairs` then takes keywords of these names.
    `numbers` has the default and the meaning of further options; both functions take keywords of their names.
    With `instruments`, `eval_cases` also takes a folder of a user's own instruments.
    """
    parser = argparse.ArgumentParser(description=f"Write cases or training rows of {'/'.join(folder.parts[-2:])}.")
    parser.add_argument("--split", choices=("eval", *rows, DEV_CASES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--rows", type=int, help="rows of train, dev or dev-cases; the eval split has a fixed size")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other rows; not for eval")
    if without:
        parser.add_argument("--without", choices=tuple(without), help="leave this out of the rows")
    if first:
        parser.add_argument("--first", choices=tuple(first), help="all rows of this, then those of the others")
    for name, (number, meaning) in (numbers or {}).items():
        parser.add_argument(f"--{name}", type=int, default=number, help=meaning)
    if instruments:
        parser.add_argument("--instruments", type=Path, help="folder of your own instruments, for --split eval")
    args = parser.parse_args()
    folder_of = getattr(args, "instruments", None)
    if folder_of and args.split != "eval":
        parser.error("--instruments makes cases and no rows: use it with --split eval")
    given = {name: getattr(args, name) for name in numbers or {}}
    chosen = {name: vars(args)[name] for name in ("without", "first") if vars(args).get(name)}
    if args.split == "eval" and (args.rows or args.seed or chosen):
        parser.error("--split eval is fixed: it takes no --rows, --seed, --without or --first")
    if args.split == DEV_CASES and chosen:
        parser.error("--split dev-cases has right answers only: it takes no --without and no --first")
    pairs = partial(training_pairs, **chosen, **given)
    default = rows.get("dev" if args.split == DEV_CASES else args.split, 0)
    made = partial(eval_cases, *([folder_of] if folder_of else []), **given)
    try:
        written = write_split(folder, args.split, args.out, args.rows or default, args.seed, made, pairs)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(f"{written} rows in {args.out}")
