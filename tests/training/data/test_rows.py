"""Rows become ids and masks: answers are always whole, bad rows are named by line."""

import json
import os
import re
from collections import Counter

import pytest

from evalsuites.general.basics import replay
from harness.errors import UserError
from harness.suites.prompts import Renderer, UntrainableTurns
from tests.conftest import CHATML
from training.curation.clean import masked
from training.curation.personal_data import Mask
from training.data.rows import load_rows, shared_rows
from training.data.tokenize import cut_prompt, encode, shortest_length

CHAT = {"messages": [{"role": "user", "content": "Say\n\nit"}, {"role": "assistant", "content": "\nnone"}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "Say\n\nit"}, {"from": "gpt", "value": "\nnone"}]}
COMPLETION = {"prompt": "Say\n\nit", "completion": "\nnone"}
INSTRUCTION = {"instruction": "Say", "input": "it", "output": "\nnone"}


@pytest.fixture(scope="module")
def renderer(tiny_model):
    return Renderer(tiny_model)


def test_all_forms_give_the_same_ids(write_rows, renderer):
    forms = [CHAT, SHAREGPT, COMPLETION, INSTRUCTION]
    rows = load_rows([str(write_rows(f"{number}.jsonl", [form])) for number, form in enumerate(forms)])
    chat, *others = encode(rows, renderer, 256).documents
    assert [(one.ids, one.mask) for one in others] == [(chat.ids, chat.mask)] * 3
    assert [one.where[-9:] for one in (chat, *others)] == [f"{number}.jsonl:1" for number in range(4)]


@pytest.mark.parametrize(("row", "fault"), [
    ({"conversations": [{"from": "tool", "value": "a"}]}, '`$.conversations[0].from`; expected "conversations", a'),
    ({"conversations": [{"role": "user", "content": "a"}]}, 'turns with a "from" (system, human or gpt) and a "value"'),
    ({"prompt": CHAT["messages"][:1], "completion": CHAT["messages"][1:]}, 'write a prompt of turns as "messages"'),
    ({"prompt": "a", "response": "b"}, 'expected the texts "prompt" and "completion"'),
    ({"prompt": "a", "completion": " "}, '"completion" is empty; every answer needs text'),
    ({"prompt": "a", **CHAT}, 'has both "messages" and "prompt", two forms of a row. Remove one of them'),
])  # fmt: skip
def test_of_a_wrong_row_it_is_said_what_its_form_has(write_rows, row, fault):
    with pytest.raises(UserError, match=re.escape(fault)):
        load_rows([str(write_rows("a.jsonl", [row]))])


def test_rows_from_replay_learn_the_base_where_that_is_asked_for(write_rows, renderer):
    rows = load_rows([str(write_rows("a.jsonl", [CHAT, CHAT | {"source": replay.SOURCE}]))])
    assert [d.is_distilled for d in encode(rows, renderer, 256, distil_replay=True).documents] == [False, True]
    assert [d.is_distilled for d in encode(rows, renderer, 256).documents] == [False, False]


def test_the_source_alone_makes_a_row_replay(write_rows, renderer):
    """Whatever other fields name its cluster or document."""
    sourced = [{"source": "replay", name: "general-01"} for name in ("cluster", "document")]
    named = [{name: "replay"} for name in ("cluster", "document")]
    rows = load_rows([str(write_rows("a.jsonl", [CHAT | fields for fields in sourced + named]))])
    assert [row.document for row in rows] == ["general-01"] * 2 + ["replay"] * 2
    learnt = encode(rows, renderer, 256, distil_replay=True).documents
    assert [document.is_distilled for document in learnt] == [True, True, False, False]


def test_a_field_without_text_names_no_document(write_rows):
    (row,) = load_rows([str(write_rows("a.jsonl", [CHAT | {"cluster": "", "document": "lease 7", "source": None}]))])
    assert row.document == "lease 7"


@pytest.mark.parametrize("blank", ["", " \n", "\u200b \ufeff"])
def test_an_answer_without_text_is_refused(write_rows, blank):
    with pytest.raises(UserError, match=r'a\.jsonl:1: "output" is empty'):
        load_rows([str(write_rows("a.jsonl", [INSTRUCTION | {"output": blank}]))])


