"""What the files of a checkpoint state."""

from pathlib import Path

import pytest

from harness.checkpoints.model_files import CheckpointFolder


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
