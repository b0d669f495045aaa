"""The files of a checkpoint's folder: settings, tokenizer, names and shapes of tensors; no weight is loaded.

Settings of a wrong type are refused here, so that the rest may rely on the types of what it reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from harness.checkpoints import safety
from harness.errors import NOT_JSON, UserError, refuse_all
from harness.files import digest, file_sha256, read_text
from harness.formatting import first_few

MODEL_CONFIG = "config.json"
MODELOPT = "hf_quant_config.json"
ADAPTER_CONFIG = "adapter_config.json"
BASE_QUANTISATION = "base_quantisation"
"""Key of adapter_config.json with the format of the base that an adapter was trained on; absent for a plain base."""
ADAPTER_WEIGHTS = "adapter_model.safetensors"
WEIGHT_INDEX = "model.safetensors.index.json"
CHAT_TEMPLATE = "chat_template.jinja"

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "merges.txt", "spiece.model")
ADDED_TOKENS = "added_tokens.json"
"""Tokens and their ids, which transformers adds to those of the other files."""
TOKENIZER_FACTS = (
    "bos_token",
    "eos_token",
    "unk_token",
    "add_bos_token",
    "add_eos_token",
    "add_prefix_space",
    "legacy",
)
TOKENIZER_SWITCHES = (
    "split_special_tokens",
    "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
    "fix_mistral_regex",
)
"""Settings that are off unless stated, and change token ids or decoded text where they are on."""

Shapes = dict[str, tuple[int, ...]]
Count = Annotated[int, Meta(ge=1, le=2**40)]
Id = Annotated[int, Meta(ge=0, le=2**40)]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Dtype = Annotated[str, Meta(pattern=r"^(torch\.)?(b?float\d+(_\w+)?)$")]
MODEL_SETTINGS: dict[str, Any] = {
    "model_type": Name,
    "dtype": Dtype,
    "torch_dtype": Dtype,
    "vocab_size": Count,
    "hidden_size": Count,
    "intermediate_size": Count,
    "head_dim": Count,
    "num_hidden_layers": Count,
    "num_attention_heads": Count,
    "num_key_value_heads": Count,
    "num_experts_per_tok": Count,
    "max_position_embeddings": Count,
    "original_max_position_embeddings": Count,
    "rope_parameters": dict[str, Any],
    "rope_scaling": dict[str, Any],
    "eos_token_id": Id | list[Id],
    "text_config": dict[str, Any],
    "quantization_config": dict[str, Any],
    "auto_map": dict[str, Any],
    "architectures": list[str],
    "id2label": dict[Annotated[str, Meta(pattern=r"^\d{1,9}$")], str],
    "transformers_weights": None,  # Would name weights that only transformers loads, and that no digest covers.
}
"""Settings of config.json, and of its `text_config`, that tunegate reads, with their types."""
OTHER_NAMES = {
    "n_embd": "hidden_size",
    "d_model": "hidden_size",
    "n_layer": "num_hidden_layers",
    "n_layers": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_heads": "num_attention_heads",
    "n_positions": "max_position_embeddings",
    "max_seq_len": "max_position_embeddings",
}
"""Names of settings in some families, such as GPT-2 and MPT, and the usual ones."""
MODEL_SETTINGS |= dict.fromkeys(OTHER_NAMES, Count)
ADAPTER_SETTINGS: dict[str, Any] = {
    "base_model_name_or_path": Name,
    "revision": Name,
    "peft_type": str,
    "r": Count,
    "lora_alpha": float,
    "target_modules": str | list[str],
    "target_parameters": list[str],
    "modules_to_save": list[str],
    "rank_pattern": dict[str, Count],
    "alpha_pattern": dict[str, float],
    "init_lora_weights": bool | str,
    "bias": str,
    "lora_bias": bool,
    "use_dora": bool,
}
"""Settings of adapter_config.json that tunegate reads, with their types."""


class _Tensor(Struct):
    """An entry of a safetensors header."""

    shape: list[Annotated[int, Meta(ge=0)]]
    """Length of each axis."""
    data_offsets: tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=0)]]
    """First byte of its data, and one past the last."""


def found_in(path: Path) -> str:
    """Describe what is at a path, for messages."""
    if not path.is_dir():
        return "it is a file"
    names = sorted(p.name + ("/" if p.is_dir() else "") for p in path.iterdir())
    return f"it holds {first_few(names, 6)}" if names else "it is empty"


def text_settings(config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the language model, which config.json may nest, by their usual names."""
    own = config.get("text_config") or config
    return {OTHER_NAMES[name]: value for name, value in own.items() if name in OTHER_NAMES} | own


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object from a file. Raises UserError for anything else."""
    try:
        loaded = json.loads(file.read_text("utf-8"))
    except (OSError, *NOT_JSON) as error:
        raise UserError(f"{file}: cannot be read as JSON: {error}") from None
    if not isinstance(loaded, dict):
        raise UserError(f"{file}: expected a JSON object, found {type(loaded).__name__}")
    return loaded


class CheckpointFolder:
    """One folder of a checkpoint. Each of its files is read and checked once, when it is first needed.

    Make one where a folder is named, and pass it on: whoever makes a second one reads the files again.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def is_model(self) -> bool:
        """It has a config.json."""
        return (self.path / MODEL_CONFIG).is_file()

    @property
    def is_adapter(self) -> bool:
        """It has an adapter_config.json."""
        return (self.path / ADAPTER_CONFIG).is_file()

    @property
    def has_tokenizer(self) -> bool:
        """It has a file of a tokenizer; an adapter need not."""
        return any((self.path / name).exists() for name in TOKENIZER_FILES)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Read config.json. Raises UserError for a setting of the wrong type, or one that would run foreign code."""
        file = self.path / MODEL_CONFIG
        settings = read_json(file)
        problems = _problems(settings, MODEL_SETTINGS)
        text = settings.get("text_config")
        problems += _problems(text, MODEL_SETTINGS, "text_config.") if isinstance(text, dict) else []
        problems = problems or safety.code_problems(settings)
        refuse_all([f"{file}: {p}" for p in problems], f"{file}: settings that cannot be used")
        return settings

    @property
    def text_config(self) -> dict[str, Any]:
        """The settings of the language model, by their usual names."""
        return text_settings(self.config)

    @property
    def short_positions(self) -> int | None:
        """Most tokens that LongRoPE (arXiv 2402.13753) reads with its short factors; None for other models.

        vLLM computes every prompt with the long ones where its max_model_len is larger.
        """
        own = self.text_config
        rope = own.get("rope_parameters") or own.get("rope_scaling") or {}
        stated = own.get("original_max_position_embeddings") or rope.get("original_max_position_embeddings")
        is_long = rope.get("rope_type", rope.get("type")) in ("longrope", "su")
        return stated if is_long and isinstance(stated, int) else None

    @property
    def quantization_file(self) -> str:
        """Name of the file that says that its weights are packed; empty where none does."""
        if any(settings.get("quantization_config") for settings in (self.config, self.text_config)):
            return MODEL_CONFIG
        return MODELOPT if "quantization_config" in self.settings_elsewhere else ""

    @property
    def dtype(self) -> str | None:
        """The data type that config.json states, such as `bfloat16`."""
        nested = self.config.get("text_config") or {}
        stated = (settings.get(key) for settings in (self.config, nested) for key in ("dtype", "torch_dtype"))
        return next(filter(None, stated), None)

    @cached_property
    def adapter_config(self) -> dict[str, Any]:
        """Read adapter_config.json. Raises UserError for a setting of the wrong type."""
        file = self.path / ADAPTER_CONFIG
        settings = read_json(file)
        problems = _problems(settings, ADAPTER_SETTINGS)
        refuse_all([f"{file}: {p}" for p in problems], f"{file}: settings that cannot be used")
        return settings

    @cached_property
    def generation_config(self) -> dict[str, Any]:
        """generation_config.json; empty where there is none."""
        return self._optional("generation_config.json")

    @property
    def settings_elsewhere(self) -> dict[str, Any]:
        """Settings outside config.json that change answers: further ids that end one, and how weights are packed."""
        own, more = (_ids(settings.get("eos_token_id")) for settings in (self.config, self.generation_config))
        is_packed = self.config.get("quantization_config") is not None
        packing = {} if is_packed else self._optional(MODELOPT)  # Then vLLM reads it.
        settings = {"eos_token_id": sorted(more - own), "quantization_config": packing}
        return {name: value for name, value in settings.items() if value}

    @cached_property
    def tokenizer_config(self) -> dict[str, Any]:
        """tokenizer_config.json; empty where there is none."""
        return self._optional("tokenizer_config.json")

    @cached_property
    def chat_template(self) -> Any:
        """The chat template, from its own file or from tokenizer_config.json. Raises UserError where it is hidden."""
        if (other := self.path / "additional_chat_templates" / "default.jinja").exists():
            raise UserError(
                f"{other}: transformers prefers it to {CHAT_TEMPLATE}. Keep one chat template, in that file"
            )
        file = self.path / CHAT_TEMPLATE
        return read_text(file, "Copy it again") if file.is_file() else self.tokenizer_config.get("chat_template")

    @cached_property
    def vocabulary(self) -> dict[str, Any]:
        """What turns text into token ids. A folder without a tokenizer is a UserError."""
        parts: dict[str, Any] = {}
        for name in TOKENIZER_FILES:
            file = self.path / name
            if not file.is_file():
                continue
            if name == "tokenizer.json":
                parts[name] = read_json(file) | {"padding": None, "truncation": None}
            elif "tokenizer.json" not in parts:
                parts[name] = file_sha256(file)
        if not parts:
            raise UserError(f"{self.path}: no tokenizer: {found_in(self.path)}. Expected tokenizer.json")
        for name in TOKENIZER_FACTS:
            value = self.tokenizer_config.get(name)
            parts[name] = value.get("content") if isinstance(value, dict) else value
        parts |= {name: True for name in TOKENIZER_SWITCHES if self.tokenizer_config.get(name)}
        entries = parts.get("tokenizer.json", {}).get("added_tokens")
        ids = _token_ids(entries)
        if more := {token: at for token, at in self._optional(ADDED_TOKENS).items() if ids.get(token) != at}:
            parts[ADDED_TOKENS] = more
        known = _added(entries)
        stated = _stated(self._optional("special_tokens_map.json")) | _stated(self.tokenizer_config)
        if more := {token: special for token, special in stated.items() if known.get(token) not in (True, special)}:
            parts["tokens_elsewhere"] = more
        return parts

    @cached_property
    def tokenizer_digest(self) -> str:
        """Digest of vocabulary, special tokens and chat template; padding and truncation settings do not count."""
        return digest(self.vocabulary | {"chat_template": self.chat_template})

    @cached_property
    def weight_files(self) -> list[Path]:
        """The safetensors files of a model, which every engine loads.

        Pickled weights, missing shards, and files that only some engines would load are UserErrors.
        """
        index, single = self.path / WEIGHT_INDEX, self.path / "model.safetensors"
        weights = self.path.glob("[!.]*.safetensors")  # As vLLM, which loads all where there is no index.
        found = sorted(file for file in weights if file.is_file())
        if index.is_file():
            files = [self.path / name for name in _shards(index)]
            missing = [f.name for f in files if not f.is_file()]
            if missing:
                raise UserError(
                    f"{self.path}: {len(missing)} weight files of {WEIGHT_INDEX} are missing: {missing[0]} ..."
                )
            found = [single] if single.is_file() else []  # Transformers prefers it to the index.
        else:
            files = [single] if single.is_file() else found
        if other := [file.name for file in found if file not in files]:
            raise UserError(
                f"{self.path}: has {first_few(other, 3)} next to {files[0].name}, and engines differ in which of them "
                "they load. Keep one set of weights in the folder and move the rest out"
            )
        if files:
            return files
        safety.refuse_pickles(self.path)
        raise UserError(f"{self.path}: no weights: {found_in(self.path)}. Expected model.safetensors")

    @cached_property
    def shapes_by_file(self) -> dict[Path, Shapes]:
        """Names and shapes of a model's tensors, by weight file. A tensor in two files is a UserError."""
        shapes_by_file = {file: tensor_shapes(file) for file in self.weight_files}
        files_by_name: dict[str, Path] = {}
        for file, shapes in shapes_by_file.items():
            for name in shapes:
                if (first := files_by_name.setdefault(name, file)) != file:
                    raise UserError(f"{file}: has {name}, as {first.name} does. Save the weights again")
        return shapes_by_file

    @property
    def shapes(self) -> Shapes:
        """Names and shapes of all tensors of a model."""
        return {name: shape for shapes in self.shapes_by_file.values() for name, shape in shapes.items()}

    @cached_property
    def adapter_shapes(self) -> Shapes:
        """Read names and shapes of an adapter's tensors. Raises UserError for a missing or pickled file."""
        file = self.path / ADAPTER_WEIGHTS
        if file.is_file():
            return tensor_shapes(file)
        safety.refuse_pickles(self.path)
        raise UserError(f"{self.path}: {ADAPTER_WEIGHTS} is missing: {found_in(self.path)}")

    def _optional(self, name: str) -> dict[str, Any]:
        file = self.path / name
        return read_json(file) if file.is_file() else {}


