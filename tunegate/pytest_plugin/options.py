"""The plugin's options of pytest: their names, the short ones that give way to a project's, and their values."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

PREFIX = "--eval-"
ENGINES = "vllm, transformers, openai, ray or fake"
OPTIONS: dict[str, dict[str, Any]] = {
    "checkpoint": {"metavar": "X", "help": "checkpoint to evaluate: Hub ID, folder, latest or alias"},
    "baseline": {"metavar": "Y", "help": "checkpoint, or 'accepted' for each baseline.json"},
    "engine": {"metavar": "NAME", "help": f"inference engine: {ENGINES} (default: vllm where installed)"},
    "engines": {"type": int, "metavar": "N", "help": "vLLM engines of --engine ray (default: one per GPU)"},
    "tensor-parallel-size": {"type": int, "metavar": "N", "help": "GPUs per model (vLLM; default: 1)"},
    "url": {"action": "append", "metavar": "U", "help": "server for --engine openai (repeatable)"},
    "served-model": {"metavar": "NAME", "help": "the checkpoint's name on the servers"},
    "served-baseline": {"metavar": "NAME", "help": "the baseline's name on the servers"},
    "trust-server": {"action": "store_true", "help": "trust that the servers have these weights; recorded"},
    "lora": {"choices": ("auto", "force", "merge"), "help": "how to serve an adapter (default: auto)"},
    "runs": {"metavar": "DIR", "help": "folder of runs (default: runs in the project)"},
    "bars": {"metavar": "DIR", "help": "take gates and accepted baselines from this evalsuites"},
    "require-gates": {"action": "store_true", "help": "fail if a gate did not run (default: only in CI)"},
    "no-require-gates": {
        "action": "store_false",
        "dest": "eval_require_gates",
        "help": "do not require gates, not even in CI",
    },
    "limit": {"type": int, "metavar": "N", "help": "run only the first N cases per suite; gates are skipped"},
    "repeats": {"type": int, "metavar": "N", "help": "answers per case and variant (default: the suite's)"},
    "track": {"metavar": "NAMES", "help": "also send results to mlflow, wandb or tensorboard"},
    "notify": {"metavar": "URL", "help": "webhook for the verdict (default: TUNEGATE_NOTIFY)"},
    "long": {"action": "store_true", "help": "also run suites marked long"},
    "script": {"metavar": "FILE", "help": "fake engine: JSON of variant -> case ID -> text"},
    "no-answer-cache": {"action": "store_true", "help": "ignore cached answers"},
}
"""Name after the prefix -> arguments of `addoption`. Every default is None."""
BARE = ("checkpoint", "baseline", "engine")
"""Options with a documented short form, without the prefix. Those of the others are accepted and not shown."""
TAKEN: pytest.StashKey[list[str]] = pytest.StashKey()
"""Names of options without the prefix that are on the command line and belong to the project or another plugin."""
_NAME = re.compile(rf"(?<![\w-])--({'|'.join(sorted(set(OPTIONS) - set(BARE), key=len, reverse=True))})(?![\w-])")


def add_options(parser: pytest.Parser) -> None:
    """Add every option with its prefix; no other plugin has these names."""
    group = parser.getgroup("tunegate", "evaluation of language models (tunegate)")
    for name, attributes in OPTIONS.items():
        short = f"; short: --{name}" if name in BARE else ""
        group.addoption(PREFIX + name, **attributes | {"default": None, "help": attributes["help"] + short})


def read_short_names(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> Iterator[None]:
    """Give short names their prefix, except for those that the project or another plugin defines.

    pytest knows these options only after it loaded the first conftest files, for which it needs the paths on the
    command line. Until then, the value of a short option must not count as one: the steps are before and after `yield`.
    """
    known = config.known_args_namespace
    if (given := _with_prefix(args, _free(parser, args))) != args:
        with suppress(pytest.UsageError):  # A conftest may define the name in another way; pytest reports mistakes.
            known.file_or_dir = parser.parse_known_args(given, copy.copy(config.option)).file_or_dir
    yield
    free = _free(parser, args)
    config.stash[TAKEN] = [f"--{name}" for name in _short_names(args) if name not in free]
    args[:] = _with_prefix(args, free)


def _short_names(args: Iterable[str]) -> list[str]:
    """Return the names of options that a command line gives without the prefix, each once."""
    words = dict.fromkeys(arg.partition("=")[0] for arg in args)
    return [name for name in OPTIONS if f"--{name}" in words]


def _free(parser: pytest.Parser, args: list[str]) -> set[str]:
    """Return the names without the prefix, of those on the command line, that no option of pytest has."""
    return {name for name in _short_names(args) if _is_unknown(parser, f"--{name}")}


def _is_unknown(parser: pytest.Parser, option: str) -> bool:
    try:
        return option in parser.parse_known_and_unknown_args([option])[1]
    except pytest.UsageError:  # A known option without its value.
        return False


def _with_prefix(args: list[str], names: set[str]) -> list[str]:
    end = args.index("--") if "--" in args else len(args)
    options = {f"--{name}" for name in names}
    return [PREFIX + a[2:] if a.partition("=")[0] in options else a for a in args[:end]] + args[end:]


def options_of(config: pytest.Config) -> SimpleNamespace:
    """Return the values of the options by their names without the prefix; None for one that is not given."""
    names = [name.replace("-", "_") for name in OPTIONS if not name.startswith("no-require")]
    return SimpleNamespace(**{name: getattr(config.option, f"eval_{name}") for name in names})


def taken_lines(config: pytest.Config) -> list[str]:
    """Return a line where an option on the command line is not tunegate's, although tunegate has one of that name."""
    given = options_of(config)
    lost = [name for name in config.stash.get(TAKEN, []) if getattr(given, name[2:].replace("-", "_"), None) is None]
    if not lost:
        return []
    ours = ", ".join(PREFIX + name[2:] for name in lost)
    return [f"{', '.join(lost)}: defined by this project or a plugin; tunegate does not read it. Use {ours} instead"]


def in_pytest(text: object) -> str:
    """Return a message of the harness with its options under their names in pytest."""
    return _NAME.sub(rf"{PREFIX}\1", str(text))
