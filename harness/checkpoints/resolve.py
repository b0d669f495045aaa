"""What "any checkpoint" means: turns what a user writes into folders with content digests. Knows no engine.

A checkpoint is the embedded model, a hub id, a model folder (merged ones included), a PEFT adapter folder, or a
training run that holds one. Weights are safetensors only, and no code of a checkpoint runs (trust.py). Digests go by
content, never by path or name.
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
from harness.checkpoints.model_files import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    adapter_config,
    adapter_shapes,
    found_in,
    model_config,
    read_json,
    tensor_shapes,
    weight_files,
)
from harness.env import CACHE
from harness.errors import MissingExtra, UserError, cut
from harness.files import digest, file_sha256, write_atomic
from harness.schema import Checkpoint

__all__ = ["EMBEDDED", "cache_dir", "embedded_model", "file_sha256", "resolve"]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt", "spiece.model")
# Facts about where and by what a file was written; they never change an answer.
CONFIG_NOISE = ("transformers_version",)
ADAPTER_NOISE = ("base_model_name_or_path", "revision", "peft_version", "inference_mode")
TOKENIZER_FACTS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "add_bos_token",
    "add_eos_token",
    "add_prefix_space",
    "legacy",
)
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")
# A file younger than this could change again without a visible change of its times, so its digest is not kept.
SETTLED_S = 2.0
LARGE_BYTES = 4 << 30


def cache_dir() -> Path:
    """Folder of everything that can be made again: models, merged adapters, digests, answers."""
    return Path(os.environ.get(CACHE) or Path.home() / ".cache" / "tunegate").absolute()


def embedded_model() -> Path:
    """Folder of the embedded model, made on first use."""
    return obtain(cache_dir())


def resolve(text: str) -> Checkpoint:
    """Find the checkpoint that `text` names. UserError says what was found where none is."""
    folder, adapter = _locate(text)
    if adapter is None:
        base, tokenizer = _model_digest(folder), tokenizer_digest(folder)
        return Checkpoint(
            name=text,
            kind="model",
            path=str(folder),
            digest=digest([base, tokenizer]),
            base_digest=base,
            tokenizer_digest=tokenizer,
            pinned_by="digest",
        )
    _check_fits(adapter, folder)
    base, own = _model_digest(folder), _adapter_digest(adapter)
    tokenizer = tokenizer_digest(_carrier(folder, adapter))
    return Checkpoint(
        name=text,
        kind="adapter",
        path=str(folder),
        adapter_path=str(adapter),
        digest=digest([base, own, tokenizer]),
        base_digest=base,
        adapter_digest=own,
        tokenizer_digest=tokenizer,
        pinned_by="digest",
    )


def tokenizer_of(text: str) -> tuple[Path, Path | None, str]:
    """Folders of model and adapter, and digest of the tokenizer, of a checkpoint whose weights need not be here."""
    folder, adapter = _locate(text, weights=False)
    return folder, adapter, tokenizer_digest(_carrier(folder, adapter))


def tokenizer_folder(checkpoint: Checkpoint) -> Path:
    """The folder whose tokenizer and chat template render the checkpoint's prompts: its base's where they are equal."""
    base = Path(checkpoint.path)
    found = _carrier(base, Path(checkpoint.adapter_path) if checkpoint.adapter_path else None)
    return base if found == base or tokenizer_digest(base) == checkpoint.tokenizer_digest else found


def brings_tokenizer(checkpoint: Checkpoint) -> bool:
    """An adapter whose tokenizer or chat template is not its base's."""
    return tokenizer_folder(checkpoint) != Path(checkpoint.path)


def tokenizers_differ(one: Path, other: Path) -> str:
    """What differs in the tokenizers of two folders, such as `chat template`; empty where nothing does."""
    parts = {"tokenizer": _vocabulary, "chat template": _chat_template}
    return " and ".join(name for name, of in parts.items() if digest(of(one)) != digest(of(other)))


def _carrier(folder: Path, adapter: Path | None) -> Path:
    """The folder whose tokenizer counts: the adapter's, where it brings one."""
    brings = adapter is not None and any((adapter / name).exists() for name in TOKENIZER_FILES)
    return adapter if adapter is not None and brings else folder


def _locate(text: str, weights: bool = True, as_base: bool = False) -> tuple[Path, Path | None]:
    """Model folder and, for an adapter, adapter folder. `as_base`: nothing is asked of the base of an adapter."""
    if text == EMBEDDED:
        return embedded_model(), None
    path, from_hub = _path(text), False
    if path is not None:
        path = path.resolve()
    elif HUB_ID.fullmatch(text):
        path, from_hub = _from_hub(text, weights), True
    else:
        raise UserError(
            f"{text}: no such checkpoint. Expected a model or adapter folder, a hub id as owner/name, or {EMBEDDED}"
        )
    for adapter in (path, path / "adapter"):
        if (adapter / ADAPTER_CONFIG).is_file():
            if not from_hub:
                _refuse_pickles(adapter)
            return path if as_base else _base_of(adapter, weights), adapter
    if path.is_dir() and (path / "config.json").is_file():
        if not from_hub:
            _refuse_pickles(path)
        model_config(path)
        return path, None
    raise UserError(f"{text}: not a checkpoint: {found_in(path)}. Expected config.json or {ADAPTER_CONFIG} in a folder")


def _path(text: str) -> Path | None:
    """What is there under this path, or None; a text that no path can be is no path."""
    try:
        path = Path(text).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError, ValueError):
        return None


def _refuse_pickles(folder: Path) -> None:
    found = safety.pickles(folder)
    if found:
        raise UserError(safety.refused(folder, found))


