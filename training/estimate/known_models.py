"""Finds a base model's config.json without its weights: alias, folder, model hub, or known_models.toml."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import HUB_ID
from harness.errors import UserError
from training.model_checks import local_folder

SMALL_FILES = ["*.json", "*.jinja", "*.txt", "*.model"]


class Licence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    """What it is called."""
    means: str
    """What it asks of a business, in one line; no advice."""
    source: str
    """Its text."""


class Known(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    hub: str
    """Hub id."""
    alias: str = ""
    """What tunegate calls it; empty where it has no name of its own."""
    licence: str
    """Key of the licence."""
    source: str
    """Where the shapes were read."""
    licence_source: str
    """Where it says that this licence is the model's."""
    config: dict[str, Any]
    """Fields of its config.json that shapes need."""


class KnownModels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """known_models.toml."""

    seen: str
    """Date on which the sources were read."""
    licence: dict[str, Licence]
    """By key."""
    support: dict[str, str]
    """Who serves an architecture, by model_type."""
    base: list[Known]
    """The models."""


class FoundConfig(Struct, frozen=True, kw_only=True):
    name: str
    """What the user wrote."""
    config: dict[str, Any]
    """config.json, or what known_models.toml keeps of it."""
    folder: Path | None
    """Folder with config.json and, for most, tokenizer; None where only known_models.toml knows the model."""
    known: Known | None
    """What known_models.toml says of it."""


@functools.cache
def facts() -> KnownModels:
    """What known_models.toml holds."""
    return msgspec.toml.decode((Path(__file__).parent / "known_models.toml").read_bytes(), type=KnownModels)


def known(text: str) -> Known | None:
    """The kept facts on a model: by hub id, its part after the slash, or alias."""
    wanted = text.lower()
    names = ((b, {b.hub.lower(), b.hub.lower().rpartition("/")[2], b.alias}) for b in facts().base)
    return next((b for b, has in names if wanted in has), None)


def find(text: str, reach_hub: bool = True) -> FoundConfig:
    """The base that `text` names; no weight is read or fetched. UserError where nothing is known of it."""
    kept = known(text)
    here = local_folder(text)
    if here:
        return _in(here.resolve(), text, kept)
    if HUB_ID.fullmatch(text) and reach_hub and (fetched := _from_hub(text)):
        return _in(fetched, text, kept)
    if kept is None:
        listed = ", ".join(b.hub for b in facts().base)
        raise UserError(
            f"{text}: no folder with config.json, and the model hub gave none. Name a folder, or one of: {listed}"
        )
    return FoundConfig(name=text, config=kept.config, folder=None, known=kept)


def _in(folder: Path, text: str, kept: Known | None) -> FoundConfig:
    return FoundConfig(name=text, config=CheckpointFolder(folder).config, folder=folder, known=kept)


def _from_hub(text: str) -> Path | None:
    """Folder with the small files of a model on the hub; None where it cannot be reached."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(text, allow_patterns=SMALL_FILES))
    except Exception:  # The hub client raises many kinds; known_models.toml is asked next.
        return None
