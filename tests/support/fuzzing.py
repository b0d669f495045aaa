"""What outsiders may hand in: valid data with one thing changed, and bytes of any kind; a reader copes or refuses."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from harness.errors import UserError
from harness.sanitize import is_hidden

FEW = settings(max_examples=2000 if os.environ.get("TUNEGATE_EXPLORE") else 40, deadline=None)
"""Enough to see a reader go wrong in seconds; TUNEGATE_EXPLORE=1 looks for minutes."""
NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.0, 1e308])
NAMES = st.sampled_from(
    ["", "..", "../x", "/etc/passwd", "\x00", "a\nb", "x" * 300, "é🏠", "\u202e", "{{ x }}", "%s", "NaN"]
)
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | NAMES | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
DEEP = b"[" * 100_000
BYTES = st.binary(max_size=40) | st.sampled_from(
    [
        DEEP,
        b'{"a":' * 50_000,
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"\xed\xa0\x80",
        b"null",
        b"NaN",
        b"1e999",
        b'"\\ud800"',
    ]
)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside a value, its own included."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*here, key))


def changed(valid: Any) -> st.SearchStrategy[Any]:
    """The value with one of its parts replaced by junk, taken out, or joined by a part that nobody knows."""

    def apply(place: tuple[Any, ...], act: str, junk: Any) -> Any:
        whole = copy.deepcopy(valid)
        if not place:
            return junk
        *way, last = place
        inner = whole
        for key in way:
            inner = inner[key]
        if act == "drop":
            del inner[last]
        elif act == "add" and isinstance(inner, dict):
            inner["unknown"] = junk
        else:
            inner[last] = junk
        return whole

    return st.builds(apply, st.sampled_from(list(places(valid))), st.sampled_from(["drop", "add", "swap"]), JUNK)


def as_json(valid: Any) -> st.SearchStrategy[bytes]:
    """JSON near a valid one, cut or not, or bytes that are none."""
    whole = changed(valid).map(lambda value: json.dumps(value).encode())
    cut = st.tuples(whole, st.integers(0, 200)).map(lambda pair: pair[0][: len(pair[0]) - pair[1]])
    return whole | cut | BYTES


def as_lines(*valid: Any) -> st.SearchStrategy[bytes]:
    """JSON Lines near valid ones."""
    good = [json.dumps(value).encode() for value in valid]
    return st.tuples(st.sampled_from(good), as_json(valid[0]), st.booleans()).map(
        lambda parts: b"\n".join([parts[0], parts[1]] if parts[2] else [parts[1], parts[0]])
    )


def as_toml(valid: str) -> st.SearchStrategy[bytes]:
    """TOML near a valid one: a line taken out, doubled or changed, or bytes that are none."""
    lines = valid.splitlines()
    keys = sorted({line.partition("=")[0].strip() for line in lines if "=" in line})
    values = JUNK.map(lambda junk: json.dumps(junk).replace("null", "1979-05-27"))

    def apply(at: int, act: str, key: str, value: str) -> bytes:
        changed_line = f"{key} = {value}"
        piece = {"drop": [], "double": [lines[at]] * 2, "swap": [changed_line], "add": [lines[at], changed_line]}[act]
        return "\n".join([*lines[:at], *piece, *lines[at + 1 :]]).encode()

    near = st.builds(
        apply,
        st.integers(0, len(lines) - 1),
        st.sampled_from(["drop", "double", "swap", "add"]),
        st.sampled_from([*keys, "unknown", '"a.b"']),
        values,
    )
    return near | BYTES | st.just(b"a = " + DEEP)


def survives(read: Callable[..., Any], *arguments: Any) -> Any:
    """What a reader makes of its arguments, or None where it refuses them with a message for a user."""
    try:
        return read(*arguments)
    except UserError as error:
        said = str(error)
        assert said.strip() and "Traceback" not in said and len(said) < 20_000
        assert not any(map(is_hidden, said))
        return None
