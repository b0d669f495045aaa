"""Merge an adapter into its base: in fp32, cast once, and compared with the adapter.

A merged model is not identical to its adapter; every merge reports the difference. An adapter that was
trained on an NF4 base is merged into the dequantised weights of that base, never into the original or the 4-bit ones.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock
from msgspec import Struct

from harness.checkpoints import quantization, safety
from harness.checkpoints.model_files import ADDED_TOKENS, CHAT_TEMPLATE, TOKENIZER_FILES, CheckpointFolder
from harness.checkpoints.resolve import cache_dir, refuse_changed, resolve, tokenizer_folder
from harness.checkpoints.weights import load_adapter, load_model, save_model
from harness.errors import NOT_JSON, UserError, extra_needed_by
from harness.files import hold
from harness.formatting import count
from harness.schema import Checkpoint

FACTS = "merge.json"
"""File of every merged folder; locked while the folder is in use, and its time is that of the last use."""
MAKING = "making-"
"""Prefix of the temporary folders in which models are merged."""
CARRIED = (*TOKENIZER_FILES, ADDED_TOKENS, "tokenizer_config.json", "special_tokens_map.json", CHAT_TEMPLATE)
OF_BASE = ("generation_config.json", "preprocessor_config.json", "processor_config.json")
PACKED_BASE = (
    "must be merged, and its base is quantised ({}). Merge into the 16-bit base, quantise the result and evaluate that"
)
PROBES = (
    "The tenant shall pay rent on the first day of each month.",
    "Name the governing law of this agreement.",
    "Once upon a time there was a lighthouse keeper who",
)


class Contamination(Struct, frozen=True, kw_only=True):
    """Test cases among the rows that made a model, as trainings record them, without the rows themselves."""

    cases: int | None = None
    """Cases that the rows were compared with; None: not known."""
    rows: int = 0
    """Rows that contain text of one."""
    suites: dict[str, int] = {}
    """Cases of each suite."""
    uncompared: dict[str, int] = {}
    """Cases of each suite that were too short or too common."""
    missing: list[str] = []
    """Suites that could not be compared, and why."""
    unchecked: str = ""
    """Why no suite of the project was compared."""
    allowed: str = ""
    """Why rows with such text were allowed."""
    base: Contamination | None = None
    """The same of the base, where that is a merge."""


class MergeFacts(Struct, frozen=True, kw_only=True):
    """Facts of a merge; merge.json in the merged folder."""

    base_digest: str
    """Content digest of the base."""
    adapter_digest: str
    """Content digest of the adapter."""
    dtype: str
    """Data type that the sum was cast to, once."""
    changed_tensors: int
    """Weight tensors that differ from the base after the cast; 0 means the adapter has no effect."""
    tensors: int
    """Weight tensors in all."""
    logprob_gap: float
    """Largest difference of a next-token log probability, merged against fp32 base with adapter, on fixed texts."""
    base_quantisation: str | None = None
    """`nf4` where the adapter was merged into the base's dequantised NF4 weights; `base` then means those weights."""
    contamination: Contamination | None = None
    """Test cases among the rows that made the adapter; None: not known."""
    digest: str = ""
    """Content digest of the merged folder as it was written."""

    @property
    def says(self) -> str:
        """One sentence for users."""
        return (
            f"{self.changed_tensors} of {self.tensors} tensors changed; next-token log probabilities differ from the "
            f"adapter's by up to {self.logprob_gap:.3f} after the cast to {self.dtype}"
            f"{', on the dequantised NF4 base' if self.base_quantisation else ''}"
        )


_in_use: dict[Path, int] = {}
"""Merged folders in use by this process until it ends, with the handles that lock them."""


def merged_dir() -> Path:
    """Return the folder of all cached merged models."""
    return cache_dir() / "merged"


