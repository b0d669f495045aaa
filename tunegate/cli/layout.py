"""The layout of `--help`: commands in groups, and plain words in place of Python types; and old names of commands."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

EVALUATE, TRAIN, RESULTS, SHIP, SET_UP = "Evaluate", "Train", "Results", "Ship", "Set up"
GROUPS = (EVALUATE, TRAIN, RESULTS, SHIP, SET_UP)
"""Groups of commands, in the order of `tunegate --help`."""
RENAMED: dict[str, tuple[str, ...]] = {
    "noise": ("repeatability",),
    "accept": ("baseline", "accept"),
    "card": ("model-card",),
    "gate": ("regate",),
    "add-labels": ("labels", "import"),
}
"""Old names of commands, which no help shows and which still work."""
Function = TypeVar("Function", bound=Callable[..., Any])
TYPES = {"str": "TEXT", "int": "N", "int range": "N", "float": "X", "float range": "X", "path": "PATH"}
"""Words of the help for types without a metavar of their own."""


class Command(TyperCommand):
    """A command whose help names no Python type and has its arguments in capitals."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [piece.strip("{}").replace("}...", "...").upper() for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)


class Group(TyperGroup):
    """A group whose help shows its commands below the names of GROUPS."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self, ctx, formatter)
        commands = {name: command for name, command in self.commands.items() if not command.hidden}
        width = max(map(len, commands))
        for title in (*GROUPS, None):
            rows = [
                (name.ljust(width), command.get_short_help_str(formatter.width - width - 6))
                for name, command in commands.items()
                if getattr(command, "rich_help_panel", None) == title
            ]
            if rows:
                with formatter.section(title or "Commands"):
                    formatter.write_dl(rows)


class Commands(Group):
    """All commands of tunegate, by their present names and their old ones."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, [*RENAMED.get(args[0], args[:1]), *args[1:]])


class App(typer.Typer):
    """A Typer application whose commands are in one group and have the help of `Command`."""

    def __init__(self, group: str | None = None, **settings: Any) -> None:
        """`group` is that of GROUPS in which its commands are shown; with a name, the application itself."""
        self.group, self.has_name = group, "name" in settings
        super().__init__(**{"cls": Group, "rich_markup_mode": None, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:
        panel = None if self.has_name else self.group
        return super().command(name, **{"cls": Command, "rich_help_panel": panel, **settings})

    def add(self, inner: App) -> None:
        """Add the commands of another application; with a name, below its name."""
        self.add_typer(inner, rich_help_panel=inner.group)


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
    for parameter in command.get_params(ctx):
        if record := parameter.get_help_record(ctx):
            kind = parameter.param_type_name
            rows[kind].append((_without_type(record[0], kind), record[1]))
    for kind, title in (("argument", "Arguments"), ("option", "Options")):
        if rows[kind]:
            with formatter.section(title):
                formatter.write_dl(rows[kind])


def _without_type(name: str, kind: str) -> str:
    """`run <str>` of an argument becomes `RUN`, `--port <int range>` becomes `--port N`."""
    if kind == "argument":
        return re.sub(r" <[^<>]*>$", "", name).upper()
    return re.sub(r"<(?:list\[)?([^<>\[\]]*)\]?>", lambda found: TYPES.get(found[1], found[1]), name)
