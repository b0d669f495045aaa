"""The pages on commands: every `tunegate` command, and every option of the pytest plugin."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer

from tools.documented import REQUIRED, held, one_line, page, sentence, table, words
from tunegate.cli import main
from tunegate.pytest_plugin import hooks


def commands() -> str:
    """Every command, with its arguments and options, in the order of `tunegate --help`."""
    whole = typer.main.get_command(main.app)
    below = [part for name, one in whole.commands.items() for part in _command(one, f"tunegate {name}")]
    return page("Commands", _help(whole), *below)


def _help(command: Any) -> str:
    return "\n\n".join(one_line(part) for part in (command.help or "").split("\n\n"))


def _command(command: Any, name: str) -> Iterator[str]:
    """A command's part of the page, and those of the commands below it."""
    below = getattr(command, "commands", {})
    line = [name, *(_argument(one) for one in command.params if _is_argument(one))]
    if below:
        line.append("[COMMAND]" if command.invoke_without_command else "COMMAND")
    if not all(map(_is_argument, command.params)):
        line.append("[OPTIONS]")
    yield f"## {name}"
    yield f"`{' '.join(line)}`"
    yield _help(command)
    shown_parameters = [one for one in command.params if not getattr(one, "hidden", False)]
    if shown_parameters:
        taken = inspect.signature(command.callback, eval_str=True).parameters
        yield table(
            ("given", "type", "default", "what it is"),
            [_parameter(one, taken[one.name].annotation) for one in shown_parameters],
        )
    for inner, one in below.items():
        yield from _command(one, f"{name} {inner}")


def _is_argument(one: Any) -> bool:
    return bool(one.param_type_name == "argument")


def _argument(one: Any) -> str:
    """An argument as a command line has it."""
    name = one.metavar or one.name.upper() + ("..." if one.nargs == -1 else "")
    return name if one.required or name.startswith("[") else f"[{name}]"


def _parameter(one: Any, annotation: Any) -> tuple[str, str, str, str]:
    is_argument = _is_argument(one)
    name = _argument(one) if is_argument else ", ".join([*one.opts, *one.secondary_opts])
    many = not is_argument and one.multiple
    kind = words(held(annotation) if many else annotation)
    if not is_argument and one.is_flag:
        kind = "flag"
    elif not is_argument and one.metavar:
        kind = f"`{one.metavar}`".replace("|", "`, `")
    kind += ", repeatable" if many else ""
    is_left_out = one.default is None or one.default is False or one.default == ""
    default = REQUIRED if one.required else "" if is_left_out else f"`{one.default}`"
    said = one_line(one.help) + (f" Also read from `{one.envvar}`." if one.envvar else "")
    return f"`{name}`", kind, default, said


def options() -> str:
    """Every option that the plugin gives pytest."""
    found = Recorder()
    hooks.pytest_addoption(found)  # type: ignore[arg-type]
    return page(
        "Options of pytest",
        "`pytest evalsuites` takes these in addition to pytest's own.",
        "`--checkpoint`, `--baseline` and `--engine` are short for the first three, unless the project or another "
        "plugin defines an option of that name. tunegate then reads the long form only, and says so.",
        table(("option", "takes", "what it does"), found.rows),
    )


class Recorder:
    """Replaces pytest's parser and records the options."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []

    def getgroup(self, *names: str) -> Recorder:
        return self

    def addoption(self, name: str, help: str, **more: Any) -> None:
        choices = ", ".join(f"`{one}`" for one in more.get("choices", ()))
        takes = choices or (f"`{more['metavar']}`" if "metavar" in more else "")
        self.rows.append((f"`{name}`", takes, sentence(help)))