CONTEXT = [{"role": "user", "content": "the tenant"}, {"role": "assistant", "content": "agrees"}]
SYSTEM = {"role": "system", "content": "due on sale"}


@pytest.mark.parametrize("row", [
    INSTRUCTION | {"input": None, "source": None},
    CHAT | {"base_context": None, "cluster": None},
])  # fmt: skip
def test_a_field_that_may_be_left_out_may_be_null_as_pandas_writes_it(write_rows, row):
    path = write_rows("a.jsonl", [row])
    (loaded,) = load_rows([str(path)])
    assert loaded.messages[0].content.split() == (["Say"] if "input" in row else ["Say", "it"])
    assert not loaded.base_context and json.loads(masked(path.read_bytes(), Counter(), Mask())) == row


def test_a_context_is_read_by_the_base_alone_before_the_first_question(write_rows, renderer):
    chat = [SYSTEM, *CHAT["messages"]]
    rows = load_rows(
        [str(write_rows("a.jsonl", [{"messages": chat, "base_context": CONTEXT, "source": replay.SOURCE}]))]
    )
    (document,) = encode(rows, renderer, 256, distil_replay=True).documents
    assert (document.ids, document.mask) == renderer.training(chat)
    read = document.in_context
    assert read.ids == renderer.training([SYSTEM, *CONTEXT, *CHAT["messages"]])[0]
    assert [i for i, m in zip(read.ids, read.mask, strict=True) if m] == document.ids[document.mask.index(1) :]
    assert encode(rows, renderer, 256).documents[0].in_context is None
    with pytest.raises(UserError, match=rf"a\.jsonl:1: {len(read.ids)} tokens with its context do not fit"):
        encode(rows, renderer, len(document.ids), distil_replay=True)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"base_context": CONTEXT}, '"base_context" belongs to rows with "source": "replay"'),
        (
            {"base_context": CONTEXT[:1], "source": "replay"},
            "the roles are user; expected user and assistant alternately",
        ),
        ({"base_context": [SYSTEM, *CONTEXT], "source": "replay"}, "base_context message 1 is a system message"),
    ],
)
def test_a_context_that_cannot_be_used_is_refused(write_rows, row, fault):
    with pytest.raises(UserError, match=re.escape(fault)):
        load_rows([str(write_rows("a.jsonl", [CHAT | row]))])


LONG = "the tenant agrees " * 40


ZEPHYR = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
"""Only the end of a turn is a token; the other markers are text."""


@pytest.mark.parametrize("template", [CHATML, ZEPHYR])
@pytest.mark.parametrize("prompt", [
    {"user": f"FIRST {LONG}LAST"}, {"system": f"FIRST {LONG}", "user": f"{LONG}LAST"},
])  # fmt: skip
def test_a_long_prompt_is_cut_in_its_middle_and_answer_and_turns_stay_whole(
    write_rows, renderer, prompt, template, monkeypatch
):
    monkeypatch.setattr(renderer.tokenizer, "chat_template", template)
    turns = prompt | {"assistant": "due on sale; none"}
    row = {"messages": [{"role": role, "content": text} for role, text in turns.items()]}
    rows = load_rows([str(write_rows("a.jsonl", [row]))])
    whole = encode(rows, renderer, 5000).documents[0]
    cut = encode(rows, renderer, 64)
    document = cut.documents[0]
    assert len(document.ids) == 64
    assert document.answers == whole.answers > 3
    assert renderer.decode([i for i, m in zip(document.ids, document.mask, strict=True) if m]) == "due on sale; none"
    text = renderer.decode(document.ids)
    assert "FIRST" in text and "LAST" in text
    written = [re.findall(r"<.*>\w*", renderer.tokenizer.decode(one.ids)) for one in (document, whole)]
    assert written[0] == written[1]
    assert (cut.rows_cut, cut.tokens_cut) == (1, len(whole.ids) - 64)


def test_an_answer_that_cannot_fit_is_refused_by_line(write_rows, renderer):
    path = write_rows("a.jsonl", [INSTRUCTION, {"instruction": "Say", "output": "the tenant agrees " * 40}])
    with pytest.raises(UserError, match=r"a\.jsonl:2: .* do not fit"):
        encode(load_rows([str(path)]), renderer, 32)


