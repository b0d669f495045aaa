"""Stands in for a program that a test must not start: says whether its command line could be meant so.

`make` knows the target, `pip` and `uv` find the extra and the file, `python` the program, `pytest` the folder,
`tunegate` every word. What is wrong is said, and written to the file that MISREAD names.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def make(words: list[str]) -> str:
    path = os.environ["PATH"].partition(os.pathsep)[2]  # without this stand-in
    done = subprocess.run(
        ["make", "-n", "-C", str(ROOT), *words], capture_output=True, text=True, env={"PATH": path}, check=False
    )
    return done.stderr


def pip(words: list[str]) -> str:
    """Extras of tunegate that are named are there, and so are files. No package index has tunegate."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    named = [name for word in words for found in re.findall(r"\[([\w,-]+)\]", word) for name in found.split(",")]
    files = [word for word in words if word.startswith("requirements/")]
    wrong = [name for name in named if name not in extras] + [name for name in files if not (ROOT / name).exists()]
    if any(re.match(r"tunegate\b(?! @)", word) for word in words):
        return "tunegate is on no package index: name a checkout, such as '.[train]'"
    return f"there is no {', '.join(wrong)}" if wrong else ""


def python(words: list[str]) -> str:
    """The module or file is there."""
    named = words[1].replace(".", "/") + ".py" if words[0] == "-m" else words[0]
    return "" if Path(named).exists() or (ROOT / named).exists() else f"there is no {named}"


def pytest(words: list[str]) -> str:
    paths = [word.partition("::")[0] for word in words if "/" in word and not word.startswith("-")]
    wrong = [path for path in paths if not (ROOT / path).exists() and not Path(path).exists()]
    return f"there is no {', '.join(wrong)}" if wrong else ""


def tunegate(words: list[str]) -> str:
    """Every word is one that tunegate takes there."""
    from typer.main import get_command

    from tunegate.cli.main import app

    command: Any = get_command(app)
    try:
        context = command.make_context("tunegate", list(words))
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, list(rest), parent=context)
    except Exception as error:
        return f"tunegate {' '.join(words)}: {error}"
    return ""


READERS: dict[str, Callable[[list[str]], str]] = {
    "make": make,
    "pip": pip,
    "uv": pip,
    "python": python,
    "pytest": pytest,
    "tunegate": tunegate,
}

if __name__ == "__main__":
    wrong = READERS[sys.argv[1]](sys.argv[2:])
    with Path(os.environ["MISREAD"]).open("a", encoding="utf-8") as file:
        file.write(wrong and f"{wrong.strip()}\n")
    print("read:", *sys.argv[1:])
    sys.exit(wrong or 0)
