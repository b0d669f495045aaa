"""Writes training files of a suite of public data: chat rows of two splits, and validation cases. Knows no data set.

A suite's `build_training.py` draws cases by split and ends with `training_files.command(...)`.
"""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from evalsuites.generated import case_rows, chat_rows, write_rows
from harness.errors import UserError
from harness.schema import Case

SPLITS = ("train", "validation")
DEV_CASES = "dev_cases"
"""Name of the file with the cases behind the validation rows, by which a checkpoint is chosen."""


def refuse_test(split: str) -> None:
    """Refuse every split but those that may be trained on."""
    if split not in SPLITS:
        raise UserError(f"the split '{split}' is what the suite asks; train on 'train' and 'validation'")


def write(out: Path, folder: Path, drawn: Mapping[str, list[Case]], answer: Callable[[Case], str]) -> dict[str, int]:
    """Write train.jsonl, validation.jsonl and dev_cases.jsonl into `out`, and return their numbers of lines.

    `drawn` holds the cases of both splits; the suite in `folder` gives the prompt. A case that stands in several
    validation rows is one validation case.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = {split: chat_rows(folder, ((case, answer(case)) for case in drawn[split])) for split in SPLITS}
    rows[DEV_CASES] = case_rows({case.id: case for case in drawn["validation"]}.values())
    return {name: write_rows(out / f"{name}.jsonl", lines) for name, lines in rows.items()}


def command(what: str, write_into: Callable[..., dict[str, int]], options: Mapping[str, tuple[int, str]]) -> None:
    """The command line of a suite's `build_training.py`; `options` gives each number's default and meaning."""
    parser = argparse.ArgumentParser(description=what)
    names = ", ".join(f"{name}.jsonl" for name in (*SPLITS, DEV_CASES))
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {names}")
    for name, (default, meaning) in options.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=meaning)
    args = parser.parse_args()
    try:
        written = write_into(**vars(args))
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(", ".join(f"{count} rows in {args.out / name}.jsonl" for name, count in written.items()))
