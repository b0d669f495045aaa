"""Prompts: one rendering for inference and training, whatever the model's chat template wants."""

import json
import shutil
from pathlib import Path
from typing import Any

import jinja2
import pytest
from tokenizers import AddedToken

from harness.errors import UserError
from harness.schema import Case
from harness.suites.prompts import Renderer, load_template, messages, recorded_messages
from tests.support.adapters import change_json

CHAT = [{"role": "system", "content": "Name clauses."}, {"role": "user", "content": "the landlord and the tenant"}]
FAMILIES = ["qwen", "llama3", "mistral"]


def case(**given: str) -> Case:
    return Case(id="a", input=given, expected=[], cluster="c")


def template(text: str) -> jinja2.Template:
    return jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)


@pytest.mark.parametrize(("text", "document", "said"), [
    ('{% set system = "Brief" %}\nAsk: {{ document }}\n', "Lease", [("system", "Brief"), ("user", "Ask: Lease")]),
    ("Hello {{ document }}", "x", [("user", "Hello x")]),
    ("{{ document }}", "{{ secret }} {% if %}", [("user", "{{ secret }} {% if %}")]),
])  # fmt: skip
def test_a_template_gives_a_user_message_and_perhaps_one_of_the_system(
    text: str, document: str, said: list[tuple[str, str]]
) -> None:
    chat = messages(template(text), case(document=document))
    assert [(message["role"], message["content"]) for message in chat] == said


@pytest.mark.parametrize(("text", "said"), [
    ("{{ text }}", "needs a variable its input lacks: 'text' is undefined. Input has: document"),
    ("{% set system = brief %}{{ document }}", "needs a variable its input lacks: 'brief' is undefined"),
    ("{% include 'other.jinja' %}{{ document }}", "cannot be rendered: TypeError: no loader"),
    ("{{ document + 5 }}", "cannot be rendered: TypeError: can only concatenate str"),
])  # fmt: skip
def test_a_template_that_cannot_be_rendered_names_the_case_and_why(text: str, said: str) -> None:
    with pytest.raises(UserError, match=f"the prompt: case 'a': the prompt {said}"):
        messages(template(text), case(document="x"))


def test_a_broken_template_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "prompt.jinja").write_text("one\n{% if %}")
    with pytest.raises(UserError, match=r"prompt\.jinja:2: not a Jinja template"):
        load_template(tmp_path / "prompt.jinja")


def test_the_recorded_template_renders_the_same_messages_as_the_suites_file(tmp_path: Path) -> None:
    text = '{% set system = "Be brief." %}\n{% if document %}\nAsk: {{ document }}\n{% endif %}\n'
    (tmp_path / "prompt.jinja").write_text(text)
    chat = recorded_messages(text, case(document="Lease"))
    assert chat == messages(load_template(tmp_path / "prompt.jinja"), case(document="Lease")) and len(chat) == 2


@pytest.mark.parametrize("text", ["", "{{ secret }}", "{% if %}", "{{ document.__class__.__mro__ }}", "{{ 1 / 0 }}"])
def test_a_recorded_template_that_cannot_be_rendered_gives_no_messages(text: str) -> None:
    assert recorded_messages(text, case(document="Lease")) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_holds_at_most_one_bos(tiny_models: dict[str, Path], family: str) -> None:
    renderer = Renderer(tiny_models[family])
    ids = renderer.prompt(CHAT).ids
    bos = renderer.tokenizer.bos_token_id
    assert ids.count(bos) == (0 if family == "qwen" else 1)
    assert family == "qwen" or ids[0] == bos


@pytest.mark.parametrize(("family", "opening"), [
    ("qwen", "<|im_start|>system\nName clauses.<|im_end|>\n<|im_start|>user\n"),
    ("mistral", "<s>[INST] Name clauses.\n\nthe landlord and the tenant [/INST]"),
])  # fmt: skip
def test_a_template_that_refuses_system_gets_it_in_the_first_user_message(
    tiny_models: dict[str, Path], family: str, opening: str
) -> None:
    assert Renderer(tiny_models[family]).prompt(CHAT).text.startswith(opening)


@pytest.mark.parametrize(("family", "names"), [
    ("qwen", {"<|im_end|>", "<|endoftext|>"}),
    ("llama3", {"<|eot_id|>", "<|end_of_text|>"}),
    ("mistral", {"</s>"}),
])  # fmt: skip
def test_every_end_token_stops_an_answer(tiny_models: dict[str, Path], family: str, names: set[str]) -> None:
    renderer = Renderer(tiny_models[family])
    assert {renderer.tokenizer.convert_ids_to_tokens(i) for i in renderer.stop_ids} == names


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("answer", ["due on sale", "none", "\nnone", " due", "é😀"])
def test_training_begins_with_exactly_the_prompt_ids_and_ends_with_the_turn(
    tiny_models: dict[str, Path], family: str, answer: str
) -> None:
    renderer = Renderer(tiny_models[family])
    ids, mask = renderer.training([*CHAT, {"role": "assistant", "content": answer}])
    prompt = list(renderer.prompt(CHAT).ids)
    assert ids[: len(prompt)] == prompt and ids[-1] in renderer.stop_ids
    assert mask == [0] * len(prompt) + [1] * (len(ids) - len(prompt))
    assert answer != "none" or renderer.decode(ids[len(prompt) :]) == answer


