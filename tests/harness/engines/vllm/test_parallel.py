"""A model that vLLM splits over several devices: what is refused, what is given to vLLM, and the same tokens."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import resolve
from harness.engines.base import installed
from harness.engines.config import EngineConfig
from harness.engines.options import engine_config
from harness.engines.vllm import memory
from harness.engines.vllm.memory import check_parallel
from harness.errors import UserError
from tests.conftest import save_tiny_model
from tests.support.command import run_tunegate
from tests.support.mini import pytest_in, write_suite

needs_vllm = pytest.mark.skipif(not installed("vllm"), reason="vLLM is not installed here")


def config(folder: Path, **own: Any) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(own))
    return folder


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "cores", lambda: 8)


SMOLLM2 = {"num_attention_heads": 9, "num_key_value_heads": 3, "intermediate_size": 1536}
LLAMA_70B = {"num_attention_heads": 64, "num_key_value_heads": 8, "intermediate_size": 28672}


@pytest.mark.parametrize(
    ("own", "size", "says"),
    [
        (SMOLLM2, 2, "its 9 attention heads cannot be divided by 2"),
        (SMOLLM2, 2, "its 3 key-value heads and 2 devices: neither divides the other"),
        ({"text_config": SMOLLM2}, 4, "its 9 attention heads cannot be divided by 4"),
        (LLAMA_70B | {"intermediate_size": 28671}, 2, "its layers of width 28,671 cannot be divided by 2"),
        (LLAMA_70B, 16, "this machine has 8 CPU cores. Use at most as many"),
    ],
)
def test_a_model_that_cannot_be_split_is_refused_before_vllm_starts(
    own: dict[str, Any], size: int, says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        check_parallel(size, [CheckpointFolder(config(tmp_path / "model", **own))], on_cpu=True)
    assert f"--tensor-parallel-size {size}: " in str(caught.value) and says in str(caught.value)


@pytest.mark.parametrize(("own", "size"), [(LLAMA_70B, 1), (LLAMA_70B, 2), (LLAMA_70B, 8), (SMOLLM2, 3), (SMOLLM2, 1)])
def test_a_model_that_can_be_split_is_not(own: dict[str, Any], size: int, tmp_path: Path) -> None:
    check_parallel(size, [CheckpointFolder(config(tmp_path / "model", **own))], on_cpu=True)


def test_more_gpus_than_there_are_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_gpus", lambda: 1)
    with pytest.raises(UserError, match="--tensor-parallel-size 2: this machine has 1 GPUs"):
        check_parallel(2, [CheckpointFolder(config(tmp_path / "model", **LLAMA_70B))], on_cpu=False)


def test_each_device_keeps_its_share_of_the_cache_and_of_the_weights() -> None:
    """Llama-3.1-70B: 80 layers, 8 key-value heads of 128, bf16: 327,680 bytes a token."""
    own = {"num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 128}
    assert memory.bytes_per_token(own, "bfloat16") == 327_680
    assert [memory.bytes_per_token(own, "bfloat16", n) for n in (2, 8, 16)] == [163_840, 40_960, 40_960]


def test_weights_that_fit_no_single_card_fit_two(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CUDA_RESERVE_BYTES", 0)
    weights = sum(file.stat().st_size for file in tiny_model.glob("*.safetensors"))
    card = int(weights * 0.9 / memory.CUDA_SHARE)
    with pytest.raises(UserError, match=r"of KV cache, and 0\.0 GiB are available"):
        memory.kv_cache_bytes(CheckpointFolder(tiny_model), "float32", 64, False, device_bytes=card)
    room = memory.kv_cache_bytes(CheckpointFolder(tiny_model), "float32", 64, False, device_bytes=card, parallel=2)
    assert 0 < room <= weights * 0.4 + 1


@needs_vllm
def test_the_number_of_devices_is_part_of_an_answers_key_where_there_are_several(tmp_path: Path) -> None:
    from harness.engines.vllm.engine import start

    model = {"baseline": resolve(str(save_tiny_model(tmp_path / "model", "llama3")))}
    facts = [start(model, 64, EngineConfig(tensor_parallel=size)).facts("baseline") for size in (1, 2)]
    assert facts[1] == facts[0] | {"tensor_parallel_size": "2"}


@pytest.mark.parametrize("engine", ["transformers", "ray", "fake", "openai"])
def test_only_vllm_splits_a_model(engine: str) -> None:
    if not installed(engine):
        pytest.skip(f"{engine} is not installed here")
    with pytest.raises(UserError, match="--tensor-parallel-size 2: only for --engine vllm"):
        engine_config(engine, tensor_parallel_size=2)


def test_no_device_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="--tensor-parallel-size 0: expected 1 or more"):
        engine_config("vllm", tensor_parallel_size=0)


@needs_vllm
@pytest.mark.parametrize("command", ["pytest", "compare", "noise"])
def test_the_option_of_every_command_reaches_vllm(command: str, tiny_model: Path, tmp_path: Path) -> None:
    """Three devices for four heads, which vLLM's own checks would refuse minutes later."""
    write_suite(tmp_path)
    model, words = str(tiny_model), ["--engine", "vllm", "--tensor-parallel-size", "3"]
    if command == "pytest":
        done = pytest_in(tmp_path, "--checkpoint", model, *words)
    else:
        given = [model, model] if command == "compare" else [model]
        done = run_tunegate(command, *given, *words, cwd=tmp_path)
    assert done.returncode != 0
    assert "-tensor-parallel-size 3: " in done.stdout + done.stderr
    assert "its 4 attention heads cannot be divided by 3" in done.stdout + done.stderr
