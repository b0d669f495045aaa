"""Reading and checking the training configuration file, with all problems reported at once.

Paths are relative to the TOML file. Checks against the model are in model_checks.py.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from os.path import normpath
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from harness.errors import refuse_all
from harness.files import home_expanded, read_toml
from harness.runs.project import suites_of
from harness.suites.tables import HUB
from training.config import ALL_LINEAR, Config, question_tables
from training.data.rows import is_there

RELATIVE = "Paths are relative to the TOML file"
EXPECTED = "Expected a training configuration"
ADVICE = {
    "base": 'Name the checkpoint to adapt, such as base = "smollm2-135m-instruct"',
    "data": "Add a table [data] with train = [...]",
    "data.train": 'Name the files of training rows, such as train = ["train.jsonl"]',
    "config": "Name the training configuration that every point changes",
    "vary": 'Add a table [vary] with lines such as "optim.lr" = [3e-4, 1e-3]',
}
"""Advice for each required field that a training configuration or a sweep lacks."""

Check = tuple[str, Callable[[Any], bool], str]
ProblemsOf = Callable[[Config], list[str]]
T = TypeVar("T", bound=Struct)

CHECKS: tuple[Check, ...] = (
    ("data.train", lambda v: len(v) > 0, "name at least one file"),
    ("data.max_length", lambda v: v >= 16, "set it to 16 or more"),
    ("data.allow_contaminated", lambda v: v is None or v.strip() != "", "give the reason, or leave it out"),
    ("data.rows", lambda v: v is None or v > 0, "set it to 1 or more, or leave it out to use all"),
    ("lora.r", lambda v: v > 0, "set it to 8 or 16"),
    ("lora.alpha", lambda v: v > 0, "set it to twice lora.r"),
    ("lora.dropout", lambda v: 0 <= v < 1, "set it to 0, or to 0.05 on a small dataset"),
    ("lora.rank_pattern", lambda v: all(r > 0 for r in v.values()), "set every rank to 1 or more"),
    ("lora.alpha_pattern", lambda v: all(a > 0 for a in v.values()), "set every alpha above 0"),
    ("lora.target_modules", lambda v: len(v) > 0, f'name layers, or set it to "{ALL_LINEAR}"'),
    ("optim.lr", lambda v: 0 < v < 1, "set it between 1e-4 and 1e-3"),
    ("optim.weight_decay", lambda v: 0 <= v < 1, "set it between 0 and 0.1"),
    ("optim.warmup_ratio", lambda v: 0 <= v < 1, "set it between 0 and 0.1; the warm-up must end before the steps do"),
    ("optim.max_grad_norm", lambda v: v >= 0, "set it to 1.0, or to 0 to leave gradients as they are"),
    ("train.rows_per_step", lambda v: v > 0, "set it to 8 or 16"),
    ("train.epochs", lambda v: 0 < v <= 1000, "set it to 1 or more"),
    ("train.max_steps", lambda v: v is None or v > 0, "set it to 1 or more, or leave it out and set train.epochs"),
    ("train.seed", lambda v: 0 <= v < 2**31, "set it to 0 or more"),
    ("train.validate_every", lambda v: v > 0, "set it to 1 or more"),
    ("train.patience", lambda v: v >= 0, "set it to 0 to train to the end"),
    ("train.pack_tokens", lambda v: v >= 0, "set it to 1024, or to 0 for one row at a time"),
    ("train.peak_tflops", lambda v: v is None or v > 0, "set it to the device's dense peak, or leave it out"),
    ("output.name", lambda v: any(c.isalnum() for c in v), "give the run a short name"),
    ("config", lambda v: v.strip() != "", "name the training configuration that every point changes"),
    ("vary", lambda v: len(v) > 0, 'add lines such as "optim.lr" = [3e-4, 1e-3]'),
)


ALIASES = {
    "rank": "lora.r",
    "lora_r": "lora.r",
    "lora_alpha": "lora.alpha",
    "lora_dropout": "lora.dropout",
    "lr": "optim.lr",
    "learning_rate": "optim.lr",
    "lr_scheduler_type": "optim.schedule",
    "grad_clip": "optim.max_grad_norm",
    "max_grad_norm": "optim.max_grad_norm",
    "weight_decay": "optim.weight_decay",
    "warmup_ratio": "optim.warmup_ratio",
    "batch_size": "train.rows_per_step",
    "per_device_train_batch_size": "train.rows_per_step",
    "num_epochs": "train.epochs",
    "num_train_epochs": "train.epochs",
    "epochs": "train.epochs",
    "max_steps": "train.max_steps",
    "seed": "train.seed",
    "max_length": "data.max_length",
    "max_seq_length": "data.max_length",
    "load_in_4bit": "model.quantise",
    "model": "base",
    "model_name_or_path": "base",
    "output_dir": "output.dir",
}
"""Names of options in other training tools, and own options that users look for in another table."""


def load(path: Path, problems_of: ProblemsOf | None = None) -> Config:
    """Read the file. Raises UserError that lists every problem.

    `problems_of` returns further problems, such as conflicts with the model, of a file that is a valid configuration.
    """
    path = Path(path)
    config, problems = check(read_toml(path, EXPECTED), path.resolve().parent, problems_of)
    refuse_all([f"{path}: {p}" for p in problems], f"{path}: the training configuration cannot be used")
    assert config is not None
    return config


def check(
    raw: Mapping[str, Any], folder: Path, problems_of: ProblemsOf | None = None
) -> tuple[Config | None, list[str]]:
    """Return the configuration of a parsed file in `folder` and no problem, or None and every problem."""
    problems: list[str] = []
    config = _built(Config, read_fields(Config, raw, problems))
    if config is not None:
        config = _absolute(config, folder)
        problems += _missing_files(config) + _incomplete_tables(config)
        if problems_of and (not problems or Path(config.base).is_dir()):  # Fetching a model takes minutes.
            problems += problems_of(config)
    return (None if problems else config), problems


def read_fields(kind: type[Struct], raw: Mapping[str, Any], problems: list[str], prefix: str = "") -> dict[str, Any]:
    """Return every readable field of a table, and add one problem for every other one."""
    fields = {f.name: f for f in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind)
    for key in raw:
        if key not in fields:
            hint = f"did you mean '{ALIASES[key]}'?" if key in ALIASES else suggestion(key, fields, prefix)
            problems.append(f"'{prefix}{key}' is unknown; {hint}")
    read: dict[str, Any] = {}
    for name, about in fields.items():
        full = f"{prefix}{name}"
        if name not in raw:
            if about.required:
                problems.append(f"'{full}' is missing. {ADVICE[full]}")
        elif isinstance(hints[name], type) and issubclass(hints[name], Struct):
            if not isinstance(raw[name], dict):
                hint = ". Name files of rows in [data]" if full == "train" else ""
                problems.append(f"'{full}' is {raw[name]!r}; expected a table [{full}]{hint}")
            elif (table := _built(hints[name], read_fields(hints[name], raw[name], problems, f"{full}."))) is not None:
                read[name] = table
        else:
            _read_value(full, raw[name], hints[name], read, problems)
    return read


def _built(kind: type[T], fields: dict[str, Any]) -> T | None:
    """Return the struct with defaults for unreadable fields, or None where a required field is missing."""
    try:
        return kind(**fields)
    except TypeError:
        return None


def _read_value(full: str, value: Any, hint: Any, read: dict[str, Any], problems: list[str]) -> None:
    try:
        parsed = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        problems.append(f"'{full}' {_misfit(full, value, hint) or _wrong_type(full, value, hint, error)}")
        return
    if not _is_finite(parsed):
        advice = next((text for name, _, text in CHECKS if name == full), "set a finite number")
        problems.append(f"'{full}' is {value!r}, which is not finite; {advice}")
        return
    for name, allows, advice in CHECKS:
        if name == full and not allows(parsed):
            problems.append(f"'{full}' is {value!r}; {advice}")
            return
    read[full.rpartition(".")[2]] = parsed


def _wrong_type(full: str, value: Any, hint: Any, error: msgspec.ValidationError) -> str:
    """Describe a single value of a wrong type."""
    choices = f"Expected one of: {', '.join(get_args(hint))}" if get_origin(hint) is Literal else ""
    advice = ADVICE.get(full) or next((f"Then {text}" for name, _, text in CHECKS if name == full), choices)
    return f"is {value!r}: {str(error)[0].lower()}{str(error)[1:]}. {advice}".rstrip()


def _misfit(full: str, value: Any, hint: Any) -> str:
    """Describe a value that is no list where one is expected, or the first wrong entry of a list or table; else ''."""
    kinds = (hint, *get_args(hint))
    kind = next((kind for kind in kinds if get_origin(kind) in (list, dict)), None)
    if kind is None:
        return ""
    entry = get_args(kind)[-1]
    if isinstance(value, get_origin(kind)):
        named = value.items() if isinstance(value, dict) else enumerate(value, 1)
        name, wrong = next((name, one) for name, one in named if not _fits(one, entry))
        where = f"for {name!r}" if isinstance(value, dict) else f"as entry {name}"
        return f"has {wrong!r} {where}; expected {_words(entry)}. Correct or remove it"
    if get_origin(kind) is dict:
        return f"is {value!r}; expected a table. {ADVICE.get(full) or f'Write {{ NAME = {_words(entry)} }}'}"
    others = [f' or "{choice}"' for other in kinds if get_origin(other) is Literal for choice in get_args(other)]
    if _fits(value, entry):
        return f'is {value!r}; expected a list. Write ["{value}"]{"".join(others if kind is not hint else [])}'
    return f"is {value!r}; expected a list. {ADVICE.get(full) or f'Write [...] with {_words(entry)} as each entry'}"


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of: {', '.join(get_args(kind))}"
    return {str: "text in quotes", int: "a whole number", float: "a number"}[kind]


def _is_finite(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(math.isfinite(number) for number in values if isinstance(number, float))


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Suggest the known name that is most like an unknown one, or list all of them."""
    names = list(known)
    similar = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean '{prefix}{similar[0]}'?" if similar else f"known: {', '.join(names)}"


