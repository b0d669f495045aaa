"""Fixtures that several folders share: tiny models of several families, and the public data."""

import gc
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import settings

from harness.threads import before_torch
from tests.support.browser import browser, new_context  # noqa: F401 - fixtures


def share_processors() -> None:
    """Workers beside each other take their share of the processors: threads that wait for a turn slow all of them."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // workers)))


share_processors()
# A shell that starts the tests in the background lets them, and whatever they start, ignore Ctrl-C; nohup, SIGHUP.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
# In CI gates are required by default; tests say so themselves where they want that.
os.environ.pop("CI", None)
before_torch()
gc.set_threshold(20_000, 20, 20)  # Tests make many objects that live to the end of theirs.
# Property tests draw the same examples each time, so that a change is judged by what it changes. TUNEGATE_EXPLORE=1
# draws new ones, to look for what nobody thought of. How long an example takes is the machine's matter.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", print_blob=True, deadline=None)
settings.load_profile("explore" if os.environ.get("TUNEGATE_EXPLORE") else "repeatable")


@pytest.fixture(autouse=True)
def shipped_suites_stay() -> Iterator[None]:
    """A suite that a test loads from a folder of its own takes the place of no shipped one in later tests."""
    before = _suite_modules()
    paths = {name: list(module.__path__) for name, module in before.items() if hasattr(module, "__path__")}
    yield
    shipped = Path(__file__).parents[1] / "evalsuites"
    for name, module in _suite_modules().items():
        place = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), shipped)
        if module is before.get(name) or Path(place).is_relative_to(shipped):
            continue
        if name in before:
            sys.modules[name] = before[name]
        else:
            del sys.modules[name]
    for name, path in paths.items():
        before[name].__path__ = path


@pytest.fixture(autouse=True)
def without_charts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw charts only in tests of reports and in those marked `charts`: they are most of a short run's time."""
    if "reports" in request.path.parts or request.node.get_closest_marker("charts"):
        return
    monkeypatch.setattr("reports.charts.curves.draw", lambda block, narrow=False: ("", ""))
    monkeypatch.setattr("training.loss_curve.write_curve", lambda log, file: file.write_text(""))


def _suite_modules() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.startswith("evalsuites")}


CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou help.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'] }}{{ eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
FAMILIES = {
    "qwen": {
        "model_type": "qwen2",
        "template": CHATML,
        "special": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        "bos": None,
        "eos": "<|im_end|>",
        "more_eos": ["<|endoftext|>"],
        "adds_bos": False,
    },
    "llama3": {
        "model_type": "llama",
        "template": LLAMA3,
        "special": ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"],
        "bos": "<|begin_of_text|>",
        "eos": "<|eot_id|>",
        "more_eos": ["<|end_of_text|>"],
        "adds_bos": True,
    },
    "mistral": {
        "model_type": "mistral",
        "template": MISTRAL,
        "special": ["<s>", "</s>", "[INST]", "[/INST]"],
        "bos": "<s>",
        "eos": "</s>",
        "more_eos": [],
        "adds_bos": True,
    },
}
# Like one of the above, but for what is named here.
FAMILIES |= {
    "qwen3": FAMILIES["qwen"] | {"model_type": "qwen3", "more": {"head_dim": 32}},
    "mixtral": FAMILIES["mistral"]
    | {"model_type": "mixtral", "more": {"num_local_experts": 4, "tie_word_embeddings": False}},
    "smollm2": FAMILIES["qwen"] | {"model_type": "llama", "bos": "<|im_start|>", "more_eos": []},
}
CORPUS = ["the landlord and the tenant agree", "due on sale", "none", "system user assistant", "You help."]


def save_tokenizer(folder: Path, family: str) -> dict[str, int]:
    """A small byte-level BPE tokenizer with the family's special tokens and chat template; returns token ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    spec = FAMILIES[family]
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=spec["special"], initial_alphabet=alphabet)
    )
    if spec["adds_bos"]:
        bos_id = raw.token_to_id(spec["bos"])
        raw.post_processor = processors.TemplateProcessing(
            single=f"{spec['bos']} $A", special_tokens=[(spec["bos"], bos_id)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=spec["bos"],
        eos_token=spec["eos"],
        pad_token=spec["eos"],
        additional_special_tokens=[t for t in spec["special"] if t not in (spec["bos"], spec["eos"])],
    )
    tokenizer.chat_template = spec["template"]
    tokenizer.save_pretrained(folder)
    return {token: raw.token_to_id(token) for token in spec["special"]} | {"size": raw.get_vocab_size()}


def save_tiny_model(folder: Path, family: str = "qwen", seed: int = 0, **config: object) -> Path:
    """A randomly initialised two-layer model of the family, with its tokenizer, as a model folder.

    `config` replaces what stands here.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    ids = save_tokenizer(folder, family)
    spec = FAMILIES[family]
    eos = [ids[spec["eos"]], *(ids[t] for t in spec["more_eos"])]
    shape = {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
    }
    made = AutoConfig.for_model(
        spec["model_type"],
        vocab_size=(ids["size"] + 63) // 64 * 64,
        bos_token_id=ids[spec["bos"]] if spec["bos"] else None,
        eos_token_id=eos,
        pad_token_id=ids[spec["eos"]],
        **shape | spec.get("more", {}) | config,
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(made)
    model.save_pretrained(folder)
    generation = {"eos_token_id": eos, "pad_token_id": eos[0]}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return folder


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model folder a family of FAMILIES."""
    root = tmp_path_factory.mktemp("tiny")
    return {family: save_tiny_model(root / family, family) for family in FAMILIES}


@pytest.fixture(scope="session")
def tiny_model(tiny_models: dict[str, Path]) -> Path:
    """One tiny model, for tests that need any."""
    return tiny_models["qwen"]


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of completions, models and merged adapters for this test alone."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny models gain nothing from threads, and waiting threads cost a busy machine much."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder that TUNEGATE_DATA names."""
    folder = os.environ.get("TUNEGATE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("TUNEGATE_DATA names no folder: the public data is not on this machine")
    return Path(folder)


frozen_modules = 0


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a CUDA device where there is none.

    Engines collect garbage when they close, each time over every object of every library: 0.3 s with torch and
    transformers. Libraries that the tests before have loaded are left out of it.
    """
    global frozen_modules
    if len(sys.modules) > frozen_modules + 100:
        frozen_modules = len(sys.modules)
        gc.collect()
        gc.freeze()
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device on this machine")
