"""Read documentation from code (types in words, defaults, strings under fields and constants), and write its pages."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

SIMPLE = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path", Any: "anything"}
REQUIRED = "required"
KEYWORD = re.compile(r"^ {0,4}(\w+): (.+(?:\n {5,}.+)*)", re.M)
"""A keyword in a docstring, as `name: what it is`; further lines are indented."""


class Entry(NamedTuple):
    """One field, key, keyword or constant."""

    name: str
    kind: str
    """Its type in words; for a constant its value."""
    default: str
    says: str


def one_line(text: str | None) -> str:
    """A docstring on one line."""
    return " ".join((text or "").split())


def sentence(text: str) -> str:
    """A help text that begins small and ends without a stop, as the others have it."""
    begins = text if not text.partition(" ")[0].islower() else text[0].upper() + text[1:]
    return begins if not text or text.endswith(".") else f"{begins}."


def summary(thing: Any) -> str:
    """First paragraph of a docstring, on one line."""
    return one_line((inspect.getdoc(thing) or "").partition("\n\n")[0])


def notes(body: list[ast.stmt]) -> dict[str, str]:
    """The string that stands under each assignment of a module or class."""
    found = {}
    for statement, after in pairwise(body):
        target = statement.target if isinstance(statement, ast.AnnAssign) else None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]
        if isinstance(target, ast.Name) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[target.id] = one_line(after.value.value)
    return found


def own_doc(struct: type[Struct]) -> str:
    """A struct's docstring on one line; msgspec gives those without one none of their own."""
    return one_line(struct.__dict__.get("__doc__"))


def fields(struct: type[Struct], link: Callable[[type[Struct]], str]) -> list[Entry]:
    """Every field of a struct, as files name it; what is missing under a field is an empty text."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(struct))).body[0]
    assert isinstance(tree, ast.ClassDef)
    says, hints = notes(tree.body), get_type_hints(struct)
    return [
        Entry(field.encode_name, words(hints[field.name], link), _default(field), says.get(field.name, ""))
        for field in msgspec.structs.fields(struct)
    ]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not NODEFAULT:
        return shown(field.default)
    if field.default_factory is NODEFAULT:
        return REQUIRED
    made = field.default_factory()
    return "" if isinstance(made, Struct) else shown(made)


def shown(value: Any) -> str:
    """A default as a file states it; nothing where there is none."""
    if value is None:
        return ""
    try:
        return f"`{json.dumps(value)}`"
    except TypeError:
        return f"`{value}`"


def constants(module: types.ModuleType, beginning: str = "") -> list[Entry]:
    """Constants whose names begin so, with their values."""
    says = notes(ast.parse(inspect.getsource(module)).body)
    named = {name: value for name, value in vars(module).items() if name.isupper() and name.startswith(beginning)}
    return [Entry(name, str(value), "", says.get(name, "")) for name, value in named.items()]


def keywords(function: Callable[..., Any], doc: str) -> list[Entry]:
    """The keywords of a function with what `doc` says of each, line by line."""
    says = {name: one_line(text) for name, text in KEYWORD.findall(inspect.cleandoc(doc))}
    return [
        Entry(
            one.name,
            words(one.annotation),
            REQUIRED if one.default is one.empty else "" if one.default is None else f"`{one.default!r}`",
            sentence(says.get(one.name, "")),
        )
        for one in inspect.signature(function, eval_str=True).parameters.values()
        if one.kind is one.KEYWORD_ONLY
    ]


def words(hint: Any, link: Callable[[type[Struct]], str] = lambda struct: struct.__name__) -> str:
    """A type in words; `link` says how a struct is named."""
    hint, arguments = (get_args(hint)[0], ()) if get_origin(hint) is typing.Annotated else (hint, get_args(hint))
    arguments = arguments or get_args(hint)
    origin = get_origin(hint)
    if hint in SIMPLE:
        return SIMPLE[hint]
    if origin is Literal:
        return _either([f"`{value}`" for value in arguments])
    if origin in (Union, types.UnionType):
        return _either(list(dict.fromkeys(words(one, link) for one in arguments if one is not types.NoneType)))
    if isinstance(hint, type) and issubclass(hint, Struct):
        return link(hint)
    origin = origin or hint
    if not isinstance(origin, type):
        return str(hint)
    if issubclass(origin, Mapping):
        return f"table of {_many(words(arguments[1], link))}" if arguments else "table"
    if origin is not Callable and hasattr(origin, "__iter__"):
        inner = dict.fromkeys(_many(words(one, link)) for one in arguments if one is not Ellipsis)
        return f"list of {', '.join(inner)}" if inner else "list"
    return "function" if origin.__name__ == "Callable" else origin.__name__


def held(hint: Any) -> Any:
    """What a list holds, in a hint such as `list[str] | None`."""
    bare = get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint
    return next(get_args(one)[0] for one in (bare, *get_args(bare)) if get_origin(one) is list)


def _many(text: str) -> str:
    return f"{text}s" if text in ("text", "whole number", "number", "path", "function") else text


def _either(texts: list[str]) -> str:
    return " or ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 2 else texts)


def reached(roots: list[type[Struct]]) -> list[type[Struct]]:
    """The structs and every struct that their fields hold, each once, a holder before what it holds."""
    found: dict[type[Struct], None] = {}
    waiting = list(roots)
    while waiting:
        struct = waiting.pop(0)
        if struct not in found:
            found[struct] = None
            waiting[:0] = [inner for hint in get_type_hints(struct).values() for inner in _held(hint)]
    return list(found)


def _held(hint: Any) -> Iterator[type[Struct]]:
    if isinstance(hint, type) and issubclass(hint, Struct):
        yield hint
    for one in get_args(hint):
        if get_origin(hint) is not Literal:
            yield from _held(one)


WRITTEN = "Generated from the code by `make reference`. To change this page, change the code.\n"


def page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", WRITTEN, *(f"{part}\n" for part in parts if part)])


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown, without columns that are empty."""
    columns = [[head, *cells] for head, *cells in zip(heads, *rows, strict=True)]
    kept = [column for column in columns if any(column[1:])]
    lines = [" | ".join(cell.replace("|", "\\|") for cell in row).strip() for row in zip(*kept, strict=True)]
    rule = "|" + "---|" * len(kept)
    return "\n".join([f"| {lines[0]} |", rule, *(f"| {line} |" for line in lines[1:])])


def entries(found: Iterable[Entry], first: str = "key") -> str:
    rows = [(f"`{one.name}`", one.kind, one.default, one.says) for one in found]
    return table((first, "type", "default", "what it is"), rows)
