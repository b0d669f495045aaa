"""Reads a training configuration and refuses it whole, with every problem at once. Opens no weight file.

Paths are relative to the TOML file. Checks against the model need its config.json alone and lie in model_checks.py.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec import Struct, field

from harness.errors import UserError, refuse_all

ALL_LINEAR: Literal["all-linear"] = "all-linear"
BESIDE = "Paths are relative to the TOML file"


class Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    train: list[str]
    """JSONL files of training rows."""
    validation: list[str] = field(default_factory=list)
    """JSONL files of validation rows; they choose the best adapter."""
    max_length: int = 2048
    """Most tokens of one row; a longer row loses the middle of its prompt, never of its answer."""
    suites: list[str] = field(default_factory=list)
    """Folders of suites that no row may hold text of; none named: those of the project."""
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


class Asked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    """Rows."""
    model: Model = field(default_factory=Model)
    """Form of the base."""
    lora: Lora = field(default_factory=Lora)
    """Adapter."""
    optim: Optim = field(default_factory=Optim)
    """Optimiser."""
    train: Train = field(default_factory=Train)
    """Loop."""
    select: Asked = field(default_factory=Asked)
    """Cases answered at every validation; their metric chooses the adapter, not the validation loss."""
    forgetting: Asked = field(default_factory=Asked)
    """General cases answered at every validation, to see what tuning takes away; they choose nothing."""
    output: Output = field(default_factory=Output)
    """Where the run folder goes."""
    records: Records = field(default_factory=Records)
    """Where else the training is shown."""


def fingerprint(config: Config) -> dict[str, Any]:
    """Flat `table.key` to value, without the tables output and records: what a resumed run must share."""
    tables: dict[str, Any] = msgspec.to_builtins(config)
    tables.pop("output")
    tables.pop("records")
    flat: dict[str, Any] = {"base": tables.pop("base")}
    for name, table in tables.items():
        flat |= {f"{name}.{key}": value for key, value in table.items()}
    return flat


Check = tuple[str, Callable[[Any], bool], str]

CHECKS: tuple[Check, ...] = (
    ("data.train", lambda v: len(v) > 0, "name at least one JSONL file"),
    ("data.max_length", lambda v: v >= 16, "set it to 16 or more"),
    ("data.allow_contaminated", lambda v: v is None or v.strip() != "", "give the reason, or leave it out"),
    ("data.rows", lambda v: v is None or v > 0, "set it to 1 or more, or leave it out to use all"),
    ("lora.r", lambda v: v > 0, "set it to 8 or 16"),
    ("lora.alpha", lambda v: v > 0, "set it to twice lora.r"),
    ("lora.dropout", lambda v: 0 <= v < 1, "set it to 0, or to 0.05 on a small dataset"),
    ("lora.rank_pattern", lambda v: all(r > 0 for r in v.values()), "set every rank to 1 or more"),
    ("lora.alpha_pattern", lambda v: all(a > 0 for a in v.values()), "set every alpha above 0"),
    ("lora.target_modules", lambda v: len(v) > 0, f'name layers, or set it to "{ALL_LINEAR}"'),
    ("optim.lr", lambda v: 0 < v < 1, "set it between 1e-4 and 1e-3"),
    ("optim.weight_decay", lambda v: 0 <= v < 1, "set it between 0 and 0.1"),
    ("optim.warmup_ratio", lambda v: 0 <= v < 1, "set it between 0 and 0.1; the warm-up must end before the steps do"),
    ("optim.max_grad_norm", lambda v: v >= 0, "set it to 1.0, or to 0 to leave gradients as they are"),
    ("train.rows_per_step", lambda v: v > 0, "set it to 8 or 16"),
    ("train.epochs", lambda v: 0 < v <= 1000, "set it to 1 or more"),
    ("train.max_steps", lambda v: v is None or v > 0, "set it to 1 or more, or leave it out and set train.epochs"),
    ("train.seed", lambda v: 0 <= v < 2**31, "set it to 0 or more"),
    ("train.validate_every", lambda v: v > 0, "set it to 1 or more"),
    ("train.patience", lambda v: v >= 0, "set it to 0 to train to the end"),
    ("train.pack_tokens", lambda v: v >= 0, "set it to 1024, or to 0 for one row at a time"),
    ("train.peak_tflops", lambda v: v is None or v > 0, "set it to the device's dense peak, or leave it out"),
    ("output.name", lambda v: any(c.isalnum() for c in v), "give the run a short name"),
)


def load(path: Path, problems_of: Callable[[Config], list[str]] | None = None) -> Config:
    """Read the file; one UserError lists every problem.

    `problems_of` adds what only the model can tell. It is asked where the file itself reads as a configuration.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Expected a training configuration in TOML") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as TOML: {error}") from None
    problems: list[str] = []
    tables = _read(Config, raw, "", problems)
    whole = _whole(tables)
    if whole is not None:
        whole = _absolute(whole, path.resolve().parent)
        problems += _missing_files(whole) + _unasked(whole)
        problems += problems_of(whole) if problems_of else []
    refuse_all([f"{path}: {p}" for p in problems], f"{path}: the training configuration cannot be used")
    assert whole is not None
    return whole


