"""Asks for known vulnerabilities of every package in the locks, and says honestly where nobody could be asked.

    python tools/audit.py                        0 none known, 1 some known, 3 the service could not be asked
    python tools/audit.py --where-possible       the same, but 0 where it could not be asked

pip-audit leaves with 0 where its service knows no package at all, as a mirror of the index may. So a package with known
vulnerabilities is asked for first: a service that does not know of them is not believed about the others.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("cpu.lock", "cuda.lock")
CANARY = ("jinja2", "2.4.1")
"""A version with vulnerabilities that have been known for years."""
IGNORED: Mapping[str, str] = {}
"""Vulnerabilities that do not reach tunegate, by id, each with the reason."""
NOTHING, KNOWN, NOT_ASKED = 0, 1, 3
TIMEOUT_S = "15"


def packages(texts: Iterable[str]) -> list[tuple[str, str]]:
    """Names and versions in the locks; a label such as +cpu is no part of what a service knows."""
    pinned = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\+]+)", re.M)
    return sorted({found for text in texts for found in pinned.findall(text)})


def ask(wanted: Iterable[tuple[str, str]]) -> list[dict[str, Any]] | None:
    """What pip-audit says of each package; None where it could not ask."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={version}\n" for name, version in wanted))
        file.flush()
        words = [sys.executable, "-m", "pip_audit", "--requirement", file.name, "--disable-pip", "--no-deps"]
        words += ["--format", "json", "--progress-spinner", "off", "--timeout", TIMEOUT_S]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return None
    return found


def judge(canary: list[dict[str, Any]] | None, found: list[dict[str, Any]] | None) -> tuple[int, list[str]]:
    """Exit code and lines, from what was said of the canary and of the packages."""
    if found is None or not any(one.get("vulns") for one in canary or []):
        return NOT_ASKED, ["audit: the vulnerability service could not be asked, so nothing is known of any package"]
    lines = [
        f"audit: {one['name']} {one['version']}: {vuln['id']}, fixed in {', '.join(vuln['fix_versions']) or 'nothing'}"
        for one in found
        for vuln in one.get("vulns", [])
        if vuln["id"] not in IGNORED
    ]
    asked = [one for one in found if "vulns" in one]
    unknown = [one["name"] for one in found if "vulns" not in one]
    known = f"{len(lines)} known vulnerabilities" if lines else "no known vulnerability"
    ignored = f", {len(IGNORED)} are ignored for stated reasons" if IGNORED else ""
    more = f"; the service does not know {', '.join(unknown)}" if unknown else ""
    return (KNOWN if lines else NOTHING), [*lines, f"audit: {len(asked)} packages, {known}{ignored}{more}"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--where-possible", action="store_true", help="leave with 0 where nobody could be asked")
    where_possible = parser.parse_args().where_possible
    canary = ask([CANARY])
    answers = any(one.get("vulns") for one in canary or [])
    locks = [(ROOT / "requirements" / name).read_text("utf-8") for name in LOCKS]
    code, lines = judge(canary, ask(packages(locks)) if answers else None)
    print("\n".join(lines))
    return NOTHING if where_possible and code == NOT_ASKED else code


if __name__ == "__main__":
    sys.exit(main())
