"""Ways of asking a checker: what a planted one is worth, and log probabilities against a reading token by token."""

import numpy as np
import pytest

from tests.benchmarks.test_injected import load
from tests.conftest import save_tiny_model
from tests.support.adapters import save_adapter

variants = load("checker_variants")


def test_a_planted_way_is_worth_what_was_planted():
    wrong = np.arange(200) % 2 == 1
    of = variants.Sentences("planted", [("", "")] * 200, wrong, [str(n // 2) for n in range(200)])
    support = np.where(wrong, -2.0, -1.0)
    support[1], support[2] = -0.5, -3.0  # one wrong sentence with the most support, one right one with the least
    cells = variants.row("model", "mean", 1, support, of)
    assert cells[:5] == ["model", "mean", "1", "planted", "200"]
    area = (99 * 99 + 0) / 100**2
    assert cells[5].startswith(f"{area:.2f} (") and cells[6].startswith("0.99 (")


@pytest.mark.slow
@pytest.mark.parametrize("is_adapter", [False, True])
def test_log_probabilities_are_those_of_a_reading_token_by_token(tmp_path, is_adapter):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = save_tiny_model(tmp_path / "base", "smollm2", initializer_range=0.2)
    folder = save_adapter(base, tmp_path / "adapter") if is_adapter else base
    found = variants.Likelihoods(folder).of("the landlord", "due on sale")
    tokenizer = AutoTokenizer.from_pretrained(base)
    chat = [{"role": "system", "content": variants.RESTATE}, {"role": "user", "content": "Source:\nthe landlord"}]
    ids = tokenizer(
        tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True), add_special_tokens=False
    )["input_ids"]
    network = AutoModelForCausalLM.from_pretrained(base).eval()
    if is_adapter:
        from peft import PeftModel

        network = PeftModel.from_pretrained(network, folder).eval()
    expected = []
    for token in tokenizer("due on sale", add_special_tokens=False)["input_ids"]:
        with torch.inference_mode():
            expected.append(float(network(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)[token]))
        ids.append(token)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (np.array(expected) < -0.01).all()
