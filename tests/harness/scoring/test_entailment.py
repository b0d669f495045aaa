"""Claim support by a local model: sentences, what is unscored, and that nothing is fetched or cut in silence."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UserError
from harness.schema import Case
from harness.scoring import entailment
from harness.scoring.base import run
from tests.conftest import save_tokenizer
from tests.support.answers import answer

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
    return run([entailment.by_model(reader, **{"chunk_words": 12, **options})], case, completion).support


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("- First point\n2. Second point.\n\n# Head", ["First point", "Second point.", "Head"]),
        ("Oakmere, Inc. pays Mr. Ames $1.50 under 4.2. Yes.", ["Oakmere, Inc. pays Mr. Ames $1.50 under 4.2.", "Yes."]),
        ("12. 34! ...", []),
        ("", []),
        ('He said "no." Then he left', ['He said "no."', "Then he left"]),
    ],
)
def test_what_is_a_sentence(text, found):
    assert [text[start:end] for start, end in entailment.sentences(text)] == found


def test_a_sentence_that_is_cut_is_no_claim():
    text = "One here. Two is brok"
    assert [text[a:b] for a, b in entailment.sentences(text, whole=False)] == ["One here."]
    assert [text[a:b] for a, b in entailment.sentences(text, whole=True)] == ["One here.", "Two is brok"]
    assert [a for a, _ in entailment.sentences("One here. Two.", whole=False)] == [0, 10]


def test_chunks_overlap_by_half_and_cover_the_source():
    text = " ".join(f"w{n}" for n in range(25))
    found = [text[a:b].split() for a, b in entailment.chunks(text, 10)]
    assert [(part[0], part[-1]) for part in found] == [("w0", "w9"), ("w5", "w14"), ("w10", "w19"), ("w15", "w24")]
    assert entailment.chunks("one two", 10) == ((0, 7),)


def test_the_threshold_parts_supported_from_unsupported(reader):
    text = "The tenant agrees. The rent is due on sale."
    low, high = scored(reader, text, threshold=0.001), scored(reader, text, threshold=0.999)
    assert (low.counts, low.value) == ({"claims": 2, "supported": 2}, 1.0)
    assert (high.counts, high.value) == ({"claims": 2, "supported": 0}, 0.0)
    assert high.unsupported == ["The tenant agrees.", "The rent is due on sale."]


def test_support_is_the_largest_over_chunks_by_the_label_that_means_support(reader):
    """Against the model itself, asked pair by pair."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(reader)
    model = AutoModelForSequenceClassification.from_pretrained(reader).eval()
    (span,) = scored(reader, "The tenant agrees.").spans
    by_chunk = {}
    for start, end in entailment.chunks(DOCUMENT, 12):
        read = tokenizer(DOCUMENT[start:end], "The tenant agrees.", return_tensors="pt")
        with torch.inference_mode():
            by_chunk[(start, end)] = model(**read).logits.softmax(-1)[0, 1].item()
    best = max(by_chunk, key=by_chunk.get)
    assert span.reason == f"support {by_chunk[best]:.3f}"
    assert by_chunk[best] > min(by_chunk.values())
    assert (span.source.start, span.source.end) == best


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


def test_a_chunk_too_long_for_the_model_is_refused_not_cut(reader):
    with pytest.raises(UserError, match="smaller chunk_words"):
        scored(reader, "The rent is due.", document="zebra quartz " * 200, chunk_words=300)


def test_model_threshold_and_chunks_are_part_of_the_version(reader, tmp_path):
    other = save_tiny_reader(tmp_path / "other", ["contradiction", "Entailment", "neutral"], seed=1)
    made = [
        entailment.by_model(reader),
        entailment.by_model(reader, threshold=0.6),
        entailment.by_model(reader, chunk_words=50),
        entailment.by_model(reader, label="neutral"),
        entailment.by_model(other),
    ]
    assert len({scorer.version for scorer in made}) == 5
    assert entailment.by_model(reader).version == made[0].version


def test_a_model_of_one_output_is_read_as_a_probability(tmp_path):
    single = save_tiny_reader(tmp_path / "single", ["score"])
    assert scored(single, "The rent is due.", threshold=0.001).counts == {"claims": 1, "supported": 1}


@pytest.mark.parametrize("path", ["owner/model", "model", "~/model"])
def test_a_path_that_could_be_a_hub_name_is_refused(path):
    with pytest.raises(UserError, match=r"Start a local path with \./"):
        entailment.by_model(path)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        entailment.by_model(tmp_path)


def test_labels_that_do_not_say_what_means_support_are_refused(reader, tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}))
    with pytest.raises(UserError, match=r"LABEL_0, LABEL_1, expected one such as entailment"):
        entailment.by_model(folder)
    with pytest.raises(UserError, match="expected yes"):
        entailment.by_model(reader, label="yes")
    with pytest.raises(UserError, match="between 0 and 1"):
        entailment.by_model(reader, threshold=1.5)


def test_naming_a_model_loads_no_heavy_library(reader):
    code = (
        f"import sys; from harness.scoring import entailment; entailment.by_model({str(reader)!r}); "
        "print([m for m in ('torch', 'transformers', 'numpy') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
