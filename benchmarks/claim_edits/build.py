"""Write training rows of edited statements, in the format of the suite.

python -m benchmarks.claim_edits.build --split train --out edits.jsonl
"""

import argparse
from pathlib import Path

from benchmarks.claim_edits.pairs import edited_pairs
from benchmarks.claim_edits.sources import SOURCES
from evalsuites.general.claims import cases as claims
from evalsuites.training_rows import chat_rows, write_rows
from harness.errors import UserError

ROWS = {"train": 9000, "dev": 600}
"""Rows written when --rows is not given."""


def main() -> None:
    """Write the rows of one split; a source's data that is missing is named."""
    parser = argparse.ArgumentParser(description="Write training rows of edited statements of general/claims.")
    parser.add_argument("--split", choices=tuple(claims.SIDES), required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSONL file to write")
    parser.add_argument("--rows", type=int, help="rows to write, at most as many as can be made")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives other rows")
    parser.add_argument("--sources", nargs="+", choices=tuple(SOURCES), default=tuple(SOURCES), help="texts to edit")
    args = parser.parse_args()
    side = claims.SIDES[args.split]
    try:
        pairs = edited_pairs(
            args.rows or ROWS[args.split], args.seed, lambda key: claims.sides().side(key) == side, args.sources
        )
        cases = [claims.case_of(pair, 1) for pair in pairs]
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")
    folder = Path(claims.__file__).parent
    written = write_rows(args.out, chat_rows(folder, ((case, case.expected[0]) for case in cases)))
    print(f"{written} rows in {args.out}")


if __name__ == "__main__":
    main()