def test_a_cut_takes_only_from_the_longest_stretch_of_prompt():
    ids = list(range(38))
    mask = [0, 0, 1, 1] + [0] * 28 + [1] * 6
    kept_ids, kept_mask = cut_prompt(ids, mask, 10, ())
    assert kept_ids == [*range(13), *range(23, 38)]
    assert kept_mask == [0, 0, 1, 1] + [0] * 18 + [1] * 6
    assert shortest_length(ids, mask, ()) == len(ids) - 12


def test_a_row_without_a_learnt_token_is_an_error(write_rows):
    class Silent:
        marker_ids = ()

        def training(self, chat):
            return [1, 2, 3], [0, 0, 0]

    with pytest.raises(UserError, match=r"a\.jsonl:1: it has no answer tokens"):
        encode(load_rows([str(write_rows("a.jsonl", [CHAT]))]), Silent(), 256)


def test_all_bad_lines_of_all_files_are_listed_once(tmp_path, write_rows):
    good = write_rows("good.jsonl", [CHAT])
    bad = tmp_path / "bad.jsonl"
    bad.write_text(
        "not json\n\n"
        '{"text": "x"}\n'
        '{"messages": [{"role": "assistant", "content": "first"}]}\n'
        '{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": " "}]}\n'
        '{"instruction": "a", "output": 3}\n'
        '{"instruction": "a", "output": "b", "extra": 1}\n'
        '{"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a", "weight": 0}]}\n'
        '{"messages": [{"role": "user", "content": "u"}, {"role": "system", "content": "s"}]}\n'
    )
    with pytest.raises(UserError) as refused:
        load_rows([str(good), str(bad)])
    lines = [int(part.split(":")[1]) for part in str(refused.value).splitlines()[1:]]
    assert lines == [1, 3, 4, 5, 6, 7, 8, 9]


def test_a_pipe_is_refused_with_the_reason():
    """It is read twice."""
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(UserError, match=r"cannot be read: not a regular file\. Name a file of"):
        load_rows([f"/dev/fd/{reading}"])
    os.close(reading)


def test_every_row_whose_turns_the_template_rewrites_is_named(write_rows):
    """Templates that trim messages render an answer with a space at its end differently once a question follows."""

    class Trimming:
        def training(self, chat):
            raise UntrainableTurns("the chat template rewrites earlier turns")

    rows = load_rows([str(write_rows("a.jsonl", [CHAT, CHAT]))])
    with pytest.raises(UserError) as refused:
        encode(rows, Trimming(), 256)
    named = [line.rpartition("/")[2] for line in str(refused.value).splitlines()[1:]]
    assert named == [f"a.jsonl:{line}: the chat template rewrites earlier turns" for line in (1, 2)]


def test_a_validation_row_that_is_also_trained_on_is_named(write_rows):
    train = load_rows([str(write_rows("train.jsonl", [CHAT]))])
    other = {"instruction": "Say", "output": "other"}
    held_out = load_rows([str(write_rows("validation.jsonl", [other, INSTRUCTION]))])
    problems = shared_rows(train, held_out)
    assert len(problems) == 1 and "validation.jsonl:2" in problems[0] and "train.jsonl:1" in problems[0]


@pytest.mark.parametrize(
    ("prompt", "answer", "is_shared"),
    [
        ("Say \n  it", "none", True),
        ("say it!", "None.", True),
        ("“Say” it …", "none", True),
        ("Say it: $5", "none", False),
        ("Say -it", "none", False),
        ("Say it", "one", False),
    ],
)
def test_a_copy_is_a_copy_in_other_capitals_spaces_or_punctuation(write_rows, prompt, answer, is_shared):
    train = load_rows([str(write_rows("train.jsonl", [{"instruction": "Say it.", "output": "none"}]))])
    held_out = load_rows([str(write_rows("validation.jsonl", [{"instruction": prompt, "output": answer}]))])
    assert bool(shared_rows(train, held_out)) is is_shared


def test_amounts_and_signs_that_differ_in_their_marks_alone_are_no_copies(write_rows):
    texts = ["Pay 1.50", "Pay 150", "Pay 15.0", "3 < 4", "3 > 4", "?", "!"]
    rows = load_rows([str(write_rows("a.jsonl", [{"instruction": text, "output": "yes"} for text in texts]))])
    assert [shared_rows(rows[:at], rows[at:]) for at in range(1, len(rows))] == [[]] * (len(rows) - 1)
