"""Claim support by a local model: sentences, what is unscored, and that nothing is fetched or cut in silence."""

import json
import math
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import MissingExtra, UserError
from harness.schema import Case
from harness.scoring import entailment, support_models, support_readers
from harness.scoring.base import run
from harness.scoring.text.passages import passages, text_of
from tests.conftest import save_tiny_model, save_tokenizer
from tests.support.adapters import change_json, save_adapter, write_safetensors
from tests.support.answers import answer
from tests.support.judging_models import save_onnx, save_t5

DOCUMENT = "The landlord and the tenant agree. The rent is due on sale. " * 6


def save_tiny_reader(folder: Path, labels: list[str], seed: int = 0) -> Path:
    """A randomly initialised classifier of pairs, with its tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    ids = save_tokenizer(folder, "qwen")
    config = AutoConfig.for_model(
        "bert",
        vocab_size=(ids["size"] + 63) // 64 * 64,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=256,
        initializer_range=0.2,
        pad_token_id=ids["<|im_end|>"],
        num_labels=len(labels),
        id2label=dict(enumerate(labels)),
        label2id={name: at for at, name in enumerate(labels)},
    )
    torch.manual_seed(seed)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return save_tiny_reader(tmp_path_factory.mktemp("nli") / "reader", ["contradiction", "Entailment", "neutral"])


def scored(reader, text, finish_reason="stop", document=DOCUMENT, **options):
    case = Case(id="x", input={"document": document}, expected=[], cluster="lease-1")
    completion = answer(text, finish_reason)
    return run([entailment.by_model(reader, **{"window_tokens": 20, **options})], case, completion).support


def test_the_threshold_parts_supported_from_unsupported(reader):
    text = "The tenant agrees now. The rent is due on sale."
    low, high = scored(reader, text, threshold=0.001), scored(reader, text, threshold=0.999)
    assert (low.counts, low.value) == ({"claims": 2, "supported": 2}, 1.0)
    assert (high.counts, high.value) == ({"claims": 2, "supported": 0}, 0.0)
    assert high.unsupported == ["The tenant agrees now.", "The rent is due on sale."]


def test_support_is_that_of_the_nearest_passages_by_the_label_that_means_support(reader):
    """Against the model itself."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reader)
    model = AutoModelForSequenceClassification.from_pretrained(reader).eval()
    document = f"{DOCUMENT}The deposit is two months of rent. {DOCUMENT}"
    (span,) = scored(reader, "The deposit is rent.", document=document, windows=1).spans
    place = document[span.source.start : span.source.end]
    assert "deposit" in place and len(place.split()) <= 20
    read = tokenizer(place, "The deposit is rent.", return_tensors="pt")
    with torch.inference_mode():
        assert span.reason == f"support {model(**read).logits.softmax(-1)[0, 1].item():.3f}"
    (wide,) = scored(reader, "The deposit is rent.", document=document).spans
    assert wide.source.end - wide.source.start > len(place)


def test_an_answer_is_judged_below_its_question(reader):
    """A request that is no question stays out."""
    document = "The rent is due. " * 3
    answers = []
    for question in ("What is due?", "Write about the rent."):
        case = Case(id="x", input={"document": document, "question": question}, expected=[], cluster="lease-1")
        answers.append(run([entailment.by_model(reader)], case, answer("It is the rent.")).support.spans[0].reason)
    model = support_readers.load(support_models.choose(reader))
    pairs = [(document.strip(), said) for said in ("What is due?\nIt is the rent.", "It is the rent.")]
    assert answers == [f"support {found:.3f}" for found in model.support(pairs)]
    assert answers[0] != answers[1]


@pytest.mark.parametrize(
    ("text", "document", "reason"),
    [
        ("", DOCUMENT, "no sentence"),
        ("42", DOCUMENT, "no sentence"),
        ("I'm sorry, I cannot say.", DOCUMENT, "no sentence"),
        ("The rent is due.", " ", "no source"),
    ],
)
def test_nothing_to_judge_is_unscored(reader, text, document, reason):
    score = scored(reader, text, document=document)
    assert score.value is None and reason in score.reason


def test_a_failed_completion_counts_as_unsupported(reader):
    assert scored(reader, "", "error").counts == {"claims": 1, "supported": 0}


