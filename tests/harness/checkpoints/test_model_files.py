"""Weights on disk can be read by whoever may read the configuration beside them."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.checkpoints import model_files
from harness.checkpoints.model_files import CheckpointFolder


@pytest.fixture(params=[0o022, 0o027])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """What a user lets others do with new files."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_weight_files_are_as_readable_as_any_new_file(tiny_model: Path, tmp_path: Path, umask: int) -> None:
    from transformers import AutoModelForCausalLM

    model_files.save(AutoModelForCausalLM.from_pretrained(tiny_model), tmp_path / "out")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "out").iterdir()}
    assert "model.safetensors" in modes
    assert set(modes.values()) == {0o666 & ~umask}


@pytest.mark.parametrize(
    ("settings", "elsewhere", "stated_in"),
    [
        ("{}", "{}", ""),
        ('{"quantization_config": null}', "{}", ""),
        ('{"quantization_config": {"quant_method": "gptq"}}', "{}", "config.json"),
        ('{"text_config": {"quantization_config": {"quant_method": "compressed-tensors"}}}', "{}", "config.json"),
        ("{}", '{"quantization": {"quant_algo": "FP8"}}', "hf_quant_config.json"),
    ],
)
def test_weights_are_quantised_where_a_file_states_a_method(
    settings: str, elsewhere: str, stated_in: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text(settings)
    (tmp_path / "hf_quant_config.json").write_text(elsewhere)
    assert CheckpointFolder(tmp_path).quantization_file == stated_in
