"""A configuration is refused whole, before a weight is read, with every problem named."""

import json
import shutil

import pytest

from harness.checkpoints import quantization
from harness.errors import UserError
from tests.support.adapters import change_json
from training.config import Config, Data
from training.config_file import load
from training.estimate.report import plan
from training.model_checks import base_folder, model_problems, shape_problems
from training.run import train

EVERY_ERROR = """
base = {base}
learning_rate = 1e-4
[data]
train = ["absent.jsonl"]
max_length = 100000
[model]
quantise = "nf4"
[lora]
r = 0
alpha = 0
alhpa = 16
dora = true
rank_pattern = {{ "q_proj" = 0 }}
alpha_pattern = {{ "nose" = 2, "(" = 2 }}
target_modules = ["lm_head", "nose_proj"]
target_parameters = ["mlp.experts.down_proj"]
modules_to_save = ["embed_tokens", "q_proj"]
[optim]
lr = -1
schedule = "step"
warmup_ratio = 0.9
[train]
max_steps = 3
epochs = "two"
patience = -1
dtype = "float32"
[output]
serve = "lora"
[records]
trackers = ["paper"]
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
        ("model", "load_in_4bit", "model.quantise"),
    ],
)
def test_the_names_of_other_trainers_are_known(tmp_path, table, key, meant):
    file = tmp_path / "train.toml"
    file.write_text(f'base = "x"\n[{table}]\n{key} = 1\n')
    with pytest.raises(UserError) as error:
        load(file)
    assert f"'{table}.{key}' is unknown; did you mean '{meant}'?" in str(error.value)


def test_every_error_is_listed_at_once_and_no_weight_file_is_opened(tiny_model, tmp_path, monkeypatch):
    model = tmp_path / "model"
    shutil.copytree(tiny_model, model)
    (model / "model.safetensors").unlink()
    change_json(model / "config.json", quantization_config={"quant_method": "awq"})
    monkeypatch.setattr(quantization, "installed", lambda: False)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "1")
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
    (tmp_path / "train.toml").write_text(EVERY_ERROR.format(base=json.dumps(str(model))))
    with pytest.raises(UserError) as refused:
        load(tmp_path / "train.toml", model_problems)
    message = str(refused.value)
    expected = [
        "'learning_rate' is unknown",
        "'data.train' names",
        "'data.max_length' is 100000; the model reads at most 512",
        "'lora.r' is 0",
        "'lora.alpha' is 0",
        "'lora.alhpa' is unknown; did you mean 'lora.alpha'?",
        "'lora.rank_pattern' is {'q_proj': 0}",
        "'lora.alpha_pattern' has the key 'nose', which matches no adapted layer",
        "'lora.alpha_pattern' has the key '(', which is no regular expression",
        "'lora.target_modules' names lm_head; this model ties",
        "'lora.target_modules' names nose_proj, which the model does not have",
        "'lora.target_parameters' names mlp.experts.down_proj, which the model does not have. It has no experts",
        "'lora.dora' is set with lora.target_parameters",
        "'lora.modules_to_save' names q_proj; only embeddings",
        "'lora.modules_to_save' names embed_tokens; this model ties",
        "'output.serve' is lora, and the adapter cannot be served as LoRA: it was trained on an NF4 base",
        "as LoRA: it saves whole modules (modules_to_save)",
        "as LoRA: it uses DoRA",
        "as LoRA: it targets bare parameters",
        "'optim.lr' is -1",
        "'optim.schedule' is 'step': invalid enum value 'step'. Expected one of: cosine, linear, constant",
        "'optim.warmup_ratio' is 0.9: 3 of 3 steps would be warm-up",
        "'train.epochs' is 'two'",
        "'train.patience' is -1",
        "which config.json says is quantised. Name the 16-bit or 32-bit model",
        "'model.quantise' is nf4, which needs the package 'bitsandbytes'",
        "'train.dtype' is float32; a base in nf4 computes in bfloat16",
        "'model.quant_storage' is uint8; FSDP",
        "accelerate shards only on accelerators",
        "Add --fsdp_version 2 to accelerate launch",
        "'records.trackers' has 'paper' as entry 1; expected one of: tensorboard, mlflow, wandb. Correct or remove it",
    ]
    assert [text for text in expected if text not in message] == []
    assert f"{len(expected)} problems" in message


@pytest.mark.parametrize("read", [lambda path: load(path, model_problems), lambda path: plan(path, path)])
def test_a_base_whose_packed_weights_only_another_file_tells_is_refused(read, write_config, tiny_model, tmp_path):
    base = shutil.copytree(tiny_model, tmp_path / "base")
    (base / "hf_quant_config.json").write_text('{"quantization": {"quant_algo": "NVFP4"}}')
    with pytest.raises(UserError, match=r"which hf_quant_config\.json says is quantised\. Name the 16-bit"):
        read(write_config(base=base))


def test_the_longest_row_fits_a_model_that_nests_its_text_settings():
    facts = {"model_type": "gemma3", "text_config": {"max_position_embeddings": 512}}
    config = Config(base="x", data=Data(train=["rows.jsonl"], max_length=2048))
    expected = "'data.max_length' is 2048; the model reads at most 512. Set 512 or less"
    assert expected in shape_problems(config, facts, "config.json")


def test_a_missing_file_is_said_before_the_model_is_fetched(write_config):
    path = write_config(base="smollm2-135m-instruct", data__train=["nowhere.jsonl"])
    fetched = []
    with pytest.raises(UserError, match=r"'data\.train' names"):
        load(path, fetched.append)
    assert fetched == []


@pytest.mark.parametrize(("line", "said"), [
    ('train = "a.jsonl"', "'train' is 'a.jsonl'; expected a table [train]. Name files of rows in [data]"),
    ('[data]\ntrain = 3', """expected a list. Name the files of training rows, such as train = ["train.jsonl"]"""),
    ('[data]\ntrain = "a.jsonl"', """'data.train' is 'a.jsonl'; expected a list. Write ["a.jsonl"]"""),
    ('[data]\ntrain = ["a", 3]', "'data.train' has 3 as entry 2; expected text in quotes. Correct or remove it"),
    ('[lora]\ntarget_modules = "q_proj"', """is 'q_proj'; expected a list. Write ["q_proj"] or "all-linear\""""),
    ('[lora]\ntarget_modules = ["q_proj", 1]', "'lora.target_modules' has 1 as entry 2; expected text in quotes"),
    ('[lora]\nrank_pattern = { q = 4, v = "x" }', "'lora.rank_pattern' has 'x' for 'v'; expected a whole number"),
    ('[records]\ntrackers = "mlflow"', """'records.trackers' is 'mlflow'; expected a list. Write ["mlflow"]"""),
    ('[select]\ncases = 3', "is 3; expected a list. Write [...] with text in quotes as each entry"),
    ("[lora]\nalpha = inf", "'lora.alpha' is inf, which is not finite; set it to twice lora.r"),
    ("[lora]\nalpha_pattern = { q = inf }", "'lora.alpha_pattern' is {'q': inf}, which is not finite; set every alpha"),
    ("[optim]\nmax_grad_norm = nan", "'optim.max_grad_norm' is nan, which is not finite; set it to 1.0"),
    ('[train]\ndtype = "fp16"', "'train.dtype' is 'fp16': invalid enum value 'fp16'. Expected one of: auto, float32"),
])  # fmt: skip
def test_a_wrong_value_is_told_what_is_expected(tmp_path, line, said):
    (tmp_path / "train.toml").write_text(f'base = "x"\n{line}\n')
    with pytest.raises(UserError) as refused:
        load(tmp_path / "train.toml")
    assert said in str(refused.value) and "$[" not in str(refused.value)


