"""Builds the suite's cases from the phrase banks, once for each state of the builder, and proves them by a digest.

python -m evalsuites.legal.clauses_long.cases     # after a change of the banks: writes cases_digest.json anew

The cases are not committed: whole contracts would be ten megabytes. Their digest is, so that a change shows.
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
"""Length of a contract, as its tag says it; longer ones are `1,500 words or more`."""


def cases() -> list[Case]:
    """The suite's cases, from the cache where this builder has built them before.

    UserError where they are not the ones that the committed digest stands for.
    """
    file = cache_dir() / "clauses_long" / _key() / "cases.jsonl"
    if file.is_file():
        return msgspec.json.Decoder(Case).decode_lines(file.read_bytes())
    built = build()
    check(built)
    write_atomic(file, msgspec.json.Encoder().encode_lines(built), parents=True, shared=True)
    return built


def build() -> list[Case]:
    """Every case, always the same."""
    return [case for contract in contracts(load("eval"), CONTRACTS, SEED) for case in cases_of(contract)]


def cases_of(contract: Contract) -> list[Case]:
    """The two cases of one contract."""
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
    """What cases_digest.json holds."""
    kept = list(built)
    return {"cases": len(kept), "contracts": len({case.cluster for case in kept}), "digest": cases_hash(kept)}


def check(built: Iterable[Case]) -> None:
    """Refuse cases that the committed digest does not stand for."""
    found, stated = facts(built), json.loads(DIGEST.read_text("utf-8"))
    if found != stated:
        raise UserError(
            f"legal/clauses_long: the cases built ({str(found['digest'])[:12]}) are not those of {DIGEST.name} "
            f"({str(stated['digest'])[:12]}). If the banks or the builder were changed on purpose, run "
            "python -m evalsuites.legal.clauses_long.cases and have the change of the digest reviewed"
        )


def _key() -> str:
    """Digest of everything that cases are built from, and of the digest they must have."""
    folders = (FOLDER, SHORT_BANKS.parent, BANKS / "eval", SHORT_BANKS / "eval")
    files = [file for folder in folders for file in sorted(folder.glob("*.py")) + sorted(folder.glob("*.toml"))]
    files += [BANKS / "captions.toml", DIGEST]
    return digest([[file.name, file.read_text("utf-8")] for file in files])[:16]


def main() -> None:
    found = facts(build())
    DIGEST.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    print(f"{found['cases']} cases of {found['contracts']} contracts: {found['digest']}")


if __name__ == "__main__":
    main()