def test_a_sentence_too_long_for_the_model_is_unsupported(reader):
    score = scored(reader, "the tenant " * 300 + ".", threshold=0.001)
    assert score.counts == {"claims": 1, "supported": 0}
    assert score.spans[0].reason == "too long for the model to read"


def test_passages_too_long_for_the_model_are_refused_not_cut(reader):
    with pytest.raises(UserError, match="a smaller window_tokens"):
        scored(reader, "The rent is due.", document="zebra quartz " * 200, window_tokens=300)


def test_model_threshold_and_passages_are_part_of_the_version(reader, tmp_path):
    other = save_tiny_reader(tmp_path / "other", ["contradiction", "Entailment", "neutral"], seed=1)
    made = [
        entailment.by_model(reader),
        entailment.by_model(reader, threshold=0.6),
        entailment.by_model(reader, windows=1),
        entailment.by_model(reader, window_tokens=50),
        entailment.by_model(reader, label="neutral"),
        entailment.by_model(other),
    ]
    assert len({scorer.version for scorer in made}) == 6
    assert entailment.by_model(reader).version == made[0].version


@pytest.mark.parametrize("path", ["owner/model", "model", "~/model"])
def test_a_path_that_could_be_a_hub_name_is_refused(path):
    with pytest.raises(UserError, match=r"Start a local path with \./"):
        entailment.by_model(path)


