"""Write training rows of edited statements, in the format of the suite.

python -m evalsuites.general.claims.build_edits --split train --out edits.jsonl
"""

import argparse
from pathlib import Path

from evalsuites.general.claims.cases import SIDES, case_of, sides
from evalsuites.general.claims.edit_sources import SOURCES
from evalsuites.general.claims.edited import edited_pairs
from evalsuites.training_rows import chat_rows, write_rows
from harness.errors import UserError

ROWS = {"train": 9000, "dev": 600}
"""Rows written when --rows is not given."""


def main() -> None:
    """Write the rows of one split; a source's data that is missing is named."""
    parser = argparse.ArgumentParser(description="Write training rows of edited statements of general/claims.")
    parser.add_argument("--split", choices=tuple(SIDES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--rows", type=int, help="rows to write, at most as many as can be made")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other rows")
    parser.add_argument("--sources", nargs="+", choices=tuple(SOURCES), default=tuple(SOURCES), help="texts to edit")
    args = parser.parse_args()
    side = SIDES[args.split]
    try:
        pairs = edited_pairs(
            args.rows or ROWS[args.split], args.seed, lambda key: sides().side(key) == side, args.sources
        )
        cases = [case_of(pair, 1) for pair in pairs]
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    written = write_rows(args.out, chat_rows(Path(__file__).parent, ((case, case.expected[0]) for case in cases)))
    print(f"{written} rows in {args.out}")


if __name__ == "__main__":
    main()
