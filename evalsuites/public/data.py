"""Find public data that a user has downloaded, and write training files: chat rows and validation cases.

A suite's `build_training.py` draws cases by split and ends with `data.training_command(...)`.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from evalsuites.training_rows import case_rows, chat_rows, write_rows
from harness.env import DATA
from harness.errors import Unavailable, UserError
from harness.schema import Case

SPLITS = ("train", "validation")
DEV_CASES = "dev_cases"
"""Name of the file with the cases of the validation rows, which choose a checkpoint."""


def data_folder(name: str, needed: Iterable[str], where: str) -> Path:
    """Return the folder `name` of the public data. Raises Unavailable, saying `where` it is, if files are missing."""
    root = os.environ.get(DATA)
    folder = Path(root) / name if root else None
    if folder is None or not all((folder / file).exists() for file in needed):
        raise Unavailable(where)
    return folder


def refuse_test(split: str) -> None:
    """Raise UserError for a split that must not be trained on."""
    if split not in SPLITS:
        raise UserError(f"the split '{split}' is the suite's own; train on 'train' and 'validation'")


def write_training_files(
    out: Path, folder: Path, drawn: Mapping[str, list[Case]], answer: Callable[[Case], str]
) -> dict[str, int]:
    """Write train.jsonl, validation.jsonl and dev_cases.jsonl into `out`, and return their numbers of lines.

    `drawn` has the cases of both splits; the prompt is that of the suite in `folder`. A case in several validation rows
    is one validation case.
    """
    out.mkdir(parents=True, exist_ok=True)
    rows = {split: chat_rows(folder, ((case, answer(case)) for case in drawn[split])) for split in SPLITS}
    rows[DEV_CASES] = case_rows({case.id: case for case in drawn["validation"]}.values())
    return {name: write_rows(out / f"{name}.jsonl", lines) for name, lines in rows.items()}


def training_command(
    what: str, write_into: Callable[..., dict[str, int]], options: Mapping[str, tuple[int, str]]
) -> None:
    """Run the command line of a suite's `build_training.py`; `options` has each number's default and meaning."""
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