def _problems(config: Mapping[str, Any], settings: Mapping[str, Any], prefix: str = "") -> list[str]:
    problems = []
    for name, kind in settings.items():
        if config.get(name) is None:
            continue
        try:
            msgspec.convert(config[name], kind)
        except msgspec.ValidationError as error:
            reason = f"{str(error)[0].lower()}{str(error)[1:]}"
            problems.append(
                f"'{prefix}{name}' is {repr(config[name])[:80]}: {reason}. Save the model again, or correct it"
            )
    return problems


def _ids(value: object) -> set[int]:
    """Return the token ids of a setting that is one, a list of them, or none."""
    return {one for one in (value if isinstance(value, list) else [value]) if isinstance(one, int)}


def _added(entries: object) -> dict[str, bool]:
    """Return added tokens and whether each is special, so that answers are decoded without it."""
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("content")): bool(entry.get("special")) for entry in found}


def _token_ids(entries: object) -> dict[str, object]:
    """Return added tokens and their ids."""
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("content")): entry.get("id") for entry in found}


def _stated(settings: Mapping[str, Any]) -> dict[str, bool]:
    """Return the tokens that a tokenizer's settings add to those of tokenizer.json, and whether each is special."""
    named = [value for key, value in settings.items() if key.endswith("_token")]
    for key in ("additional_special_tokens", "extra_special_tokens"):
        listed = settings.get(key)
        named += listed.values() if isinstance(listed, dict) else listed if isinstance(listed, list) else []
    tokens = [{"content": value} if isinstance(value, str) else value for value in named]
    added = settings.get("added_tokens_decoder")
    added = _added(list(added.values())) if isinstance(added, dict) else {}
    return added | _added([token | {"special": True} for token in tokens if isinstance(token, dict)])


