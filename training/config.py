"""The settings of a training configuration, table by table."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct, field

ALL_LINEAR: Literal["all-linear"] = "all-linear"


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    train: list[str]
    """Training rows: JSONL, JSON, CSV or Parquet files, folders of them, or data sets of the hub as
    `hf:owner/name@COMMIT#SPLIT`. `#SPLIT` may follow a folder, too."""
    validation: list[str] = field(default_factory=list)
    """Validation rows, as `train`; they select the best adapter."""
    streaming: bool = False
    """Read hub data sets row by row instead of downloading them first; with `rows`, only that many rows of each table
    are read, from its start."""
    max_length: int = 2048
    """Maximum tokens per row; a longer row loses the middle of its prompt, never of its answer."""
    suites: list[str] = field(default_factory=list)
    """Folders of suites whose cases no row may contain, with those of [select] and [forgetting]. Default: `evalsuites`
    next to this file or above it, or in the working directory."""
    allow_contaminated: str | None = None
    """Reason to keep rows that contain such cases; the run records it."""
    rows: int | None = None
    """Number of training rows to use, drawn by train.seed; a smaller draw is a subset of a larger one."""


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    quantise: Literal["none", "nf4"] = "none"
    """`nf4` holds the frozen linear layers in 4 bits (QLoRA, arXiv 2305.14314): less memory, slower, and a different
    base than the 16-bit one."""
    quant_storage: Literal["uint8", "bfloat16"] = "uint8"
    """Number format that packs the 4-bit values; FSDP needs bfloat16. It changes no value."""


class Lora(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    r: int = 16
    """Rank of the adapter."""
    alpha: float = 32.0
    """The adapter is scaled by alpha / r."""
    rslora: bool = False
    """Scale by alpha / sqrt(r) instead (rsLoRA, arXiv 2312.03732)."""
    dora: bool = False
    """Learn the magnitude of each output separately from its direction (DoRA, arXiv 2402.09353); slower."""
    rank_pattern: dict[str, int] = field(default_factory=dict)
    """Ranks by layer name or its end, in place of `r`; PEFT reads the keys as regular expressions."""
    alpha_pattern: dict[str, float] = field(default_factory=dict)
    """Alphas by layer name, in place of `alpha`, as in rank_pattern."""
    dropout: float = 0.0
    """Share of adapter inputs that are dropped during training."""
    target_modules: Literal["all-linear"] | list[str] = ALL_LINEAR
    """Names of the layers that get an adapter, or `all-linear`: every linear layer but the output head."""
    target_parameters: list[str] = field(default_factory=list)
    """Ends of the names of bare parameters that get an adapter too: the experts of a mixture."""
    modules_to_save: list[str] = field(default_factory=list)
    """Names of modules that are trained in full and saved with the adapter."""


class Optim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lr: float = 2e-4
    """Peak learning rate."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay of the adapter (arXiv 1711.05101)."""
    warmup_ratio: float = 0.03
    """Share of the steps over which the rate rises to `lr`."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the rate falls after the warm-up."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm; 0 disables clipping."""


class Train(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rows_per_step: int = 8
    """Rows per weight update, over all devices."""
    epochs: float = 1.0
    """Passes over the training rows; ignored if max_steps is set."""
    max_steps: int | None = None
    """Total number of weight updates."""
    seed: int = 0
    """Seed of the adapter's initial weights, the order of rows and dropout."""
    validate_every: int = 50
    """Steps between two validations; the last step is always validated."""
    patience: int = 0
    """Stop after this many validations without improvement; 0 never stops."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the frozen base; the adapter is always float32. `auto`: bfloat16 where the hardware is fast
    with it."""
    pack_tokens: int = 1024
    """Rows of a step are packed into forward passes of at most this many tokens, without seeing each other; 0: no
    packing."""
    share_prefix: bool = True
    """Compute a prefix that rows of a step share once per forward pass."""
    group_prefix: bool = False
    """Fill a step with rows that begin with the same 32 tokens, so that more of them share a prefix: faster where a
    task has few instructions. Replay rows whose probabilities are learnt are spread over all steps."""
    replay: Literal["probabilities", "answers"] = "probabilities"
    """What is learnt from rows with `"source": "replay"`: the base model's probabilities of each next token of the
    answer (learning without forgetting, arXiv 1606.09282), after the turns in the row's `base_context` if there are
    any, or the answer, as from other rows."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    """Recompute layers in the backward pass instead of storing them: less memory, a third slower. `auto`: only if
    training is not expected to fit without."""
    compile: bool = False
    """Compile the feed-forward layers with torch.compile; the first steps take a minute or more."""
    peak_tflops: float | None = None
    """Peak TFLOP/s of one device in `dtype`, for the MFU; not needed for known GPUs."""


class ValidationQuestions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    suite: str = ""
    """Folder of the suite with prompt and scorers; empty for no validation cases."""
    cases: list[str] = field(default_factory=list)
    """JSONL files of validation cases; never the suite's own, which are its test cases."""
    metric: str = ""
    """Metric of the suite."""


class Output(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dir: str = "runs"
    """Folder of the run folders."""
    name: str = "train"
    """Short name, which becomes part of the run folder's name."""
    serve: Literal["auto", "lora", "merge"] = "auto"
    """How the adapter will be served: `lora` refuses settings that vLLM cannot serve as LoRA, `auto` warns if the
    adapter must be merged."""


class Records(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    trackers: list[Literal["tensorboard", "mlflow", "wandb"]] = field(default_factory=list)
    """Also log there; the run folder's plain files are always written."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training configuration; every path is absolute."""

    base: str
    """Checkpoint to adapt: hub ID, model folder or alias."""
    data: Data
    """Training and validation rows, and the contamination check."""
    model: Model = field(default_factory=Model)
    """Number format of the base's frozen layers."""
    lora: Lora = field(default_factory=Lora)
    """The adapter: size, variant, and the layers that get one."""
    optim: Optim = field(default_factory=Optim)
    """AdamW and its learning rate."""
    train: Train = field(default_factory=Train)
    """The loop: steps, seed, validation, memory and speed."""
    select: ValidationQuestions = field(default_factory=ValidationQuestions)
    """Cases answered at every validation; their metric selects the adapter, in place of the validation loss."""
    forgetting: ValidationQuestions = field(default_factory=ValidationQuestions)
    """General cases answered at every validation, to measure forgetting; they do not affect the selection."""
    output: Output = field(default_factory=Output)
    """Where the run folder is written."""
    records: Records = field(default_factory=Records)
    """Trackers to log to."""


def fingerprint(config: Config) -> dict[str, Any]:
    """Return a flat mapping of `table.key` to the values that a resumed run must share: all but output and records."""
    tables: dict[str, Any] = msgspec.to_builtins(config)
    tables.pop("output")
    tables.pop("records")
    flat: dict[str, Any] = {"base": tables.pop("base")}
    for name, table in tables.items():
        flat |= {f"{name}.{key}": value for key, value in table.items()}
    return flat


def question_tables(config: Config) -> dict[str, ValidationQuestions]:
    """Return the tables that name validation cases to answer during training."""
    return {"select": config.select, "forgetting": config.forgetting}
