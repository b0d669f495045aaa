"""Resolve what a user writes as a checkpoint into folders with content digests.

A checkpoint is the embedded model, a hub id, a model folder (merged ones included), a PEFT adapter folder, or a
training run that contains one. Weights are safetensors only, and no code of a checkpoint runs (safety.py). Digests
depend on content, never on paths or names.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.checkpoints import safety
from harness.checkpoints.bundled_model import EMBEDDED, obtain, say_on_stderr
from harness.checkpoints.model_files import ADAPTER_CONFIG, ADAPTER_WEIGHTS, CheckpointFolder, found_in
from harness.env import CACHE
from harness.errors import UserError, extra_needed_by, typed_line
from harness.files import digest, file_sha256, home_expanded, write_atomic
from harness.schema import Checkpoint

__all__ = ["EMBEDDED", "cache_dir", "embedded_model", "file_sha256", "resolve"]

# Settings about where and by what a file was written; they never change an answer.
CONFIG_NOISE = ("transformers_version",)
ADAPTER_NOISE = ("base_model_name_or_path", "revision", "peft_version", "inference_mode")
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
# A younger file could change again without a visible change of its times, so its digest is not stored.
SETTLED_S = 2.0
LARGE_BYTES = 4 << 30


def cache_dir() -> Path:
    """Return the cache folder: models, merged adapters, digests, completions. All of it can be deleted."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache" / "tunegate").absolute()


def embedded_model() -> Path:
    """Return the folder of the embedded model, created on first use."""
    return obtain(cache_dir())


def resolve(text: str) -> Checkpoint:
    """Find the checkpoint that `text` names. Raises UserError with what was found where there is none."""
    model, adapter = _locate(text)
    if adapter is not None:
        _check_fits(adapter, model)
    return _checkpoint(text, model, adapter)


def hub_revision(checkpoint: Checkpoint) -> str | None:
    """Return the commit of a model that was downloaded by its hub id, which the hub's cache names; else None."""
    folder = Path(checkpoint.path)
    return folder.name if HUB_ID.fullmatch(checkpoint.name) and folder.parent.name == "snapshots" else None


def refuse_changed(checkpoint: Checkpoint) -> None:
    """Raise UserError where the files of a checkpoint on this machine are not those that were resolved.

    Whoever loaded them in between may have loaded other weights than the digest says.
    """
    if checkpoint.kind not in ("model", "adapter"):
        return
    adapter = CheckpointFolder(checkpoint.adapter_path) if checkpoint.adapter_path else None
    try:
        found = _checkpoint(checkpoint.name, CheckpointFolder(checkpoint.path), adapter).digest
        problem = f"their content digest was {checkpoint.digest[:12]} and is {found[:12]}"
    except (OSError, UserError) as error:
        found, problem = "", str(error)
    if found != checkpoint.digest:
        raise UserError(
            f"{checkpoint.name}: its files changed while they were in use: {problem}. What was made of them is not "
            "used; leave them as they are and re-run"
        )


def _checkpoint(name: str, model: CheckpointFolder, adapter: CheckpointFolder | None) -> Checkpoint:
    base = _model_digest(model)
    own = _adapter_digest(adapter) if adapter else None
    tokenizer = _carrier(model, adapter).tokenizer_digest
    return Checkpoint(
        name=name,
        kind="adapter" if adapter else "model",
        path=str(model.path),
        adapter_path=str(adapter.path) if adapter else None,
        digest=digest([base, own, tokenizer] if adapter else [base, tokenizer]),
        base_digest=base,
        adapter_digest=own,
        tokenizer_digest=tokenizer,
        pinned_by="digest",
    )


def tokenizer_of(text: str) -> tuple[Path, Path | None, str]:
    """Return the folders of model and adapter and the tokenizer's digest, without needing the weights."""
    model, adapter = _locate(text, weights=False)
    return model.path, adapter.path if adapter else None, _carrier(model, adapter).tokenizer_digest


def tokenizer_folder(checkpoint: Checkpoint) -> CheckpointFolder:
    """Return the folder whose tokenizer and chat template render the prompts: the base's where both are equal."""
    base = CheckpointFolder(checkpoint.path)
    carrier = _carrier(base, CheckpointFolder(checkpoint.adapter_path) if checkpoint.adapter_path else None)
    return base if carrier is base or base.tokenizer_digest == checkpoint.tokenizer_digest else carrier