def test_every_assistant_turn_is_trained_and_nothing_else(tiny_models: dict[str, Path]) -> None:
    renderer = Renderer(tiny_models["qwen"])
    more = [{"role": "assistant", "content": "due"}, {"role": "user", "content": "and"},
            {"role": "assistant", "content": "none"}]  # fmt: skip
    ids, mask = renderer.training([*CHAT, *more])
    trained = [i for i, m in zip(ids, mask, strict=True) if m]
    assert renderer.tokenizer.decode(trained) == "due<|im_end|>none<|im_end|>"
    expected = "<|im_start|>user\nthe landlord and the tenant<|im_end|>\n<|im_start|>assistant\ndue<|im_end|>\n"
    assert expected in renderer.tokenizer.decode(ids)


def test_a_turn_ends_with_a_special_token_that_has_no_role(tiny_models: dict[str, Path], tmp_path: Path) -> None:
    """As in Gemma 3 and Phi-3."""
    folder = Path(shutil.copytree(tiny_models["llama3"], tmp_path / "model"))
    roles = {"eos_token": "<|end_of_text|>", "pad_token": "<|end_of_text|>", "extra_special_tokens": None}
    change_json(folder / "tokenizer_config.json", **roles)
    renderer, turn = Renderer(folder), {"role": "assistant", "content": "none"}
    ids, mask = renderer.training([*CHAT, turn, CHAT[1], turn])
    assert renderer.tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m]) == "none<|eot_id|>" * 2


def test_a_template_that_leaves_out_the_users_text_is_refused_and_one_without_answers_ends_at_the_configs_tokens(
    tiny_model: Path, tmp_path: Path
) -> None:
    """A model that is never asked the question is a baseline that is easy to beat."""
    model = Path(shutil.copytree(tiny_model, tmp_path / "m"))
    (model / "chat_template.jinja").write_text("Answer: {{ messages[0]['content'] | length }}")
    with pytest.raises(UserError, match=r"m: the chat template leaves out what the user says, so every prompt would"):
        Renderer(model).stop_ids  # noqa: B018 - reading it is the check
    (model / "chat_template.jinja").write_text("<|im_start|>{{ messages[0]['content'] }}")
    assert set(Renderer(model).stop_ids) == set(Renderer(tiny_model).stop_ids)


def test_added_tokens_that_the_template_writes_mark_turns_and_white_space_does_not(tiny_model: Path) -> None:
    renderer = Renderer(tiny_model)
    renderer.tokenizer.add_tokens([AddedToken(text, special=False) for text in ("<User>", "<Other>", "\n\n")])
    renderer.tokenizer.chat_template = f"<User>\n\n{renderer.tokenizer.chat_template}"
    (user,) = renderer.tokenizer.convert_tokens_to_ids(["<User>"])
    assert renderer.marker_ids - renderer.special_ids == {user}


@pytest.mark.parametrize(("answers", "fault"), [
    ([], "at least one assistant message"),
    (["none<|im_end|>\n<|im_start|>user"], r"message 3 has <\|im_end\|>, which ends an answer"),
])  # fmt: skip
def test_a_chat_that_cannot_be_trained_is_refused(tiny_model: Path, answers: list[str], fault: str) -> None:
    with pytest.raises(UserError, match=fault):
        Renderer(tiny_model).training([*CHAT, *({"role": "assistant", "content": text} for text in answers)])


def test_the_hash_changes_with_either_template(tiny_models: dict[str, Path]) -> None:
    renderer = Renderer(tiny_models["qwen"])
    hashes = {
        renderer.prompt(CHAT, "a").template_hash,
        renderer.prompt(CHAT, "b").template_hash,
        Renderer(tiny_models["llama3"]).prompt(CHAT, "a").template_hash,
    }
    assert len(hashes) == 3


@pytest.mark.parametrize(
    ("config", "limit"),
    [({"max_position_embeddings": 512}, 512), ({"text_config": {"max_position_embeddings": 8192}}, 8192), ({}, 2048)],
)
def test_the_context_limit_comes_from_the_config_which_may_nest_it(
    tmp_path: Path, config: dict[str, Any], limit: int
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert Renderer(tmp_path).max_positions == limit


def test_a_template_that_names_today_gives_the_same_prompt_on_every_day(
    tiny_models: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(tiny_models["qwen"], tmp_path / "model")
    renderer = Renderer(tmp_path / "model")
    renderer.tokenizer.chat_template = (
        "{{ strftime_now('%d %b %Y') }}: " + "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    assert renderer.prompt(CHAT).text.startswith("26 Jul 2024: ")
