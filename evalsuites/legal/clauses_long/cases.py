"""Build the suite's cases from the phrase banks, once per version of the builder, and check them by a digest.

python -m evalsuites.legal.clauses_long.cases     # after a change of the banks: rewrites cases_digest.json

The cases are not committed, because whole contracts are ten megabytes. Their digest is, so that a change is visible.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import msgspec

from evalsuites.legal.clauses.drafting.bank import BANKS as SHORT_BANKS
from evalsuites.legal.clauses_long.bank import BANKS, load
from evalsuites.legal.clauses_long.contract import Contract, contracts
from harness.checkpoints.resolve import cache_dir
from harness.errors import UserError
from harness.files import digest, write_atomic
from harness.schema import Case
from harness.suites.cases import cases_hash

FOLDER = Path(__file__).parent
DIGEST = FOLDER / "cases_digest.json"
CONTRACTS = 600
SEED = "whole-1"
BANDS = ((1000, "under 1,000 words"), (1500, "1,000 to 1,499 words"))
"""Length of a contract in its tag; longer ones are `1,500 words or more`."""


def cases() -> list[Case]:
    """Return the suite's cases, from the cache if this builder has built them before.

    Raises UserError if they do not match the committed digest.
    """
    file = cache_dir() / "clauses_long" / _key() / "cases.jsonl"
    if file.is_file():
        return msgspec.json.Decoder(Case).decode_lines(file.read_bytes())
    built = build()
    check(built)
    write_atomic(file, msgspec.json.Encoder().encode_lines(built), parents=True, shared=True)
    return built


def build() -> list[Case]:
    """Build every case, always the same."""
    return [case for contract in contracts(load("eval"), CONTRACTS, SEED) for case in cases_of(contract)]


def cases_of(contract: Contract) -> list[Case]:
    """Make the two cases of one contract."""
    words = len(contract.document.split())
    tags = {
        "instrument": contract.instrument,
        "style": contract.style,
        "length": next((band for most, band in BANDS if words < most), "1,500 words or more"),
        "state": "Georgia",
    }
    return [
        Case(
            id=f"{contract.name}-{i}",
            input={
                "document": contract.document,
                "clause_types": "; ".join(question.asked),
                "near_misses": "; ".join(question.near_misses),
            },
            expected=question.present,
            cluster=contract.name,
            tags={**tags, "kind": "clause" if question.present else "no_such_clause"},
        )
        for i, question in enumerate(contract.plan.questions, 1)
    ]


def facts(built: Iterable[Case]) -> dict[str, object]:
    """Return the content of cases_digest.json."""
    listed = list(built)
    return {"cases": len(listed), "contracts": len({case.cluster for case in listed}), "digest": cases_hash(listed)}


def check(built: Iterable[Case]) -> None:
    """Raise UserError if cases do not match the committed digest."""
    summary, stated = facts(built), json.loads(DIGEST.read_text("utf-8"))
    if summary != stated:
        raise UserError(
            f"legal/clauses_long: the cases built ({str(summary['digest'])[:12]}) are not those of {DIGEST.name} "
            f"({str(stated['digest'])[:12]}). If the banks or the builder were changed on purpose, run "
            "python -m evalsuites.legal.clauses_long.cases and have the change of the digest reviewed"
        )


def _key() -> str:
    """Digest of everything that cases are built from, and of their committed digest."""
    folders = (FOLDER, SHORT_BANKS.parent, BANKS / "eval", SHORT_BANKS / "eval")
    files = [file for folder in folders for file in sorted(folder.glob("*.py")) + sorted(folder.glob("*.toml"))]
    files += [BANKS / "captions.toml", DIGEST]
    return digest([[file.name, file.read_text("utf-8")] for file in files])[:16]


def main() -> None:
    summary = facts(build())
    DIGEST.write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    print(f"{summary['cases']} cases of {summary['contracts']} contracts: {summary['digest']}")


if __name__ == "__main__":
    main()