def brings_tokenizer(checkpoint: Checkpoint) -> bool:
    """Whether an adapter has a tokenizer or chat template other than its base's."""
    return tokenizer_folder(checkpoint).path != Path(checkpoint.path)


def tokenizers_differ(one: CheckpointFolder, other: CheckpointFolder) -> str:
    """Name what differs in the tokenizers of two folders, such as `chat template`; empty where nothing does."""
    parts = {
        "tokenizer": one.vocabulary != other.vocabulary,
        "chat template": one.chat_template != other.chat_template,
    }
    return " and ".join(name for name, is_different in parts.items() if is_different)


def _carrier(model: CheckpointFolder, adapter: CheckpointFolder | None) -> CheckpointFolder:
    """Return the folder of the tokenizer to use: the adapter's, where it has one."""
    return adapter if adapter is not None and adapter.has_tokenizer else model


def _locate(
    text: str, weights: bool = True, as_base: bool = False, revision: str | None = None
) -> tuple[CheckpointFolder, CheckpointFolder | None]:
    """Model folder and, for an adapter, adapter folder. `as_base`: the base of an adapter is not looked for.

    `revision` is that of a hub id; the newest by default.
    """
    if text == EMBEDDED:
        return CheckpointFolder(embedded_model()), None
    path, from_hub = _path(text), False
    if path is not None:
        path = path.resolve()
    elif HUB_ID.fullmatch(text):
        path, from_hub = _from_hub(text, weights, revision), True
    else:
        named = text.strip() or repr(text)
        raise UserError(
            f"{named}: no such checkpoint. Expected a model or adapter folder, a hub id as owner/name, or {EMBEDDED}"
        )
    folder = CheckpointFolder(path)
    inside = CheckpointFolder(path / "adapter")
    if inside.is_adapter and folder.is_model and not folder.is_adapter:
        raise UserError(
            f"{text}: contains a model, and in {inside.path} an adapter, so what was judged would not be what others "
            "load from it. Move one of them into a folder of its own"
        )
    for adapter in (folder, inside):
        if adapter.is_adapter:
            if not from_hub:
                safety.refuse_pickles(adapter.path)
            return folder if as_base else _base_of(adapter, weights), adapter
    if folder.is_model:
        if not from_hub:
            safety.refuse_pickles(path)
        folder.config  # noqa: B018 - reading it is the check
        return folder, None
    raise UserError(f"{text}: not a checkpoint: {found_in(path)}. Expected config.json or {ADAPTER_CONFIG} in a folder")


def _path(text: str) -> Path | None:
    """Return the path where something is there, else None, also for a text that cannot be a path."""
    try:
        path = home_expanded(text)
        return path if text.strip() and path.exists() else None
    except (OSError, ValueError):
        return None


def _from_hub(text: str, weights: bool, revision: str | None) -> Path:
    with extra_needed_by(f"the hub id {text}", "train", "huggingface_hub"):
        from huggingface_hub import snapshot_download, try_to_load_from_cache
    patterns = ["*.json", "*.jinja", "*.txt", "*.model", "README.md", *(["*.safetensors"] if weights else [])]
    try:
        if weights and not isinstance(try_to_load_from_cache(text, "config.json", revision=revision), str):
            say_on_stderr(f"downloading {text} from the model hub")
        ignored = ["consolidated*"]
        return Path(snapshot_download(text, revision=revision, allow_patterns=patterns, ignore_patterns=ignored))
    except Exception as error:  # The hub client raises many types; users get one line for any.
        raise UserError(
            f"{text}: no folder has this name, and the model hub did not return it: {typed_line(error)}. Check name "
            f"and network, or name a local folder or {EMBEDDED}"
        ) from None