def test_a_missing_base_and_bad_values_are_named_together(tmp_path):
    (tmp_path / "train.toml").write_text("[data]\ntrain = []\n[lora]\nr = 1.5\n")
    with pytest.raises(UserError) as refused:
        load(tmp_path / "train.toml")
    assert all(f"'{name}'" in str(refused.value) for name in ("base", "data.train", "lora.r"))


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


def test_a_home_folder_of_nobody_and_a_file_for_runs_are_named(write_config, tmp_path):
    with pytest.raises(UserError, match=r"~nobody_at_all/train\.jsonl"):
        load(write_config(data__train=["~nobody_at_all/train.jsonl"]))
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"'output\.dir': .*taken is a file"):
        train(write_config(output__dir="taken"))


@pytest.mark.parametrize(("folder", "why"), [("taken/runs", "Not a directory"), ("unmounted", "File exists")])
def test_a_folder_of_runs_that_cannot_be_created_is_named(write_config, tmp_path, folder, why):
    (tmp_path / "taken").write_text("")
    (tmp_path / "unmounted").symlink_to("/nowhere/runs")
    expected = rf"'output\.dir': .*{folder} cannot be created \({why}\)\. Name a folder that you can write to"
    with pytest.raises(UserError, match=expected):
        train(write_config(output__dir=folder))