def merged_path(checkpoint: Checkpoint) -> Path:
    """Return the path at which an adapter's merged model and its tokenizer are cached, whether or not they exist."""
    assert checkpoint.adapter_digest is not None
    parts = (checkpoint.base_digest[:16], checkpoint.adapter_digest[:16], checkpoint.tokenizer_digest[:8])
    return merged_dir() / "-".join(parts)


def merged_folder(checkpoint: Checkpoint, say: Callable[[str], None] = lambda text: None) -> Path:
    """Return the cached merged model of an adapter, created on first use, once per content of all its parts.

    Raises UserError where the cache cannot be written.
    """
    folder = merged_path(checkpoint)
    try:
        while not _use(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{folder}.lock"):
                if not _is_as_written(folder):
                    say(f"merging {checkpoint.name} into its base, once")
                    _make(checkpoint, folder, say)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot write the merged model: {error.strerror or error}. Free space, or set TUNEGATE_CACHE"
        ) from None
    return folder


def _make(checkpoint: Checkpoint, folder: Path, say: Callable[[str], None]) -> None:
    """Merge in a temporary folder, then move it to `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=MAKING) as work:
        merged = Path(work) / "model"
        say(merge_into(checkpoint, merged).says)
        shutil.rmtree(folder, ignore_errors=True)
        merged.rename(folder)


def _use(folder: Path) -> bool:
    """Lock a merged folder against eviction while this process lives; False where it is missing or was changed."""
    try:
        handle = hold(folder / FACTS)
    except FileNotFoundError:
        return False
    if not _is_as_written(folder):
        os.close(handle)
        return False
    with suppress(OSError):  # Another user's folder can be used, too.
        os.utime(folder / FACTS)
    if folder in _in_use:
        os.close(_in_use[folder])
    _in_use[folder] = handle
    return True


def _is_as_written(folder: Path) -> bool:
    """Whether the merged folder has the content that was merged: answers of any other would count for the adapter."""
    try:
        return resolve(str(folder)).digest == read_facts(folder).digest
    except (OSError, UserError, *NOT_JSON):
        return False


def read_facts(folder: Path) -> MergeFacts:
    """Read the facts of the merge in this folder."""
    return msgspec.json.decode((folder / FACTS).read_bytes(), type=MergeFacts)


def merge_into(checkpoint: Checkpoint, out: Path, contamination: Contamination | None = None) -> MergeFacts:
    """Write base plus adapter to the folder `out`: weights, tokenizer, chat template, generation config, merge.json.

    The sum is made in fp32 and cast to the base's data type. Needs 4 bytes of memory per parameter, and twice as much
    while casting. Raises MissingExtra without peft, and UserError where files changed meanwhile or the data type cannot
    hold a weight.
    """
    with extra_needed_by("merging an adapter", "train"):
        import peft  # noqa: F401 - loaded below, named here
        from transformers.utils import logging
    assert checkpoint.adapter_path is not None
    logging.disable_progress_bar()
    base, adapter = Path(checkpoint.path), CheckpointFolder(checkpoint.adapter_path)
    carrier = tokenizer_folder(checkpoint).path
    form = quantization.of_adapter(adapter)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix="dequantised-") as work:
        if form is not None:
            quantization.dequantise_to(base, Path(work))
        facts = _merge(checkpoint, CheckpointFolder(work if form else base), adapter, carrier, out)
    _carry(carrier, CARRIED, out)
    _carry(base, OF_BASE, out)
    refuse_changed(checkpoint)
    facts = msgspec.structs.replace(
        facts, base_quantisation=form, contamination=contamination, digest=resolve(str(out)).digest
    )
    (out / FACTS).write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=2))
    return facts


def _merge(
    checkpoint: Checkpoint, base: CheckpointFolder, adapter: CheckpointFolder, carrier: Path, out: Path
) -> MergeFacts:
    """Write the sum of `base` and the adapter; `carrier` has the tokenizer for the texts of the comparison.

    The sum is cast to the data type that the base's config.json states; fp32 where it states none.
    """
    import torch

    assert checkpoint.adapter_digest is not None
    dtype = getattr(torch, (base.dtype or "float32").removeprefix("torch."))
    tuned = load_tuned(base.path, adapter)
    probes = _probes(carrier)
    expected = _next_token_logprobs(tuned, probes)
    merged = tuned.merge_and_unload(safe_merge=True).to(dtype)
    if infinite := [name for name, each in merged.named_parameters() if not torch.isfinite(each).all()]:
        raise UserError(
            f"{checkpoint.name}: {count(len(infinite), 'tensor')} of the merged model exceed {base.dtype or 'float32'} "
            f"({infinite[0]}). Save the base as bfloat16 or float32, or lower the adapter's scale"
        )
    gap = max((e - f).abs().max().item() for e, f in zip(expected, _next_token_logprobs(merged, probes), strict=True))
    save_model(merged, out)
    changed, total = _changed(base, CheckpointFolder(out))
    return MergeFacts(
        base_digest=checkpoint.base_digest,
        adapter_digest=checkpoint.adapter_digest,
        dtype=str(dtype).removeprefix("torch."),
        changed_tensors=changed,
        tensors=total,
        logprob_gap=gap,
    )


def load_tuned(base: Path, adapter: CheckpointFolder) -> Any:
    """Load a base in fp32 with an adapter on it, as PEFT's model. Needs 4 bytes of memory per parameter.

    An output head that is tied to the embeddings gets its own weights where an adapter of either would change both.
    """
    import torch

    if packed := CheckpointFolder(base).quantization_file:
        raise UserError(f"{adapter.path}: {PACKED_BASE.format(packed)}")
    model = load_model(base, dtype=torch.float32)
    _resize(model, adapter)
    tuned = load_adapter(model, adapter.path, is_trainable=False)
    head = model.get_output_embeddings()
    if hasattr(head, "lora_A") or hasattr(model.get_input_embeddings(), "lora_A"):
        head = getattr(head, "base_layer", head)
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    return tuned


def _carry(source: Path, names: tuple[str, ...], out: Path) -> None:
    """Copy files byte by byte, so that their digests stay the same."""
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)


def _resize(model: Any, adapter: CheckpointFolder) -> None:
    """Grow the vocabulary where the adapter was trained with added tokens and contains the whole embeddings."""
    shapes = adapter.adapter_shapes
    rows = {s[0] for n, s in shapes.items() if n.endswith(("embed_tokens.weight", "lm_head.weight")) and len(s) == 2}
    if rows and max(rows) != model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(max(rows))


def _probes(folder: Path) -> list[Any]:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), **safety.TOKENIZER)
    return [torch.tensor([tokenizer.encode(text, add_special_tokens=False)]) for text in PROBES]


def _next_token_logprobs(model: Any, probes: list[Any]) -> list[Any]:
    """Return the log probabilities of the next token, one fp32 tensor of shape (vocabulary,) per probe."""
    import torch

    model.eval()
    with torch.inference_mode():
        return [torch.log_softmax(model(input_ids=ids).logits[0, -1].float(), dim=-1) for ids in probes]


def _changed(base: CheckpointFolder, merged: CheckpointFolder) -> tuple[int, int]:
    """Count the stored tensors that differ between two model folders, and all of them."""
    from safetensors import safe_open

    where = {name: file for file, shapes in base.shapes_by_file.items() for name in shapes}
    changed = total = 0
    for file in merged.weight_files:
        with safe_open(str(file), framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a dict
                total += 1
                changed += name not in where or not _equal(opened.get_tensor(name), where[name], name)
    return changed, total


def _equal(tensor: Any, file: Path, name: str) -> bool:
    import torch
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as opened:
        other = opened.get_tensor(name)
    return bool(tensor.shape == other.shape and torch.equal(tensor, other.to(tensor.dtype)))
