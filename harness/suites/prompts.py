"""Render prompts and apply chat templates; nothing else does.

Inference and training share `Renderer`: the prompt ids of a training row are exactly the ids that an engine receives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from functools import cached_property, lru_cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.checkpoints import safety
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import cache_dir, tokenizer_folder
from harness.errors import MissingExtra, UserError, typed_line
from harness.files import digest, file_sha256, read_text, shown_path
from harness.schema import Case, Checkpoint, Prompt

if TYPE_CHECKING:
    import jinja2


PLAIN = "TokenizersBackend"
"""The tokenizer class of transformers 5 that needs tokenizer.json alone."""
DECIDING = ("config.json", "tokenizer_config.json")
"""Files from which transformers chooses the class (models/auto/tokenization_auto.py)."""


def load(folder: Path) -> Any:
    """Load the tokenizer in a folder. Raises what transformers raises, and MissingExtra where it is not installed."""
    if find_spec("transformers") is None:
        raise MissingExtra("rendering prompts", "transformers", "train")
    choice = _choice_file(folder)
    if choice.exists() and (folder / "tokenizer.json").is_file():
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(str(folder), **safety.TOKENIZER)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), **safety.TOKENIZER)
    if type(tokenizer).__name__ == PLAIN:
        with suppress(OSError):  # Without it the choice is only repeated.
            choice.parent.mkdir(parents=True, exist_ok=True)
            choice.touch()
    return tokenizer


def _choice_file(folder: Path) -> Path:
    """Return the path of the mark that this version of transformers chose the plain class for these files."""
    files = [folder / name for name in DECIDING]
    read = [file_sha256(file) if file.is_file() else "" for file in files]
    return cache_dir() / "tokenizers" / digest([metadata.version("transformers"), *read])[:32]


TODAY = date(2024, 7, 26)
"""What chat templates that name today's date get, so that a prompt is the same tomorrow; the date that Llama 3's own
template names where it is given none."""
Message = dict[str, str]


def read_template(path: Path) -> str:
    """Read a suite's prompt.jinja."""
    return read_text(path, "Write the prompt template, or name it in Suite(prompt=...)")


def _environment() -> jinja2.Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=False, trim_blocks=True)


def load_template(path: Path) -> jinja2.Template:
    """Compile a suite's prompt.jinja; undefined variables are errors, not empty text. Raises UserError."""
    import jinja2
    from jinja2 import meta

    env = _environment()
    text = read_template(path)
    try:
        template = env.from_string(text)
        variables = meta.find_undeclared_variables(env.parse(text)) - env.globals.keys()
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"{shown_path(path)}:{error.lineno}: not a Jinja template: {error.message}") from None
    if not variables:
        raise UserError(
            f"{shown_path(path)}: uses no variable, so every case gets the same prompt. Write a key of the cases' "
            "input in it, such as {{ document }}"
        )
    template.name = shown_path(path)
    return template


def messages(template: jinja2.Template, case: Case) -> list[Message]:
    """Render the chat messages of one case.

    The template renders the user message from the case's input; `{% set system = "..." %}` in it is the system
    message. Raises UserError for a variable that the case lacks, and whatever else keeps it from being rendered.
    """
    import jinja2

    where = f"{template.name or 'the prompt'}: case '{case.id}'"
    try:
        module = template.make_module(dict(case.input))
        user, system = str(module).strip(), getattr(module, "system", None)
        head = [{"role": "system", "content": str(system).strip()}] if system else []
    except jinja2.UndefinedError as error:
        raise UserError(
            f"{where}: the prompt needs a variable its input lacks: {error.message}. "
            f"Input has: {', '.join(case.input) or 'nothing'}"
        ) from None
    except Exception as error:  # A template can raise anything.
        raise UserError(f"{where}: the prompt cannot be rendered: {typed_line(error)}. Correct the template") from None
    return [*head, {"role": "user", "content": user}]


@lru_cache(maxsize=16)
def _recorded(text: str) -> jinja2.Template:
    return _environment().from_string(text)


def recorded_messages(text: str, case: Case) -> list[Message]:
    """Render the chat messages of a run's case from the template in its manifest, without a model's chat template.

    Empty where the run has no template, and where the template cannot be rendered, as after redaction.
    """
    try:
        return messages(_recorded(text), case) if text else []
    except Exception:  # A template of another person's run can raise anything.
        return []


