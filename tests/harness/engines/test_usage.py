"""What answers cost: counts, rates and the share of the peak, against figures worked out by hand."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from harness.engines import usage
from harness.engines.usage import UsageMeter, VariantUsage, flops_a_token, peak_of, resident_bytes
from harness.schema import Completion
from tests.support.adapters import change_json

H100 = "NVIDIA H100 80GB HBM3"


def answer(prompt: int, output: int, finish: str = "stop") -> Completion:
    error = "broken" if finish == "error" else None
    return Completion(key="k", text="", finish_reason=finish, prompt_tokens=prompt, output_tokens=output, error=error)  # type: ignore[arg-type]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """1,000,000 parameters in two tensors."""
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    save_file({"a": torch.zeros(900, 1000), "b": torch.zeros(100_000)}, tmp_path / "model.safetensors")
    return tmp_path


@pytest.fixture
def meter(model: Path, monkeypatch: pytest.MonkeyPatch) -> UsageMeter:
    """One load of 7 s; 10 s of baseline and 30 s of tuned answers."""
    clock = iter([0.0, 7.0, 10.0, 20.0, 100.0, 130.0])
    monkeypatch.setattr(usage.time, "monotonic", lambda: next(clock))
    made = UsageMeter()
    with made.loading():
        pass
    with made.answering("baseline", model) as spent:
        for completion in (answer(100, 10), answer(300, 30), answer(999, 0, "error")):
            spent.add(completion)
        spent.cached_prompt_tokens += 80
    with made.answering("tuned", model) as spent:
        spent.add(answer(200, 160))
    return made


def test_rates_of_each_variant_and_of_the_whole(meter: UsageMeter) -> None:
    found = meter.describe(H100, "bfloat16")
    assert found["variants"]["baseline"] == {
        "answers": 2, "prompt_tokens": 400, "cached_prompt_tokens": 80, "prefix_hit_rate": 0.2, "generated_tokens": 40,
        "answer_s": 10.0, "prompt_tokens_per_s": 40.0, "generated_tokens_per_s": 4.0,
        "utilisation": round(2e6 * 360 / (10 * 989e12), 4),
    }  # fmt: skip
    assert found["whole"] == {
        "answers": 3, "prompt_tokens": 600, "cached_prompt_tokens": 80, "prefix_hit_rate": 0.1333,
        "generated_tokens": 200,
        "answer_s": 40.0, "prompt_tokens_per_s": 15.0, "generated_tokens_per_s": 5.0,
        "utilisation": round(2e6 * 720 / (40 * 989e12), 4),
    }  # fmt: skip
    assert (found["loads"], found["load_s"], found["peak_tflops"]) == (1, 7.0, 989.0)
    assert found["why_no_utilisation"] == ""


def test_utilisation_is_the_share_of_the_peak(meter: UsageMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "peak_of", lambda device, dtype: (72e6, ""))
    found = meter.describe("any", "any")
    assert found["variants"]["baseline"]["utilisation"] == 1.0  # 2e6 FLOPs, 360 tokens, 10 s
    assert found["variants"]["tuned"]["utilisation"] == round(1 / 3, 4)
    assert found["whole"]["utilisation"] == 0.5


def test_without_a_peak_there_is_no_utilisation_and_the_reason_is_told(meter: UsageMeter) -> None:
    on_cpu = meter.describe(None, "bfloat16")
    assert on_cpu["whole"]["utilisation"] is None and on_cpu["peak_tflops"] is None
    assert on_cpu["why_no_utilisation"] == "the peak of a processor is not known"
    assert on_cpu["whole"]["prompt_tokens_per_s"] == 15.0
    assert peak_of("Card of nobody", "bfloat16") == (None, "the peak of 'Card of nobody' in bfloat16 is not known")
    assert peak_of(H100, "bfloat16") == (989e12, "")


@pytest.mark.parametrize("change", [
    {"quantization_config": {"quant_method": "awq"}}, {"num_experts": 8}, {"text_config": {"num_local_experts": 8}},
    {"vision_config": {}},
])  # fmt: skip
def test_parameters_that_cannot_be_counted_leave_the_utilisation_open(model: Path, change: dict[str, object]) -> None:
    assert flops_a_token(model) == (2e6, "")
    change_json(model / "config.json", **change)
    found, why_not = flops_a_token(model)
    assert found is None and why_not
    meter = UsageMeter()
    with meter.loading(), meter.answering("baseline", model) as spent:
        spent.add(answer(10, 10))
    assert meter.describe(H100, "bfloat16")["whole"]["utilisation"] is None
    assert meter.describe(H100, "bfloat16")["why_no_utilisation"] == why_not


def test_nothing_asked_is_nothing_claimed() -> None:
    assert UsageMeter().describe(None, "float32") == {}
    assert VariantUsage().flops is None


def test_memory_is_the_devices_own_figure_or_of_this_process_and_its_children(meter: UsageMeter) -> None:
    meter.memory(1 << 40)
    found = meter.describe(H100, "bfloat16")
    assert found["peak_memory_bytes"] == 1 << 40 and "on the device" in found["peak_memory_of"]
    code = "import sys; held = bytearray(300 << 20); print(len(held), flush=True); sys.stdin.read()"
    before = resident_bytes()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline().strip() == b"314572800"
        during = resident_bytes()
        child.communicate()
    if before is None or during is None:
        pytest.skip("this system has no /proc")
    assert during - before >= 300 << 20