def _from_hub(text: str, weights: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra(f"the hub id {text}", "huggingface_hub", "train") from None
    wanted = ["*.json", "*.jinja", "*.txt", "*.model", "README.md", *(["*.safetensors"] if weights else [])]
    try:
        return Path(snapshot_download(text, allow_patterns=wanted))
    except Exception as error:  # The hub client raises many kinds; a user needs one line of any.
        first = (str(error).strip().splitlines() or [""])[0]
        raise UserError(
            f"{text}: no folder of this name is here, and the model hub did not give it: "
            f"{type(error).__name__}: {cut(first, 160)}. Check name and network, or name a local folder or {EMBEDDED}"
        ) from None


def _base_of(adapter: Path, weights: bool) -> Path:
    """Model folder that the adapter was trained on."""
    named = adapter_config(adapter).get("base_model_name_or_path")
    if not named:
        raise UserError(f"{adapter / ADAPTER_CONFIG}: 'base_model_name_or_path' is missing. Name the adapter's base")
    if Path(named).name.startswith(f"{EMBEDDED}-") and _path(named) is None:
        named = EMBEDDED
    try:
        folder, inner = _locate(str(named), weights, as_base=True)
    except UserError as error:
        raise UserError(f"{adapter}: its base model is not here: {error}") from None
    if inner is not None and inner.resolve() == adapter.resolve():
        raise UserError(
            f"{adapter}: 'base_model_name_or_path' in {ADAPTER_CONFIG} names the adapter itself. Name its base model"
        )
    if inner is not None:
        raise UserError(
            f"{adapter}: its base {named} is itself an adapter. Merge that one first and train on the result"
        )
    return folder


def _check_fits(adapter: Path, base: Path) -> None:
    """Refuse an adapter whose tensors do not fit the base it names, by shape."""
    shapes = adapter_shapes(adapter)
    if "quantization_config" in read_json(base / "config.json"):
        return
    of_base = {_short(name): s for f in weight_files(base) for name, s in tensor_shapes(f).items()}
    found = 0
    for name, shape in shapes.items():
        module, side, _ = name.partition(".lora_A" if ".lora_A" in name else ".lora_B")
        expected = of_base.get(f"{_short(module)}.weight")
        if not side or expected is None or len(expected) != 2 or len(shape) != 2:
            continue
        found += 1
        own, theirs = (shape[1], expected[1]) if side == ".lora_A" else (shape[0], expected[0])
        if own != theirs:
            raise UserError(
                f"{adapter}: made for another base than {base}: {_short(module)} has width {own}, the base {theirs}. "
                f"Correct 'base_model_name_or_path' in {ADAPTER_CONFIG}, or name the right adapter"
            )
    if not found and any(".lora_A" in name for name in shapes):
        raise UserError(f"{adapter}: made for another base than {base}: none of its modules is in that model")


def _short(name: str) -> str:
    """A tensor's name from its layer on, so that wrappers' prefixes do not matter."""
    start = name.find("layers.")
    return name[start:] if start >= 0 else name.removeprefix("base_model.model.").removeprefix("model.")


def _model_digest(folder: Path) -> str:
    read = read_json(folder / "config.json").items()
    config = {k: v for k, v in read if not k.startswith("_") or k in safety.IMPLEMENTATIONS}
    files = weight_files(folder)
    for file in files:
        tensor_shapes(file)
    return digest([sorted(_memoised(files)), {k: v for k, v in config.items() if k not in CONFIG_NOISE}])


def _adapter_digest(adapter: Path) -> str:
    config = {k: v for k, v in read_json(adapter / ADAPTER_CONFIG).items() if k not in ADAPTER_NOISE}
    settled = {
        k: sorted(v) if isinstance(v, list) and all(isinstance(i, str) for i in v) else v for k, v in config.items()
    }
    return digest([settled, _memoised([adapter / ADAPTER_WEIGHTS])])


def tokenizer_digest(folder: Path) -> str:
    """Digest of vocabulary, special tokens and chat template; padding and truncation settings do not count."""
    return digest(_vocabulary(folder) | {"chat_template": _chat_template(folder)})


def _vocabulary(folder: Path) -> dict[str, Any]:
    """What turns text into token ids."""
    found: dict[str, Any] = {}
    for name in TOKENIZER_FILES:
        file = folder / name
        if not file.is_file():
            continue
        if name == "tokenizer.json":
            found[name] = read_json(file) | {"padding": None, "truncation": None}
        elif "tokenizer.json" not in found:
            found[name] = file_sha256(file)
    if not found:
        raise UserError(f"{folder}: no tokenizer: {found_in(folder)}. Expected tokenizer.json")
    config = _tokenizer_config(folder)
    for name in TOKENIZER_FACTS:
        value = config.get(name)
        found[name] = value.get("content") if isinstance(value, dict) else value
    return found


def _chat_template(folder: Path) -> Any:
    template = folder / "chat_template.jinja"
    return template.read_text("utf-8") if template.is_file() else _tokenizer_config(folder).get("chat_template")


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    return read_json(file) if file.is_file() else {}


def _memoised(files: Iterable[Path]) -> list[str]:
    """sha256 of each file; unchanged files are not read again."""
    store = cache_dir() / "digests.json"
    try:
        known: dict[str, Any] = json.loads(store.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    found, fresh = [], {}
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
        found.append(entry[-1])
    if fresh:
        with suppress(OSError):  # The store only saves time.
            write_atomic(store, json.dumps(known | fresh), parents=True, shared=True)
    return found
