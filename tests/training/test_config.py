"""A configuration is refused whole, before a weight is read, with every problem named."""

import json
import shutil

import pytest

from harness.errors import UserError
from training.config_file import load
from training.model_checks import base_folder, model_problems

TEN_ERRORS = """
base = {base}
learning_rate = 1e-4
[data]
train = ["absent.jsonl"]
max_length = 100000
[lora]
r = 0
alhpa = 16
target_modules = ["lm_head", "nose_proj"]
[optim]
lr = -1
schedule = "step"
warmup_ratio = 1.0
[train]
epochs = "two"
patience = -1
"""


@pytest.mark.parametrize(
    ("table", "key", "meant"),
    [
        ("lora", "rank", "lora.r"),
        ("lora", "lora_alpha", "lora.alpha"),
        ("lora", "lora_dropout", "lora.dropout"),
        ("train", "learning_rate", "optim.lr"),
        ("optim", "learning_rate", "optim.lr"),
        ("train", "num_train_epochs", "train.epochs"),
        ("train", "batch_size", "train.rows_per_step"),
        ("data", "max_seq_length", "data.max_length"),
        ("optim", "grad_clip", "optim.max_grad_norm"),
        ("train", "lr", "optim.lr"),
    ],
)
def test_the_names_of_other_trainers_are_known(tmp_path, table, key, meant):
    file = tmp_path / "train.toml"
    file.write_text(f'base = "x"\n[{table}]\n{key} = 1\n')
    with pytest.raises(UserError) as error:
        load(file)
    assert f"'{table}.{key}' is unknown; did you mean '{meant}'?" in str(error.value)


def test_a_config_with_many_errors_lists_them_all_and_opens_no_weight_file(tiny_model, tmp_path, monkeypatch):
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    (model / "model.safetensors").unlink()
    (tmp_path / "train.toml").write_text(TEN_ERRORS.format(base=json.dumps(str(model))))
    with pytest.raises(UserError) as refused:
        load(tmp_path / "train.toml", model_problems)
    message = str(refused.value)
    expected = [
        "'learning_rate' is unknown",
        "'data.train' names",
        "'data.max_length' is 100000; the model reads at most 512",
        "'lora.r' is 0",
        "'lora.alhpa' is unknown; did you mean 'lora.alpha'?",
        "names lm_head; this model ties",
        "names nose_proj, which the model does not have",
        "'optim.lr' is -1",
        "'optim.schedule' is 'step'",
        "'optim.warmup_ratio' is 1.0",
        "'train.epochs' is 'two'",
        "'train.patience' is -1",
    ]
    assert [text for text in expected if text not in message] == []
    assert f"{len(expected)} problems" in message


def test_a_missing_file_is_said_before_the_model_is_fetched(write_config):
    path = write_config(data__train=["nowhere.jsonl"])
    path.write_text('base = "smollm2-135m-instruct"\n' + path.read_text().partition("\n")[2])
    fetched = []
    with pytest.raises(UserError, match=r"'data\.train' names"):
        load(path, fetched.append)
    assert fetched == []


def test_a_missing_base_and_bad_values_are_named_together(tmp_path):
    (tmp_path / "train.toml").write_text("[data]\ntrain = []\n[lora]\nr = 1.5\n")
    with pytest.raises(UserError) as refused:
        load(tmp_path / "train.toml")
    assert all(f"'{name}'" in str(refused.value) for name in ("base", "data.train", "lora.r"))


@pytest.mark.parametrize("text", ["base = ", "base = 'x'\nbase = 'y'"])
def test_a_file_that_is_no_toml_is_refused_without_traceback(tmp_path, text):
    (tmp_path / "train.toml").write_text(text)
    with pytest.raises(UserError, match="not valid TOML"):
        load(tmp_path / "train.toml")


def test_paths_are_relative_to_the_file(write_config, tmp_path, monkeypatch):
    path = write_config()
    monkeypatch.chdir("/")
    config = load(path)
    assert config.data.train == [str(tmp_path / "train.jsonl")]
    assert config.output.dir == str(tmp_path / "runs")
    beside = tmp_path / "settings"
    beside.mkdir()
    text = path.read_text().replace('["train.', '["../train.').replace('["validation.', '["../validation.')
    (beside / "other.toml").write_text(text)
    assert load(beside / "other.toml").data.train == [str(tmp_path / "train.jsonl")]


def test_a_working_config_has_no_problems(write_config, tiny_model):
    config = load(write_config(lora__target_modules=["q_proj", "layers.0.self_attn.v_proj"]), model_problems)
    assert config.base == str(tiny_model)


def test_an_adapter_is_no_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="Merge it first"):
        base_folder(str(tmp_path))


def test_importing_training_loads_no_heavy_package():
    import subprocess
    import sys

    heavy = "('torch', 'datasets', 'peft', 'transformers', 'matplotlib')"
    code = f"import sys, training, training.model_checks; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
