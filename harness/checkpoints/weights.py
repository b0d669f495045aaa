"""Load and save weights with transformers and PEFT, and refuse what they would let pass."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.checkpoints import safety
from harness.checkpoints.model_files import BASE_QUANTISATION, CheckpointFolder
from harness.errors import UserError, first_line
from harness.formatting import count

MISFITS = ("ignore_mismatched_sizes", "conversion of the weights")
"""Words of the errors of transformers for tensors of other shapes, and for experts of which some are missing."""


def load_model(folder: str | Path, **more: Any) -> Any:
    """Load a language model with transformers, which draws weights that its files lack at random.

    Raises UserError where there are such weights.
    """
    from transformers import AutoModelForCausalLM

    again = "Copy the model again, or save it again with save_pretrained"
    more |= {"output_loading_info": True}
    try:
        model, loaded = AutoModelForCausalLM.from_pretrained(str(folder), **more, **safety.MODEL)
    except RuntimeError as error:
        if not any(words in str(error) for words in MISFITS):
            raise
        raise UserError(
            f"{folder}: its files lack weights of the model, or have some in other shapes. {again}"
        ) from None
    if lacking := sorted(loaded["missing_keys"]):
        raise UserError(
            f"{folder}: its files lack {count(len(lacking), 'weight')} of the model, such as {lacking[0]}, which would "
            f"be random numbers. {again}"
        )
    return model


def load_adapter(model: Any, adapter: str | Path, name: str = "default", **more: Any) -> Any:
    """Load an adapter with PEFT onto a loaded base, or onto what it returned for another adapter.

    Raises UserError where only a part of the adapter would have an effect, which PEFT allows.
    """
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{BASE_QUANTISATION}.*")
        warnings.filterwarnings("ignore", message="Found missing adapter keys")
        try:
            if not isinstance(model, PeftModel):
                model = PeftModel.from_pretrained(model, str(adapter), adapter_name=name, **more)
            loaded = model.load_adapter(str(adapter), adapter_name=name, **more)  # Unlike the other, it says which.
        except RuntimeError as error:
            if "size mismatch" not in str(error):
                raise
            found = str(error).partition("size mismatch for ")[2].partition("\n")[0]
            raise UserError(
                f"{adapter}: its file does not fit its adapter_config.json or its base: {found} Save the adapter again "
                "with save_pretrained"
            ) from None
    problems = {"its file has no weights for": loaded.missing_keys, "its base has no place for": loaded.unexpected_keys}
    for problem, names in problems.items():
        if names:
            raise UserError(
                f"{adapter}: {problem} {count(len(names), 'tensor')} of the adapter, such as {names[0]}, so a part of "
                "the training would have no effect. Expected the names and target_modules of its own base: save the "
                "adapter again with save_pretrained"
            )
    return model


def check_complete(folder: CheckpointFolder, adapters: Mapping[str, str | Path] = {}) -> str:
    """Raise the UserErrors of `load_model` and `load_adapter`, for engines that read the files by themselves.

    transformers lays the model out without values, PEFT its `adapters` by these names, and names and shapes are
    compared. Returns why they were not, empty where they were: quantised weights have other names, and an engine may
    know architectures that transformers does not. Weights that the engine reads and transformers' model for text has
    not, such as those for images, are not compared.
    """
    if packed := folder.quantization_file:
        return f"its weights are quantised ({packed})"
    try:
        with without_warnings():
            model = load_model(folder.path, device_map="meta")
            for name, adapter in adapters.items():
                model = load_adapter(model, adapter, name, torch_device="cpu", low_cpu_mem_usage=True)
    except UserError:
        raise
    except Exception as error:  # transformers raises many types where it lacks an architecture or one of its packages.
        return f"transformers cannot lay it out: {first_line(error)}"
    return ""


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep the warnings and the progress bars of transformers and PEFT off the terminal."""
    from transformers.utils import logging

    level, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if has_bar:
            logging.enable_progress_bar()


def save_model(model: Any, out: Path, **more: Any) -> None:
    """Call `model.save_pretrained`, and give the weight files the permissions of the configuration.

    safetensors 0.8 makes them readable for their owner alone, so that a server under another user cannot load them.
    transformers refuses to save a temperature without `do_sample`, as some bases state it; only end tokens are kept.
    """
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig.from_model_config(model.config)
    model.save_pretrained(str(out), **more)
    mode = stat.S_IMODE(next(out.glob("*config.json")).stat().st_mode)
    for file in out.glob("*.safetensors"):
        file.chmod(mode)
