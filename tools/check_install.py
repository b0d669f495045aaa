"""Installs what would be published into empty environments and uses it there. Needs git, a package index, and uv
in the environment that runs it.

    python tools/check_install.py                       every Python and every light extra that can be had here
    python tools/check_install.py --python 3.12 --extra report

What downloads gigabytes (torch, vLLM, Ray) is resolved, and not installed unless `--extra` names it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("tunegate", "harness", "training", "reports", "evalsuites")
PYTHONS = ("3.11", "3.12", "3.13")
LIGHT = (
    *("", "openai", "report", "pdf", "review", "docs", "data", "metrics", "hub"),
    *("pandas", "inspect", "inspect-log", "tables", "otel"),
)
"""Extras that are installed unasked; "" is none."""
SUITE = "evalsuites/general/basics"
UV = (sys.executable, "-m", "uv")


def run(*words: str, cwd: Path = ROOT, allow: Sequence[int] = (0,)) -> str:
    """What a command prints. SystemExit with its output where it breaks, or leaves with a code that is not allowed."""
    apart = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    done = subprocess.run(words, cwd=cwd, env=apart, capture_output=True, text=True, check=False)
    if done.returncode not in allow or "Traceback" in done.stderr:
        raise SystemExit(f"{' '.join(words)}: left with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def tracked(*folders: str) -> list[str]:
    """Files under version control that are there, relative to the root."""
    return [name for name in run("git", "ls-files", "-z", *folders).split("\0") if (ROOT / name).is_file()]


def build(out: Path, *options: str) -> tuple[Path, Path]:
    """Wheel and sdist of the files under version control, and of nothing else that lies about."""
    with tempfile.TemporaryDirectory() as work:
        for name in tracked():
            (Path(work) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, Path(work) / name)
        run(*UV, "build", "--quiet", "--out-dir", str(out), *options, work)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def missing_from(wheel: Path) -> list[str]:
    """Files of the packages that the wheel lacks."""
    with zipfile.ZipFile(wheel) as opened:
        return sorted(set(tracked(*PACKAGES)) - set(opened.namelist()))


def extras() -> dict[str, list[str]]:
    """Requirements by extra."""
    found: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    return found


def install(folder: Path, python: str, what: str) -> Path:
    """A new environment that holds `what` and nothing else; returns its folder of programs."""
    run(*UV, "venv", "--quiet", "--python", python, str(folder))
    run(*UV, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), what)
    return folder / "bin"


def use(programs: Path, folder: Path) -> None:
    """In an empty folder: the help, the list of runs, a comparison with scripted answers and its report."""
    python = str(programs / "python")
    tunegate = str(programs / "tunegate")
    folder.mkdir()
    help_text = run(tunegate, "--help", cwd=folder)
    if "compare" not in help_text or "no runs in" not in run(tunegate, "runs", cwd=folder):
        raise SystemExit(f"{tunegate}: --help or runs did not say what they say elsewhere")
    where = "import harness, pathlib; print(pathlib.Path(harness.__file__).parent.parent)"
    installed = Path(run(python, "-c", where, cwd=folder).strip())
    if installed.is_relative_to(ROOT):
        raise SystemExit(f"{python} uses the checkout instead of what was installed")
    lacking = [name for name in PACKAGES if not (installed / name / "py.typed").is_file()]
    if lacking:
        raise SystemExit(f"{installed}: py.typed is missing in {', '.join(lacking)}")
    cases = [json.loads(line) for line in (installed / SUITE / "cases.jsonl").read_text("utf-8").splitlines()]
    right = {case["id"]: case["expected"][0] for case in cases}
    (folder / "answers.json").write_text(json.dumps({"baseline": right, "tuned": right}), "utf-8")
    words = ["compare", "old", "new", "--engine", "fake", "--script", "answers.json", "--suite", str(installed / SUITE)]
    said = run(tunegate, *words, cwd=folder, allow=(0, 1))
    if len(list(folder.glob("runs/*/report/report.html"))) != 1:
        raise SystemExit(f"{tunegate} compare: no report was written\n{said}")


def resolves(python: str, what: str) -> bool:
    """Whether a package index has versions that fit together; nothing is installed."""
    words = [*UV, "pip", "compile", "--quiet", "--python-version", python, "-"]
    done = subprocess.run(words, input=what, capture_output=True, text=True, check=False)
    return done.returncode == 0


def pythons(asked: Sequence[str]) -> list[str]:
    """Those asked for, or every supported one that is installed here."""
    here = [v for v in PYTHONS if subprocess.run([*UV, "python", "find", v], capture_output=True).returncode == 0]
    return list(asked) or here


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", default=[], help="version of Python; may be given again")
    parser.add_argument("--extra", action="append", default=[], help="extra to install; may be given again")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        wheel, sdist = build(work / "dist")
        if lacking := missing_from(wheel):
            raise SystemExit(f"{wheel.name} lacks {len(lacking)} files, the first: {lacking[0]}")
        print(f"{wheel.name}: every file of {', '.join(PACKAGES)} is in it")
        for python in pythons(asked.python):
            for extra in asked.extra or LIGHT:
                here = work / f"{python}-{extra or 'plain'}"
                use(install(here, python, f"{wheel}[{extra}]" if extra else str(wheel)), here / "empty")
                print(f"Python {python}, {extra or 'no extra'}: installed from the wheel and used")
        use(install(work / "sdist", pythons(asked.python)[0], str(sdist)), work / "sdist" / "empty")
        print(f"Python {pythons(asked.python)[0]}: installed from the sdist and used")
        for extra in sorted(set(extras()) - set(asked.extra or LIGHT)):
            fits = [v for v in pythons(asked.python) if resolves(v, f"tunegate[{extra}] @ {wheel.as_uri()}")]
            print(f"{extra}: resolves on Python {', '.join(fits) or 'none that is here'}; not installed")


if __name__ == "__main__":
    sys.exit(main())