def test_naming_a_model_loads_no_heavy_library(reader):
    code = (
        f"import sys; from harness.scoring import entailment; entailment.by_model({str(reader)!r}); "
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


PREMISES = [
    "The rent is due on sale.",
    "none",
    "The landlord and the tenant agree that the rent, which is 1 part of the price, is due on sale: see Section 4.1.",
    "You help the tenant. The system user is the landlord's assistant.",
    "due 0, due 1",
]
SENTENCE = "The tenant agrees here."
HHEM_PROMPT = "<pad> Judge it.\n\nPremise: {source}\n\nHypothesis: {sentence}"
PLAIN_ANSWERS = (" tenant", " on")
"""Words that the tiny tokenizer has with their space."""
Judge = Callable[[str, str], float]


def softmax(logits, at):
    return math.exp(logits[at]) / sum(math.exp(value) for value in logits)


def as_classifier(folder: Path, auto: str = "AutoModelForSequenceClassification", prompt: str = "") -> Judge:
    """What transformers says of one pair, or of one filled prompt, by label 1; a single output by its sigmoid."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = getattr(transformers, auto).from_pretrained(folder).eval()

    def judge(source, sentence):
        texts = [prompt.replace("{source}", source).replace("{sentence}", sentence)] if prompt else [source, sentence]
        read = tokenizer(*texts, return_tensors="pt")
        logits = model(**read).logits[0]
        logits = (logits[0] if logits.ndim == 2 else logits).tolist()
        return 1 / (1 + math.exp(-logits[0])) if len(logits) == 1 else softmax(logits, 1)

    return judge


def as_hhem(folder: Path) -> Judge:
    """The folder that docs/scoring.md describes: HHEM's names of weights, and the configuration of flan-t5."""
    from safetensors.torch import load_file, save_file

    judge = as_classifier(folder, "AutoModelForTokenClassification", HHEM_PROMPT)
    change_json(folder / "config.json", is_encoder_decoder=True, tie_word_embeddings=False)
    weights = load_file(folder / "model.safetensors")
    save_file(
        {f"t5.{name}": weight for name, weight in weights.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    return judge


def as_minicheck(folder: Path) -> Judge:
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()

    def judge(source, sentence):
        ids = torch.tensor([tokenizer.encode(f"predict: {source}</s>{sentence}")])
        logits = model(input_ids=ids, decoder_input_ids=torch.tensor([[0]])).logits[0, 0].tolist()
        return softmax([logits[3], logits[4]], 1)  # The tokens ▁, with which 0 begins, and ▁1.

    return judge


def as_language_model(folder: Path) -> Judge:
    """The next token after the prompt: after the opened turn, or after the colon of a plain prompt."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    answers = ("Yes", "No") if tokenizer.chat_template else PLAIN_ANSWERS
    yes, no = (tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)[0]) for text in answers)

    def judge(source, sentence):
        text = support_models.PROMPTS["causal"].replace("{source}", source).replace("{sentence}", sentence)
        if tokenizer.chat_template:
            chat = [{"role": "user", "content": text}]
            text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        logits = model(torch.tensor([tokenizer.encode(text, add_special_tokens=False)])).logits[0, -1].tolist()
        return softmax([logits[no], logits[yes]], 1)

    return judge


def as_table(file: Path, folder: Path) -> Judge:
    """The graph of save_onnx in plain Python: a mean of rows, or the first token's row."""
    import onnx
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    graph = onnx.load(file).graph
    table = next(onnx.numpy_helper.to_array(one) for one in graph.initializer if one.name == "table")
    by_token = len(graph.node) == 4

    def judge(source, sentence):
        ids = tokenizer(source, sentence)["input_ids"]
        return softmax((table[ids[0]] if by_token else table[ids].mean(0)).tolist(), 1)

    return judge


def make(kind: str, folder: Path) -> tuple[Judge, dict[str, object]]:
    """Save a model of a kind; returns the independent judgement, and the options of by_model."""
    labels = {"num_labels": 2, "id2label": {0: "hallucinated", 1: "consistent"}}
    if kind in ("bert", "bert, one output"):
        save_tiny_reader(folder, ["score"] if "one" in kind else ["contradiction", "entailment", "neutral"])
        return as_classifier(folder), {}
    if kind == "t5 sequence classifier":
        return as_classifier(save_t5(folder, "SequenceClassification", **labels)), {}
    if kind == "hhem":
        return as_hhem(save_t5(folder, "TokenClassification", **labels)), {"prompt": HHEM_PROMPT}
    if kind == "minicheck":
        return as_minicheck(save_t5(folder, "ConditionalGeneration")), {}
    if kind.startswith("onnx"):
        pytest.importorskip("onnx", reason="the extra dev has onnx")
        pytest.importorskip("onnxruntime", reason="the extra onnx has onnxruntime")
        file = save_onnx(folder, "onnx/model.onnx" if "folder" in kind else "model.onnx", by_token="token" in kind)
        return as_table(file, folder), {}
    save_tiny_model(folder, "llama3" if "llama" in kind else "qwen", initializer_range=0.2)
    if "chat" in kind:
        return as_language_model(folder), {}
    (folder / "chat_template.jinja").unlink()
    return as_language_model(folder), {"answers": PLAIN_ANSWERS}


KINDS = {
    "bert": "classifier",
    "bert, one output": "classifier",
    "t5 sequence classifier": "classifier",
    "hhem": "classifier",
    "minicheck": "seq2seq",
    "qwen chat": "causal",
    "llama chat": "causal",
    "qwen plain": "causal",
    "onnx": "onnx",
    "onnx in its own folder": "onnx",
    "onnx token classifier": "onnx",
}


@pytest.fixture(scope="module", params=KINDS)
def judged(request, tmp_path_factory):
    """Name and folder of a model, the independent judgement and the options."""
    folder = tmp_path_factory.mktemp("judge")
    return request.param, folder, *make(request.param, folder)


def test_each_kind_gives_the_probability_that_the_model_has_and_batches_do_not_change_it(judged):
    name, folder, judge, options = judged
    model = support_models.choose(folder, **options)
    assert model.kind == KINDS[name]
    expected = [judge(premise, SENTENCE) for premise in PREMISES]
    assert max(expected) - min(expected) > 0.002
    reader = support_readers.load(model)
    pairs = [(premise, SENTENCE) for premise in PREMISES]
    assert reader.support(pairs) == pytest.approx(expected, abs=1e-5)
    assert reader.support(pairs * 4) == pytest.approx(expected * 4, abs=1e-5)
    assert [reader.support([pair])[0] for pair in pairs] == pytest.approx(expected, abs=1e-5)


def test_a_large_model_is_read_in_bfloat16_with_nearly_the_same_probabilities(judged, monkeypatch):
    name, folder, judge, options = judged
    if KINDS[name] == "onnx":
        pytest.skip("a graph has its own number format")
    monkeypatch.setattr(support_readers, "LARGE", 0)
    monkeypatch.setattr(support_readers, "has_bfloat16", lambda: True)
    expected = [judge(premise, SENTENCE) for premise in PREMISES]
    reader = support_readers.load.__wrapped__(support_models.choose(folder, **options))
    rounded = reader.support([(premise, SENTENCE) for premise in PREMISES])
    assert rounded == pytest.approx(expected, abs=0.03)
    assert rounded != pytest.approx(expected, abs=1e-5)


def test_each_kind_reads_the_passages_nearest_to_each_sentence_of_an_answer(judged):
    _, folder, judge, options = judged
    document = " ".join(PREMISES * 4)
    said = ["The tenant agrees here.", "The rent is due on sale.", "The rent is due to her."]
    shown = [text_of(passages(document, each, 2, 20)) for each in said]
    found = scored(folder, " ".join(said), document=document, windows=2, **options).spans
    expected = [judge(source, each) for source, each in zip(shown, said, strict=True)]
    assert [float(span.reason.removeprefix("support ")) for span in found] == pytest.approx(expected, abs=6e-4)


def test_kind_prompt_and_answers_are_part_of_the_version(tiny_model):
    prompt = "{source} Is it so that {sentence}"
    made = [
        entailment.by_model(tiny_model),
        entailment.by_model(tiny_model, prompt=prompt),
        entailment.by_model(tiny_model, answers=("true", "false")),
        entailment.by_model(tiny_model, kind="seq2seq", prompt=support_models.PROMPTS["causal"], answers=("Yes", "No")),
    ]
    assert len({scorer.version for scorer in made}) == 4


def test_answers_and_prompt_decide_what_is_compared(tiny_model):
    turned = [support_models.choose(tiny_model, answers=answers) for answers in (("Yes", "No"), ("No", "Yes"))]
    (yes,), (no,) = (support_readers.load(model).support([(DOCUMENT, SENTENCE)]) for model in turned)
    assert yes + no == pytest.approx(1) and yes != 0.5
    for prompt in ("{sentence} {source}", "Who says {sentence} {sentence}?\n{source}"):
        text = prompt.replace("{sentence}", SENTENCE).replace("{source}", "a {sentence} of braces")
        other = support_models.choose(tiny_model, prompt=prompt)
        (found,) = support_readers.load(other).support([("a {sentence} of braces", SENTENCE)])
        whole = support_models.choose(tiny_model, prompt="{source}{sentence}")
        assert support_readers.load(whole).support([(text, "")]) == [found]


def test_an_adapter_is_asked_with_system_message_and_three_answers_as_its_merged_model_answers(tmp_path):
    """With sources so long that what prompts begin with is read once."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = save_tiny_model(tmp_path / "base", "qwen", initializer_range=0.2)
    adapter = save_adapter(base, tmp_path / "run" / "adapter")
    system, prompt, answers = "Check it.", "{source}\nSo: {sentence}", ("Yes", "No", "due")
    tokenizer = AutoTokenizer.from_pretrained(base)
    network = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    ids = [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)[0]) for text in answers]
    pairs = [(source, said) for source in (DOCUMENT, PREMISES[2]) for said in (SENTENCE, "The rent is due.", "No.")]
    expected = []
    for source, said in [*pairs, ("none", SENTENCE)]:
        chat = [{"role": "system", "content": system}, {"role": "user", "content": f"{source}\nSo: {said}"}]
        read = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        with torch.inference_mode():
            logits = network(read["input_ids"]).logits[0, -1].tolist()
        expected.append(softmax([logits[at] for at in ids], 0))
    model = support_models.choose(adapter.parent, prompt=prompt, answers=answers, system=system)
    found = support_readers.load(model).support([*pairs, ("none", SENTENCE)])
    assert found == pytest.approx(expected, abs=1e-5)
    alone = support_readers.load(support_models.choose(base, prompt=prompt, answers=answers, system=system))
    assert alone.support(pairs) != pytest.approx(expected[:-1], abs=1e-3)


def test_an_adapter_of_another_kind_is_refused(reader, tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(reader)}))
    write_safetensors(tmp_path / "adapter_model.safetensors", {})
    with pytest.raises(UserError, match=r"an adapter of the kind classifier.*Merge it"):
        entailment.by_model(tmp_path)


def test_the_weights_next_to_an_onnx_graph_are_read_and_are_part_of_the_version(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra dev has onnx")
    file = save_onnx(tmp_path)
    judge, alone = as_table(file, tmp_path), entailment.by_model(tmp_path).version
    onnx.save_model(onnx.load(file), file, save_as_external_data=True, location="model.onnx_data", size_threshold=1024)
    (found,) = support_readers.load(support_models.choose(tmp_path)).support([(PREMISES[0], SENTENCE)])
    assert found == pytest.approx(judge(PREMISES[0], SENTENCE), abs=1e-5)
    before = entailment.by_model(tmp_path).version
    data = bytearray((tmp_path / "model.onnx_data").read_bytes())
    data[5] ^= 1
    (tmp_path / "model.onnx_data").write_bytes(data)
    assert len({alone, before, entailment.by_model(tmp_path).version}) == 3


@pytest.mark.parametrize("name", ["elsewhere.data", "../model.onnx_data"])
def test_an_onnx_graph_reads_no_other_file(tmp_path, name):
    onnx = pytest.importorskip("onnx", reason="the extra dev has onnx")
    file = save_onnx(tmp_path / "model", "onnx/model.onnx")
    onnx.save_model(onnx.load(file), file, save_as_external_data=True, location="elsewhere.data", size_threshold=1024)
    (file.parent / "elsewhere.data").rename(file.parent / name)
    graph = onnx.load(file, load_external_data=False)
    for entry in next(one for one in graph.graph.initializer if one.name == "table").external_data:
        entry.value = name if entry.key == "location" else entry.value
    file.write_bytes(graph.SerializeToString())
    assert (file.parent / name).is_file()
    with pytest.raises(UserError, match="cannot be loaded as onnx") as caught:
        scored(tmp_path / "model", SENTENCE)
    assert "\n" not in str(caught.value)


def test_an_onnx_graph_with_operators_of_others_is_refused(tmp_path):
    onnx = pytest.importorskip("onnx", reason="the extra dev has onnx")
    file = save_onnx(tmp_path)
    graph = onnx.load(file)
    graph.graph.node[0].domain = "com.example"
    graph.opset_import.append(onnx.helper.make_opsetid("com.example", 1))
    file.write_bytes(graph.SerializeToString())
    with pytest.raises(UserError, match=r"cannot be loaded as onnx: .*com\.example"):
        scored(tmp_path, SENTENCE)


def test_safetensors_come_before_onnx_unless_the_kind_is_named(reader):
    pytest.importorskip("onnx", reason="the extra dev has onnx")
    assert support_models.choose(reader).kind == "classifier"
    with pytest.raises(UserError, match=r"it has no model\.onnx and no onnx/model\.onnx"):
        entailment.by_model(reader, kind="onnx")


@pytest.mark.parametrize(
    ("options", "said"),
    [({"size": 1}, "of any number and length"), ({"outputs": 2}, "one number for each of the 3 labels")],
)
def test_an_onnx_graph_of_another_form_is_refused_in_one_line(tmp_path, options, said):
    pytest.importorskip("onnx", reason="the extra dev has onnx")
    save_onnx(tmp_path, **options)
    with pytest.raises(UserError, match=said) as caught:
        scored(tmp_path, SENTENCE)
    assert "\n" not in str(caught.value)


def test_without_onnxruntime_the_extra_is_named(tmp_path, monkeypatch):
    pytest.importorskip("onnx", reason="the extra dev has onnx")
    save_onnx(tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match=r"'onnxruntime', which is not installed.*'\.\[onnx\]'"):
        scored(tmp_path, SENTENCE)


def test_the_published_folder_of_hhem_is_refused_with_what_to_do_and_its_code_does_not_run(reader, tmp_path):
    folder = save_tiny_reader(tmp_path / "hhem", ["hallucinated", "consistent"])
    auto_map = {"AutoModelForSequenceClassification": "modeling_hhem_v2.HHEMv2ForSequenceClassification"}
    architectures = ["HHEMv2ForSequenceClassification"]
    change_json(folder / "config.json", model_type="HHEMv2", architectures=architectures, auto_map=auto_map)
    (folder / "modeling_hhem_v2.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(UserError, match=r"never run\. Use its model\.safetensors with config\.json and tokenizer of"):
        entailment.by_model(folder)
    change_json(folder / "config.json", model_type="own")
    with pytest.raises(UserError, match=r"own code .* is never run"):
        entailment.by_model(folder)
    assert not (tmp_path / "ran").exists()


def test_folders_that_cannot_be_used_are_refused_before_anything_is_loaded(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        entailment.by_model(tmp_path)
    folder = save_tiny_reader(tmp_path / "changed", ["contradiction", "LABEL_1"])
    with pytest.raises(UserError, match=r"contradiction, LABEL_1, expected one such as entailment"):
        entailment.by_model(folder)
    change_json(folder / "config.json", architectures=["BertForQuestionAnswering"])
    with pytest.raises(UserError, match="architecture BertForQuestionAnswering; expected one that ends in ForSeq"):
        entailment.by_model(folder)
    change_json(folder / "config.json", architectures="Bert")
    with pytest.raises(UserError, match="'architectures' is 'Bert'"):
        entailment.by_model(folder)
    change_json(folder / "config.json", architectures=["BertForSequenceClassification"])
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(1))
    with pytest.raises(UserError, match=r"holds pickles \(pytorch_model\.bin\)"):
        entailment.by_model(folder)
    (folder / "pytorch_model.bin").unlink()
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"'base_model_name_or_path' is missing"):
        entailment.by_model(folder)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "judge"}, "expected one of classifier, onnx, causal, seq2seq"),
        ({"prompt": "{source}?"}, "with {source} and {sentence} in it"),
        ({"answers": ("Yes", "No")}, "answers= has no use for a model of the kind classifier"),
        ({"kind": "causal", "label": "neutral"}, "label= has no use for a model of the kind causal"),
        ({"system": "Judge."}, "system= has no use for a model of the kind classifier"),
        ({"label": "yes"}, "expected yes"),
        ({"threshold": 1.5}, "between 0 and 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(reader, options, said):
    with pytest.raises(UserError, match=said):
        entailment.by_model(reader, **options)


def test_a_model_without_the_weights_of_its_kind_is_refused_instead_of_scoring_at_random(tmp_path):
    folder = save_t5(tmp_path, "ConditionalGeneration", id2label={0: "no", 1: "support"})
    with pytest.raises(UserError, match=r"as classifier it lacks 4 weights, such as classification_head\.dense\.bias"):
        scored(folder, SENTENCE, kind="classifier")


def test_a_folder_of_another_kind_is_refused_in_one_line(reader):
    with pytest.raises(UserError, match="cannot be loaded as seq2seq: ValueError") as caught:
        scored(reader, SENTENCE, kind="seq2seq")
    assert "\n" not in str(caught.value)


def test_an_answer_to_a_plain_prompt_is_a_word_of_its_own_for_tokenizers_that_open_every_text_with_a_space(tmp_path):
    """As Llama 2's does: alone, " 1" would begin with the token of a space."""
    import torch
    import transformers

    folder = save_tiny_model(tmp_path / "model", "smollm2", initializer_range=0.2)
    (folder / "chat_template.jinja").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((save_t5(tmp_path / "t5", "ConditionalGeneration") / name).read_bytes())
    opened = [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
    normalizer = {"type": "Sequence", "normalizers": opened}
    change_json(folder / "tokenizer.json", pre_tokenizer=None, normalizer=normalizer, post_processor=None)
    prompt = "{source} {sentence}:"
    (found,) = support_readers.load(support_models.choose(folder, prompt=prompt, answers=(" 1", " 0"))).support(
        [(PREMISES[0], SENTENCE)]
    )
    ids = transformers.AutoTokenizer.from_pretrained(folder)(
        f"{PREMISES[0]} {SENTENCE}:", return_tensors="pt"
    ).input_ids
    logits = transformers.AutoModelForCausalLM.from_pretrained(folder)(torch.as_tensor(ids)).logits[0, -1].tolist()
    assert found == pytest.approx(softmax([logits[3], logits[4]], 1), abs=1e-5)


@pytest.mark.parametrize("answers", [("Yes", "Yes, it does"), ("Yes",), ("Yes", "No", "Not"), ("Yes", "")])
def test_answers_that_cannot_be_told_apart_are_refused(tiny_model, answers):
    with pytest.raises(UserError, match=f"answers are {re.escape(str(answers))}; expected two or more texts"):
        scored(tiny_model, SENTENCE, answers=answers)
