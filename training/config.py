"""The settings of a training configuration, table by table."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct, field

ALL_LINEAR: Literal["all-linear"] = "all-linear"


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    train: list[str]
    """Training rows: JSONL, CSV or Parquet files, folders of them, or data sets of the hub as
    `hf:owner/name@COMMIT#SPLIT`. `#SPLIT` may follow a folder, too."""
    validation: list[str] = field(default_factory=list)
    """Validation rows, as `train`; they choose the best adapter."""
    streaming: bool = False
    """Read hub data sets row by row instead of downloading them first; with `rows`, only the first so many rows of each
    table are read."""
    max_length: int = 2048
    """Most tokens of one row; a longer row loses the middle of its prompt, never of its answer."""
    suites: list[str] = field(default_factory=list)
    """Folders of suites that no row may hold text of; none named: those in `evalsuites` next to this file or
    above it, or in the working directory."""
    allow_contaminated: str | None = None
    """Why rows that do may stay; the run records it."""
    rows: int | None = None
    """Use only so many training rows, drawn by train.seed; a smaller number is part of a larger one."""


class Model(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    quantise: Literal["none", "nf4"] = "none"
    """`nf4` holds the frozen linear layers in 4 bits (QLoRA): less memory, slower, and another base than the 16-bit
    one."""
    quant_storage: Literal["uint8", "bfloat16"] = "uint8"
    """Number format that packs the 4-bit values; FSDP needs bfloat16. No value changes with it."""


class Lora(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    r: int = 16
    """Rank of the adapter."""
    alpha: float = 32.0
    """The adapter is scaled by alpha / r."""
    rslora: bool = False
    """Scale by alpha / sqrt(r) instead (rsLoRA, arXiv 2312.03732)."""
    dora: bool = False
    """Learn each output's magnitude apart from its direction (DoRA, arXiv 2402.09353); slower."""
    rank_pattern: dict[str, int] = field(default_factory=dict)
    """Other ranks by layer name, or by the end of one; PEFT reads it as a regular expression."""
    alpha_pattern: dict[str, float] = field(default_factory=dict)
    """Other alphas by layer name, as in rank_pattern."""
    dropout: float = 0.0
    """Share of adapter inputs that are dropped while training."""
    target_modules: Literal["all-linear"] | list[str] = ALL_LINEAR
    """Names of the layers that get an adapter, or `all-linear`: every linear layer but the output head."""
    target_parameters: list[str] = field(default_factory=list)
    """Ends of the names of bare parameters that get an adapter too: the experts of a mixture."""
    modules_to_save: list[str] = field(default_factory=list)
    """Names of modules that are trained whole and saved with the adapter."""


class Optim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lr: float = 2e-4
    """Highest learning rate."""
    weight_decay: float = 0.0
    """AdamW's decoupled decay of the adapter's weights."""
    warmup_ratio: float = 0.03
    """Share of the steps over which the rate rises to `lr`."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the rate falls after the warm-up."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm; 0 leaves them as they are."""


class Train(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    rows_per_step: int = 8
    """Rows behind one weight update, whatever the number of devices."""
    epochs: float = 1.0
    """Passes over the training rows; not used where max_steps is set."""
    max_steps: int | None = None
    """Weight updates in all."""
    seed: int = 0
    """Seed of the adapter's first weights, of the order of rows and of dropout."""
    validate_every: int = 50
    """Steps between two validations; the last step is always validated."""
    patience: int = 0
    """Stop after this many validations without a new best; 0 never stops."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Number format of the frozen base; the adapter is always float32. `auto`: bfloat16 where the processor is fast
    at it."""
    pack_tokens: int = 1024
    """Short rows of a step share one forward pass up to this many tokens, each blind to the others; 0: one by one."""
    share_prefix: bool = True
    """Tokens that all rows of a step begin with are computed once for each forward pass."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    """Compute layers again in the backward pass instead of keeping them: less memory, a third slower. `auto`: only
    where the estimate says that the training does not fit without."""
    compile: bool = False
    """Let torch.compile fuse what a layer computes; the first steps take a minute or more."""
    peak_tflops: float | None = None
    """Most 1e12 FLOPs a second of one device in `dtype`, for the MFU; known cards need none."""


class ValidationQuestions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    suite: str = ""
    """Folder of the suite whose prompt and scorers are used; none named: nothing is asked."""
    cases: list[str] = field(default_factory=list)
    """JSONL files of validation cases; never the suite's own, which are its test."""
    metric: str = ""
    """Metric of the suite."""


class Output(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dir: str = "runs"
    """Folder of the run folders."""
    name: str = "train"
    """Short name in the run folder's name."""
    serve: Literal["auto", "lora", "merge"] = "auto"
    """How the adapter will be served: `lora` refuses what vLLM cannot serve as LoRA, `auto` says what it must merge."""


class Records(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    trackers: list[Literal["tensorboard", "mlflow"]] = field(default_factory=list)
    """Also show the training there; the run folder's plain files are always written."""


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training configuration; every path is absolute."""

    base: str
    """Checkpoint to adapt: hub id, model folder or alias."""
    data: Data
    """Rows to train on, and what they may not hold."""
    model: Model = field(default_factory=Model)
    """Number format of the base's frozen layers."""
    lora: Lora = field(default_factory=Lora)
    """The adapter: its size, its kind, and the layers that get one."""
    optim: Optim = field(default_factory=Optim)
    """AdamW and its learning rate."""
    train: Train = field(default_factory=Train)
    """The loop: steps, seed, validation, memory and speed."""
    select: ValidationQuestions = field(default_factory=ValidationQuestions)
    """Cases answered at every validation; their metric chooses the adapter, not the validation loss."""
    forgetting: ValidationQuestions = field(default_factory=ValidationQuestions)
    """General cases answered at every validation, to see what tuning takes away; they choose nothing."""
    output: Output = field(default_factory=Output)
    """Where the run folder goes."""
    records: Records = field(default_factory=Records)
    """Where else the training is shown."""


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