def _read(kind: type[Struct], raw: dict[str, Any], prefix: str, problems: list[str]) -> dict[str, Any]:
    """Every readable field of a table, and one problem for every other one."""
    fields = {f.name: f for f in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind)
    for key in raw:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            said = f"did you mean '{prefix}{near[0]}'?" if near else f"known: {', '.join(fields)}"
            problems.append(f"'{prefix}{key}' is unknown; {said}")
    read: dict[str, Any] = {}
    for name, about in fields.items():
        full = f"{prefix}{name}"
        if name not in raw:
            if about.required:
                problems.append(f"'{full}' is missing. {_doc(full)}")
        elif isinstance(hints[name], type) and issubclass(hints[name], Struct):
            if isinstance(raw[name], dict):
                read[name] = (hints[name], _read(hints[name], raw[name], f"{full}.", problems))
            else:
                problems.append(f"'{full}' is {raw[name]!r}; expected a table [{full}]")
        else:
            _read_value(full, raw[name], hints[name], read, problems)
    return read


def _read_value(full: str, value: Any, hint: Any, read: dict[str, Any], problems: list[str]) -> None:
    try:
        found = msgspec.convert(value, hint)
    except msgspec.ValidationError as error:
        problems.append(f"'{full}' is {value!r}: {str(error)[0].lower()}{str(error)[1:]}. {_doc(full)}".rstrip())
        return
    for name, allows, advice in CHECKS:
        if name == full and not allows(found):
            problems.append(f"'{full}' is {value!r}; {advice}")
            return
    read[full.rpartition(".")[2]] = found


def _doc(full: str) -> str:
    """What to write for a field whose value is missing or of another type."""
    advice = {
        "base": 'Name the checkpoint to adapt, such as base = "smollm2-135m-instruct"',
        "data": "Add a table [data] with train = [...]",
        "data.train": "Name the JSONL files of training rows",
    }
    return advice.get(full) or next((f"Then {text}" for name, _, text in CHECKS if name == full), "")


def _whole(tables: dict[str, Any]) -> Config | None:
    """The configuration with defaults for what could not be read, or None where a required field is not there."""
    try:
        built = {k: v[0](**v[1]) if isinstance(v, tuple) else v for k, v in tables.items()}
        return Config(**built)
    except TypeError:
        return None


def _absolute(config: Config, folder: Path) -> Config:
    def near(text: str) -> str:
        return str(folder / Path(text).expanduser())

    data = msgspec.structs.replace(
        config.data, **{key: [near(t) for t in getattr(config.data, key)] for key in ("train", "validation", "suites")}
    )
    beside = folder / Path(config.base).expanduser()
    base = str(beside.resolve()) if beside.is_dir() else config.base
    output = msgspec.structs.replace(config.output, dir=near(config.output.dir))
    asked = {
        name: msgspec.structs.replace(
            table, suite=table.suite and near(table.suite), cases=[near(file) for file in table.cases]
        )
        for name, table in asked_tables(config).items()
    }
    return msgspec.structs.replace(config, base=base, data=data, output=output, **asked)


def asked_tables(config: Config) -> dict[str, Asked]:
    """The tables that name cases to answer while training."""
    return {"select": config.select, "forgetting": config.forgetting}


def _missing_files(config: Config) -> list[str]:
    problems = []
    for key in ("train", "validation"):
        for file in getattr(config.data, key):
            if not Path(file).is_file():
                problems.append(f"'data.{key}' names {file}, which is no file. {BESIDE}")
    for suite in config.data.suites:
        if not Path(suite).exists():
            problems.append(f"'data.suites' names {suite}, which is not there. {BESIDE}")
    return problems


def _unasked(config: Config) -> list[str]:
    """What is missing in a table that names cases to answer."""
    problems = []
    for name, table in asked_tables(config).items():
        if not table.suite and (table.cases or table.metric):
            problems.append(f"'{name}.suite' is missing; name the folder of the suite that scores '{name}.cases'")
        if table.suite and not Path(table.suite).exists():
            problems.append(f"'{name}.suite' names {table.suite}, which is not there. {BESIDE}")
        if table.suite and not table.cases:
            problems.append(f"'{name}.cases' is missing; name JSONL files of validation cases")
        if table.suite and not table.metric:
            problems.append(f"'{name}.metric' is missing; name a metric of the suite")
        problems += [
            f"'{name}.cases' names {file}, which is no file. {BESIDE}"
            for file in table.cases
            if not Path(file).is_file()
        ]
    return problems