def _base_of(adapter: CheckpointFolder, weights: bool) -> CheckpointFolder:
    """Find the model folder, or the revision of a hub id, that the adapter was trained on.

    Raises UserError where it is not here.
    """
    file = adapter.path / ADAPTER_CONFIG
    named = adapter.adapter_config.get("base_model_name_or_path")
    if not named:
        raise UserError(f"{file}: 'base_model_name_or_path' is missing. Name the adapter's base")
    if Path(named).name.startswith(f"{EMBEDDED}-") and _path(named) is None:
        named = EMBEDDED
    try:
        base, inner = _locate(str(named), weights, True, adapter.adapter_config.get("revision"))
    except UserError as error:
        raise UserError(
            f"{adapter.path}: its base model is not here: {error}. Where it is elsewhere on this machine, correct "
            f"'base_model_name_or_path' in {ADAPTER_CONFIG}"
        ) from None
    if inner is not None and inner.path.resolve() == adapter.path.resolve():
        raise UserError(
            f"{adapter.path}: 'base_model_name_or_path' in {ADAPTER_CONFIG} names the adapter itself. Name its base "
            "model"
        )
    if inner is not None:
        raise UserError(
            f"{adapter.path}: its base {named} is itself an adapter. Merge that one first and train on the result"
        )
    return base


def _check_fits(adapter: CheckpointFolder, base: CheckpointFolder) -> None:
    """Raise UserError where an adapter's tensors do not fit the shapes of the base that it names."""
    shapes = adapter.adapter_shapes
    if base.quantization_file:
        return
    of_base: dict[str, list[tuple[int, ...]]] = {}
    for name, shape in base.shapes.items():  # The layers of text and of images have the same names.
        of_base.setdefault(_short(name), []).append(shape)
    is_transposed = bool(adapter.adapter_config.get("fan_in_fan_out"))  # The layers of GPT-2.
    modules = set()
    for name, shape in shapes.items():
        module, side, _ = name.partition(".lora_A" if ".lora_A" in name else ".lora_B")
        modules |= {_short(module)} if side else set()
        axis = int(side == ".lora_A")
        possible = of_base.get(f"{_short(module)}.weight", [])
        widths = [each[axis != is_transposed] for each in possible if len(each) == 2]
        if side and widths and len(shape) == 2 and shape[axis] not in widths:
            raise UserError(
                f"{adapter.path}: made for another base than {base.path}: {_short(module)} has width {shape[axis]}, "
                f"the base {widths[0]}. Correct 'base_model_name_or_path' in {ADAPTER_CONFIG}, or name the right "
                "adapter"
            )
    # A head that is tied to the embeddings has no tensor of its own.
    known = {"lm_head"} | {name[:at] for name in of_base for at, letter in enumerate(name) if letter == "."}
    if modules and not modules & known:
        raise UserError(f"{adapter.path}: made for another base than {base.path}: none of its modules is in that model")


def _short(name: str) -> str:
    """Return a tensor's name from its layer on, without the prefixes of wrappers."""
    start = name.find("layers.")
    if start >= 0:
        return name[start:]
    return name.removeprefix("base_model.model.").removeprefix("model.").removeprefix("transformer.")


def _model_digest(model: CheckpointFolder) -> str:
    named = {k: v for k, v in model.config.items() if not k.startswith("_") or k in safety.IMPLEMENTATIONS}
    settings = {k: v for k, v in named.items() if k not in CONFIG_NOISE}
    files = list(model.shapes_by_file)  # A cut file is refused before it is hashed.
    more = [elsewhere] if (elsewhere := model.settings_elsewhere) else []
    return digest([sorted(_memoised(files)), settings, *more])


def _adapter_digest(adapter: CheckpointFolder) -> str:
    settings = {k: v for k, v in adapter.adapter_config.items() if k not in ADAPTER_NOISE}
    settled = {
        k: sorted(v) if isinstance(v, list) and all(isinstance(i, str) for i in v) else v for k, v in settings.items()
    }
    return digest([settled, _memoised([adapter.path / ADAPTER_WEIGHTS])])


def _memoised(files: Iterable[Path]) -> list[str]:
    """Return the sha256 of each file; unchanged files are not read again."""
    store = cache_dir() / "digests.json"
    try:
        known: dict[str, Any] = json.loads(store.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    digests, fresh = [], {}
    for file in files:
        stat = file.stat()
        facts = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        entry = known.get(str(file))
        if entry is None or entry[:-1] != facts:
            if stat.st_size > LARGE_BYTES:
                say_on_stderr(f"reading {file} once for its digest")
            entry = [*facts, file_sha256(file)]
            if time.time() - stat.st_mtime > SETTLED_S:
                fresh[str(file)] = entry
        digests.append(entry[-1])
    if fresh:
        with suppress(OSError):  # The store only saves time.
            write_atomic(store, json.dumps(known | fresh), parents=True, shared=True)
    return digests