def _shards(index: Path) -> list[str]:
    """List the file names of an index, sorted. Raises UserError for one outside its folder or of another type."""
    try:
        named = sorted(set(msgspec.convert(read_json(index).get("weight_map"), dict[str, str]).values()))
    except msgspec.ValidationError as error:
        raise UserError(f"{index}: 'weight_map' cannot be used: {error}. Copy the file again") from None
    odd = [name for name in named if Path(name).name != name or not name.endswith(".safetensors")]
    if odd or not named:
        problem = f"names {odd[0]!r}" if odd else "names no file"
        raise UserError(f"{index}: {problem}. Expected safetensors files next to it; copy the file again")
    return named


def tensor_shapes(file: Path) -> Shapes:
    """Read names and shapes of a safetensors file, from its header alone. Raises UserError for any other file.

    Format: 8 bytes of header length, little endian, a JSON header, then the data that the header's offsets count from.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            raw = opened.read(length) if 0 < length <= size else b""
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}). Give your user the right to read it") from None
    try:
        header = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        header.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(entry, type=_Tensor) for name, entry in header.items()}
    except NOT_JSON:
        raise UserError(f"{file}: not a safetensors file. Copy it again, or save the weights again") from None
    end = max((entry.data_offsets[1] for entry in tensors.values()), default=0)
    if 8 + length + end != size:
        raise UserError(f"{file}: {size:,} bytes, expected {8 + length + end:,}; the file is cut. Copy it again")
    return {name: tuple(entry.shape) for name, entry in tensors.items()}