def _absolute(config: Config, folder: Path) -> Config:
    def absolute(text: str) -> str:
        return text if text.startswith(HUB) else normpath(folder / home_expanded(text))

    paths = {key: [absolute(t) for t in getattr(config.data, key)] for key in ("train", "validation", "suites")}
    if not paths["suites"] and (suites := suites_of(folder)):
        paths["suites"] = [str(suites)]
    data = msgspec.structs.replace(config.data, **paths)
    base_folder = folder / home_expanded(config.base)
    base = str(base_folder.resolve()) if base_folder.is_dir() else config.base
    output = msgspec.structs.replace(config.output, dir=absolute(config.output.dir))
    with_paths = {
        name: msgspec.structs.replace(
            table, suite=table.suite and absolute(table.suite), cases=[absolute(file) for file in table.cases]
        )
        for name, table in question_tables(config).items()
    }
    return msgspec.structs.replace(config, base=base, data=data, output=output, **with_paths)


def _missing_files(config: Config) -> list[str]:
    problems = []
    for key in ("train", "validation"):
        for file in getattr(config.data, key):
            if not is_there(file):
                problems.append(f"'data.{key}' names {file}, which is not a file. {RELATIVE}")
    for suite in config.data.suites:
        if not Path(suite).exists():
            problems.append(f"'data.suites' names {suite}, which does not exist. {RELATIVE}")
    return problems


def _incomplete_tables(config: Config) -> list[str]:
    """Return the problems of tables that name validation cases."""
    problems = []
    for name, table in question_tables(config).items():
        if not table.suite and (table.cases or table.metric):
            problems.append(f"'{name}.suite' is missing; name the folder of the suite that scores '{name}.cases'")
        if table.suite and not Path(table.suite).exists():
            problems.append(f"'{name}.suite' names {table.suite}, which does not exist. {RELATIVE}")
        if table.suite and not table.cases:
            problems.append(f"'{name}.cases' is missing; name JSONL files of validation cases")
        if table.suite and not table.metric:
            problems.append(f"'{name}.metric' is missing; name a metric of the suite")
        problems += [
            f"'{name}.cases' names {file}, which is not a file. {RELATIVE}"
            for file in table.cases
            if not Path(file).is_file()
        ]
    return problems