def _merge_system(chat: Sequence[Message]) -> list[Message]:
    """Prepend the system message to the first user message, for templates without that role."""
    system = [m["content"] for m in chat if m["role"] == "system"]
    rest = [dict(m) for m in chat if m["role"] != "system"]
    if system and rest:
        rest[0]["content"] = "\n\n".join([*system, rest[0]["content"]])
    return rest


class UntrainableTurns(UserError):
    """A conversation whose turns cannot be trained as they are served."""


class Renderer:
    """Turns chat messages into text and token ids with one model's tokenizer and chat template.

    Loads nothing until it is used. `folder` has config.json, and the tokenizer unless `tokenizer` is its folder.
    """

    def __init__(self, folder: str | Path | CheckpointFolder, tokenizer: CheckpointFolder | None = None) -> None:
        self._files = folder if isinstance(folder, CheckpointFolder) else CheckpointFolder(folder)
        self.folder = self._files.path
        self.tokenizer_folder = tokenizer.path if tokenizer else self.folder
        self.today = TODAY

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Renderer:
        """Make the renderer of a checkpoint's prompts; an adapter may have its own tokenizer."""
        return cls(checkpoint.path, tokenizer_folder(checkpoint))

    @cached_property
    def tokenizer(self) -> Any:
        try:
            tokenizer = load(self.tokenizer_folder)
        except MissingExtra:
            raise
        except Exception as error:  # The libraries raise many types; users get one line for any.
            raise UserError(
                f"{self.tokenizer_folder}: the tokenizer cannot be loaded: {typed_line(error)}. Expected one that "
                "transformers itself has; code in a checkpoint is never run"
            ) from None
        if not tokenizer.chat_template:
            raise UserError(
                f"{self.tokenizer_folder}: the tokenizer has no chat template. Expected an instruct model; "
                "add chat_template.jinja to the folder"
            )
        return tokenizer

    @property
    def config(self) -> dict[str, Any]:
        """config.json of the folder."""
        return self._files.config

    @property
    def max_positions(self) -> int:
        """Longest prompt and completion together, in tokens, from config.json; tokenizers often state a wrong limit."""
        stated = (settings.get("max_position_embeddings") for settings in (self.config, self._files.text_config))
        return int(next(filter(None, stated), 2048))

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """All end-of-sequence ids: of the tokenizer, the config and the generation config."""
        stops = [self.tokenizer.eos_token_id, *self._config_stops, self._turn_end]
        return tuple(dict.fromkeys(one for one in stops if isinstance(one, int)))

    @property
    def _config_stops(self) -> list[Any]:
        stated = (files.get("eos_token_id") for files in (self.config, self._files.generation_config))
        return [one for ids in stated for one in (ids if isinstance(ids, list) else [ids]) if one is not None]

    @property
    def limits(self) -> tuple[int, frozenset[Any]]:
        """What ends an answer, besides the tokenizer and its chat template: the context and both configs' stop ids."""
        return self.max_positions, frozenset(self._config_stops)

    @cached_property
    def template_digest(self) -> str:
        """Digest of the chat template's text."""
        template = self.tokenizer.chat_template
        return digest(template if isinstance(template, str) else json.dumps(template, sort_keys=True))

    @cached_property
    def _takes_system(self) -> bool:
        probe = [{"role": "system", "content": "\u241a"}, {"role": "user", "content": "u"}]
        try:
            return "\u241a" in self._rendered(probe, True)
        except Exception:  # `_apply` reports a template that always fails.
            return False

    @cached_property
    def _turn_end(self) -> int | None:
        """Id of the special token that closes an assistant turn, where the template writes one."""
        text = self._apply([{"role": "user", "content": "\u2419"}, {"role": "assistant", "content": "\u241a"}], False)
        if "\u2419" not in text:
            raise UserError(
                f"{self.tokenizer_folder}: the chat template leaves out what the user says, so every prompt would be "
                "the same. Correct it, or choose another checkpoint"
            )
        _, written, rest = text.rpartition("\u241a")
        return next((i for i in self._encode(rest if written else "") if i in self.special_ids), None)

    @cached_property
    def special_ids(self) -> set[int]:
        """Ids of all special tokens."""
        added = self.tokenizer.added_tokens_decoder  # `all_special_ids` has only those with a role, not Gemma's.
        return {*self.tokenizer.all_special_ids, *(at for at, token in added.items() if token.special)}

    @cached_property
    def marker_ids(self) -> set[int]:
        """Ids of special tokens, and of other added ones that the chat template writes, as DeepSeek's `<｜User｜>`."""
        template, added = str(self.tokenizer.chat_template), self.tokenizer.added_tokens_decoder
        return self.special_ids | {
            at for at, token in added.items() if token.content.strip() and token.content in template
        }

    def _rendered(self, chat: Sequence[Message], generate: bool) -> str:
        """Render a chat with transformers, which runs the template in jinja's sandbox."""
        text = self.tokenizer.apply_chat_template(
            list(chat), tokenize=False, add_generation_prompt=generate, strftime_now=self.today.strftime
        )
        return str(text)

    def _apply(self, chat: Sequence[Message], generate: bool) -> str:
        try:
            return self._rendered(chat, generate)
        except Exception as error:  # A template of a checkpoint can raise anything.
            raise UserError(
                f"{self.tokenizer_folder}: the chat template cannot be used: {typed_line(error)}. Correct it, or "
                "choose another checkpoint"
            ) from None

    def _encode(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))

    def _prompt_text(self, chat: Sequence[Message]) -> str:
        chat = chat if self._takes_system else _merge_system(chat)
        return self._apply(chat, True)

    def _prompt_ids(self, text: str) -> list[int]:
        """Return the ids of a rendered chat. The template writes its own special tokens; a BOS is never added twice."""
        ids = self._encode(text)
        bos = self.tokenizer.bos_token_id
        wants_bos = bool(getattr(self.tokenizer, "add_bos_token", False))
        if wants_bos and bos is not None and ids[:1] != [bos]:
            return [bos, *ids]
        return ids

    def prompt(self, chat: Sequence[Message], template_hash: str = "") -> Prompt:
        """Render the messages and open the assistant's turn; `template_hash` is that of the suite's template."""
        text = self._prompt_text(chat)
        return Prompt(
            text=text, ids=tuple(self._prompt_ids(text)), template_hash=digest(template_hash + self.template_digest)
        )

    def opening(self, answer: str) -> int:
        """Return the first token id of an answer at the start of the assistant's turn."""
        return self._encode(answer)[0]

    def training(self, chat: Sequence[Message]) -> tuple[list[int], list[int]]:
        """Return token ids and loss mask of a conversation, both of shape (tokens,).

        The mask is 1 on assistant content and the token that closes it, 0 elsewhere. Segments are tokenised separately,
        so no token spans the border between prompt and answer; the mask follows lengths, never token ids.

        Raises UserError for a chat without an answer, and UntrainableTurns.
        """
        ids: list[int] = []
        mask: list[int] = []
        done = ""
        end = self._turn_end if self._turn_end is not None else self.tokenizer.eos_token_id
        end_text = str(self.tokenizer.convert_ids_to_tokens(end))
        for turn, message in enumerate(chat):
            if message["role"] != "assistant":
                continue
            text = self._prompt_text(chat[:turn])
            if not text.startswith(done):
                raise UntrainableTurns(
                    f"the chat template rewrites earlier turns, so message {turn + 1} cannot be trained as it is "
                    "served. Remove white space around the answers before it, or use one assistant answer per row"
                )
            before = self._encode(text[len(done) :]) if done else self._prompt_ids(text)
            answer = [*self._encode(message["content"]), end]
            if early := set(answer[:-1]).intersection(self.stop_ids):
                ends = ", ".join(self.tokenizer.convert_ids_to_tokens(sorted(early)))
                raise UntrainableTurns(
                    f"message {turn + 1} has {ends}, which ends an answer: what follows would never be generated, and "
                    "the chat template writes the end itself. Remove it"
                )
            ids += before + answer
            mask += [0] * len(before) + [1] * len(answer)
            done = text + message["content"] + end_text
        if not ids:
            raise UserError("a training row needs at least one assistant message")
        return ids, mask

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of generated ids, without special tokens."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))


class PlainRenderer:
    """Token ids without a tokenizer: the UTF-8 bytes of the messages. For the fake engine only."""

    stop_ids: tuple[int, ...] = ()
    max_positions = 1 << 30

    def prompt(self, chat: Sequence[Message], template_hash: str = "") -> Prompt:
        """Render messages as `role: content` lines; ids are bytes."""
        text = "\n".join(f"{m['role']}: {m['content']}" for m in chat)
        return Prompt(text=text, ids=tuple(text.encode()), template_hash=digest(template_hash))

    def opening(self, answer: str) -> int:
        """Return the first id of an answer."""
        return answer.encode()[0]


Rendering = Renderer | PlainRenderer
