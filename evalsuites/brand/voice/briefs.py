"""The brands of the suite with their style guides and briefs, read from `brands/`.

A brand's folder has `guide.md`, the guide as people read it, whose section "In short" the prompt shows; `style.toml`,
its rules as the scorer reads them; and `briefs-train.toml` and `briefs-test.toml`.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from harness.errors import UserError

FOLDER = Path(__file__).with_name("brands")
SPLITS = ("train", "test")
Channel = Literal["web", "email", "social", "print", "reply"]
CHANNELS: dict[Channel, str] = {
    "web": "a paragraph for the web page",
    "email": "an e-mail",
    "social": "a social media post",
    "print": "a text for a printed leaflet",
    "reply": "a reply",
}
"""What is written for each channel."""
IN_SHORT = re.compile(r"^## In short\n(?P<rules>.*?)(?=^## |\Z)", re.M | re.S)


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A right text for a channel."""

    channel: Channel
    answer: str


class Brief(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A draft, brief or message, the facts that the text must keep, and right texts for one or more channels."""

    id: str
    kind: Literal["rewrite", "brief", "message", "trap"]
    channel: Channel
    product: str
    document: str
    points: tuple[str, ...]
    answer: str
    also: tuple[Text, ...]

    @property
    def texts(self) -> tuple[Text, ...]:
        """Every right text, that of the brief's own channel first."""
        return (Text(self.channel, self.answer), *self.also)


class Brand(NamedTuple):
    """One brand: its name as a tag, the client's name, and the short form of its guide."""

    name: str
    client: str
    in_short: str
    style: Path


@cache
def brands() -> dict[str, Brand]:
    """Return the brands by name. Raises UserError for a guide without the section "In short"."""
    found = (_brand(folder) for folder in sorted(FOLDER.iterdir()) if folder.is_dir())
    return {brand.name: brand for brand in found}


def _brand(folder: Path) -> Brand:
    guide = IN_SHORT.search((folder / "guide.md").read_text("utf-8"))
    if guide is None:
        raise UserError(f"{folder / 'guide.md'}: no section '## In short'")
    style = folder / "style.toml"
    client = tomllib.loads(style.read_text("utf-8"))["client"]
    return Brand(folder.name, client, guide["rules"].strip(), style)


@cache
def briefs(brand: str, split: str) -> tuple[Brief, ...]:
    """Read a brand's briefs of `train` or `test`. Raises UserError for a file that cannot be used."""
    file = FOLDER / brand / f"briefs-{split}.toml"
    try:
        return msgspec.convert(tomllib.loads(file.read_text("utf-8"))["briefs"], tuple[Brief, ...])
    except (OSError, KeyError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UserError(f"{file}: {error}") from None
