"""Structs of evaluation requests: from a case and a checkpoint to a completion."""

from typing import Any, Literal

from msgspec import Struct, field

BASELINE = "baseline"
CANDIDATE = "tuned"
FLOOR = "keyword_floor"
"""Names of the variants that answer the cases."""
ACCEPTED = "accepted"
"""Given for a baseline: each suite's own baseline.json."""
OPENING, CLOSING = "<think>", "</think>"
"""What models write around reasoning that leads an answer."""


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question with its right answer: a line of cases.jsonl."""

    id: str
    """Stable name, unique in its suite; runs are joined on it."""
    input: dict[str, str]
    """Variables of the prompt template; `document` is the source that an answer must be grounded in."""
    expected: list[str]
    """The right answer as its scorers define it: the clause types present, or the accepted answers. [] means none."""
    cluster: str
    """The contract (or other source) the case comes from; cases of one cluster share errors."""
    tags: dict[str, str] = field(default_factory=dict)
    """Slice names to slice values, and other labels that case tests select on."""

    @property
    def document(self) -> str:
        """The source text that an answer must be grounded in, or the empty string."""
        return self.input.get("document", "")


class Sampling(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an answer is decoded, and what constrains it."""

    max_tokens: int
    """Maximum tokens of an answer."""
    temperature: float = 0.0
    """0 is greedy."""
    seed: int = 0
    """Seed of the request; repeats add their index to it."""
    stop_ids: tuple[int, ...] = ()
    """Token ids that end an answer; all end-of-sequence ids of the model."""
    logprobs: bool = False
    """Return the log probability of each generated token, as for the canary."""
    logprob_ids: tuple[int, ...] = ()
    """Token ids whose log probabilities at the first generated position are returned: the options of a question."""
    choice: tuple[str, ...] = ()
    """Texts, one of which the answer must be; empty for no constraint."""
    json_schema: str = ""
    """JSON text of a schema that the answer must fit; empty for no constraint. Models write fields in its order."""

    def __post_init__(self) -> None:
        if self.choice and self.json_schema:
            raise ValueError("an answer is constrained by a choice or a JSON schema, not both")

    @property
    def structure(self) -> dict[str, Any]:
        """The constraint on the answer, in vLLM's form; {} without one."""
        if self.choice:
            return {"choice": list(self.choice)}
        return {"json": self.json_schema} if self.json_schema else {}


class Prompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rendered question, as every engine receives it."""

    text: str
    """The text after the chat template."""
    ids: tuple[int, ...]
    """Token ids of `text`; every engine, and every variant with the same tokenizer and chat template, receives them."""
    template_hash: str
    """Hash of the suite's template and the model's chat template together."""


class Checkpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Anything that answers: the user's name for it, and the digests of its content."""

    name: str
    """What the user wrote: hub id, folder or alias."""
    kind: Literal["model", "adapter", "endpoint", "scripted", "accepted", "imported"]
    """A whole model, a PEFT adapter over a base model, a model behind a server, a rule that answers without a model,
    the accepted scores of one, or one whose answers another tool logged."""
    path: str
    """Absolute folder of the model; for an adapter, of its base model; for an endpoint, of the tokenizer that renders
    its prompts; empty when scripted."""
    adapter_path: str | None = None
    """Absolute folder of the adapter; for an endpoint, of one whose tokenizer renders its prompts."""
    digest: str
    """Content digest of weights, adapter and tokenizer: equal digests mean equal answers. Where a server answers, `pin`
    says what the digest is worth; pinned by `name`, it is of name and tokenizer, and says nothing of answers. Of
    an imported model, it is of its name and the log."""
    base_digest: str = ""
    """Content digest of the model folder alone."""
    adapter_digest: str | None = None
    """Content digest of adapter_config.json and adapter_model.safetensors."""
    tokenizer_digest: str = ""
    """Content digest of tokenizer and chat template."""
    pinned_by: Literal["digest", "server process", "trusted canary", "name"] | None = None
    """How the digest is known to be of the weights that answered; `pin` reads it. None in runs of older versions."""
    unpinned_because: str = ""
    """Why a server's process does not pin the weights; empty where it does, or where no server answered."""

    @property
    def pin(self) -> str:
        """What ties the answers to the digest. `digest`: tunegate loaded these bytes. `server process`: a server on
        this machine loaded these bytes, which did not change after it started. `trusted canary`: the user says that
        the server has these bytes (`--trust-server`), and the canary's answers did not change. `name`: nothing; the
        digest is of a name.
        """
        return self.pinned_by or ("name" if self.kind == "endpoint" else "digest")

    @property
    def no_merge(self) -> str:
        """What keeps a run with its answers from approving a merge; empty where nothing does."""
        if self.kind == "imported":
            return f"has answers that were {self.unpinned_because}, not generated here"
        if self.kind == "scripted":
            return "has the answers of a script, not of a model"
        return f"used a server with unknown weights ({self.name})" if self.pin == "name" else ""

    @property
    def is_known_by_content(self) -> bool:
        """The digest is of the weights that answer: tunegate, or a server's process here, loaded these bytes."""
        return self.pin in ("digest", "server process")


class Request(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question to one variant, in the form for engines."""

    key: str
    """Digest of weights, adapter, engine and version, ids, sampling and repeat: the answer cache's key."""
    ids: tuple[int, ...]
    """Prompt token ids."""
    sampling: Sampling
    """How to decode."""
    variant: str
    """`baseline`, `tuned` or a name; resolves to a Checkpoint."""


class Completion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The result of one request: a text, or the reason why there is none."""

    key: str
    """The request it answers."""
    text: str
    """The generated text, never altered."""
    finish_reason: Literal["stop", "length", "error"]
    """`stop`: an end token; `length`: cut at max_tokens; `error`: no usable answer."""
    prompt_tokens: int
    """Tokens of the prompt."""
    output_tokens: int
    """Tokens generated."""
    latency_ms: float | None = None
    """Wall time of this request where the engine knows it."""
    output_ids: tuple[int, ...] = ()
    """Generated token ids; filled for requests that ask for logprobs."""
    logprobs: tuple[float, ...] = ()
    """Natural log probability of each generated token; empty unless requested."""
    option_logprobs: tuple[float, ...] = ()
    """Natural log probability of each of the request's `logprob_ids`, in their order; empty unless requested."""
    error: str | None = None
    """What went wrong, set exactly when finish_reason is `error`."""

    @property
    def answer(self) -> str:
        """The text without the reasoning that leads it: what is scored, judged and shown, and what offsets are in.

        A chat template may have opened the block in the prompt. A block that is never closed leaves no answer.
        """
        text, (before, closed, rest) = self.text.lstrip(), self.text.partition(CLOSING)
        if not text.startswith(OPENING):
            if not closed or OPENING in before:
                return self.text
            text = rest.lstrip()
        while text.startswith(OPENING):
            text = text[len(OPENING) :].partition(CLOSING)[2].lstrip()
        return text

    @property
    def reasoning(self) -> str:
        """What leads the answer in the text, tags included; empty where a block holds nothing."""
        lead = self.text.removesuffix(self.answer)
        return lead if lead.replace(OPENING, "").replace(CLOSING, "").strip() else ""
