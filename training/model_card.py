"""The model card (README.md) of an adapter or a merged model: base, data, settings, results, verdict, limits.

The front matter follows the hub's specification (huggingface.co/docs/hub/model-cards). A later verdict replaces only
the sentence between two marks, so text that people add to the file stays.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.checkpoints import bundled_model, merge, quantization
from harness.checkpoints.model_files import CheckpointFolder
from harness.checkpoints.resolve import HUB_ID
from harness.errors import UserError
from harness.evaluation.seen_cases import doubts
from harness.files import write_atomic
from harness.formatting import markdown_table, phrase, with_interval
from harness.runs.folder import RunData
from harness.schema import BASELINE, Checkpoint
from harness.suites.tables import HUB, parted
from training.config import Data
from training.data.rows import FLOOR_ROWS, count_rows, source_sha256

CARD = "README.md"
CURVE = "loss_curve.svg"
BEGIN, END = "<!-- verdict -->", "<!-- end of verdict -->"
NOT_JUDGED = "Not judged yet: no evaluation has scored exactly these weights."
LICENCE_KEYS = ("license", "license_name", "license_link")
DATA_CARDS = ("data_card.md", CARD)


def write_adapter_card(run: RunData) -> Path:
    """Write the card of a finished training run next to its adapter, with its loss curve; return its path."""
    folder = run.path / "adapter"
    record, base = run.manifest.training or {}, run.manifest.checkpoints[BASELINE]
    quantised = record["config"]["model"]["quantise"] != "none"
    head = front_matter(base, "peft", "adapter", ["lora", *(["qlora"] if quantised else [])])
    parts = [head, f"# {record['name']}: a LoRA adapter\n", _verdict(NOT_JUDGED), _base(base, quantised)]
    parts += [*_training(run, folder, folder), _serving(record["serving"])]
    if quantised:
        parts.append("On the 16-bit base its answers differ.\n")
    parts.append(_limits(record, base))
    return _write(folder / CARD, parts)


def write_merged_card(
    checkpoint: Checkpoint,
    folder: Path,
    facts: merge.MergeFacts,
    parity: str,
    approval: str,
    run: RunData | None,
    place: Path,
) -> Path:
    """Write the card of a merged model and return its path; its links are for the folder `place`, where it will be.

    `approval` is the reason for the merge, `parity` the summary of the parity report, and `run` the training run of the
    adapter, if it is known.
    """
    name = CheckpointFolder(checkpoint.adapter_path or "").adapter_config["base_model_name_or_path"]
    base = Checkpoint(name=name, kind="model", path=checkpoint.path, digest=facts.base_digest)
    record = run.manifest.training or {} if run else {}
    quantised = facts.base_quantisation == quantization.NF4
    parts = [front_matter(base, "transformers", "finetune", ["lora", "merged"])]
    parts += [f"# {record.get('name') or Path(checkpoint.adapter_path or '').name}, merged\n", _verdict(NOT_JUDGED)]
    parts.append(
        f"## Merge\n\nAdapter: {approval}\n\n"
        f"- adapter content {facts.adapter_digest}\n- base content {facts.base_digest}\n"
        f"- weights: {facts.dtype}, summed in float32 and cast once"
        f"{', on the dequantised NF4 base' if quantised else ''}\n"
        f"- changed: {facts.changed_tensors} of {facts.tensors} tensors\n- parity: {parity}\n\n"
        "A merged model differs slightly from its adapter. Judge it by its own scores.\n"
    )
    parts.append(_base(base, quantised))
    if run is not None:
        parts += _training(run, folder, place)
    return _write(folder / CARD, [*parts, _limits(record, base)])


def update(checkpoint: Checkpoint, verdict: str | None) -> Path:
    """Replace the verdict in the card of these weights.

    Raises UserError for a card that tunegate did not write, that is not UTF-8, or that the disk refuses.
    """
    file = Path(checkpoint.adapter_path or checkpoint.path) / CARD
    try:
        text = file.read_text("utf-8") if file.is_file() else ""
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 ({error.reason} at byte {error.start}). Save it as UTF-8") from None
    if BEGIN not in text or END not in text:
        raise UserError(
            f"{file}: not a model card of tunegate, so it has no place for a verdict. Expected the lines {BEGIN} and "
            f"{END}"
        )
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    write_atomic(file, f"{before}{_marked(verdict or NOT_JUDGED)}{after}", "Free space, or allow writing")
    return file


def data_facts(data: Data) -> dict[str, list[dict[str, Any]]]:
    """Return the facts that a run records about its data: path, rows, hash, and the data card next to or in each.

    A hub data set that is streamed is not read again to count its rows.
    """
    return {key: [_file_facts(file, data.streaming) for file in getattr(data, key)] for key in ("train", "validation")}


def _file_facts(file: str, streaming: bool) -> dict[str, Any]:
    path, on_hub = Path(parted(file)[0]), file.startswith(HUB)
    folder = path if path.is_dir() else path.parent
    cards = [] if on_hub else [path.with_suffix(".md"), *(folder / name for name in DATA_CARDS)]
    card = next((str(found) for found in cards if found.is_file()), None)
    rows = None if on_hub and streaming else count_rows([file], streaming)
    return {"file": file, "rows": rows, "sha256": source_sha256(file), "card": card}


def front_matter(base: Checkpoint, library: str, relation: str, tags: Iterable[str]) -> str:
    """Render the YAML front matter of a card. A base that is not on the hub is not named in it."""
    fields: dict[str, Any] = dict(licence_of(base))
    name = bundled_model.SOURCE if base.name == bundled_model.EMBEDDED else base.name
    if HUB_ID.fullmatch(name) and not Path(name).exists():
        fields |= {"base_model": name, "base_model_relation": relation}
    fields |= {"library_name": library, "pipeline_tag": "text-generation", "tags": [*tags, "tunegate"]}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---\n"])


def licence_of(base: Checkpoint) -> dict[str, str]:
    """Return the licence fields of the base's own card, or `unknown`, which the hub accepts, if it has none."""
    if base.name == bundled_model.EMBEDDED:
        return {"license": bundled_model.LICENCE}
    import yaml

    card = Path(base.path) / CARD
    text = card.read_text("utf-8-sig", "replace") if card.is_file() else ""
    front_matter = re.match(r"---\n(.*?)\n---", text, re.DOTALL)
    try:
        head = yaml.safe_load(front_matter.group(1)) if front_matter else {}
    except (yaml.YAMLError, ValueError):  # PyYAML raises ValueError for a date that does not exist.
        head = {}
    fields = {key: str(head[key]) for key in LICENCE_KEYS if isinstance(head, dict) and head.get(key)}
    return fields if "license" in fields else {"license": "unknown"}


def _marked(sentence: str) -> str:
    return f"{BEGIN}\n{sentence}\n{END}"


def _verdict(sentence: str) -> str:
    return f"## Verdict\n\n{_marked(sentence)}\n"


def _base(base: Checkpoint, quantised: bool) -> str:
    licence = licence_of(base)["license"]
    stated = "not stated next to the base: look it up before sharing" if licence == "unknown" else licence
    name = base.name if HUB_ID.fullmatch(base.name) else Path(base.name).name
    held = ", held in NF4 with double quantisation while training" if quantised else ""
    content = base.base_digest or base.digest
    return f"## Base\n\n`{name}`{held}, content {content}.\nLicence of the base: {stated}.\n"


def _training(run: RunData, folder: Path, place: Path) -> list[str]:
    """Render data, settings and results of a run for a card that will be in `place`; copy its curve to `folder`."""
    record = run.manifest.training or {}
    if (run.path / CURVE).is_file():
        shutil.copyfile(run.path / CURVE, folder / CURVE)
    files = [
        (
            use,
            Path(f["file"]).name,
            f["rows"] or "not counted",
            f["sha256"],
            _link(f["card"], place) if f["card"] else "none",
        )
        for use, files_of_use in record["data"].items()
        for f in files_of_use
    ]
    settings = {k: v for k, v in record["fingerprint"].items() if "." in k and v not in ({}, [])}
    settings |= {"dtype": record["dtype"], "device": record["device"]}
    return [
        "## Data\n\n" + _table(("use", "file", "rows", "sha256", "data card"), files),
        "## Settings\n\n" + _table(("setting", "value"), settings.items()),
        f"## Results\n\n{_table(('figure', 'value'), _results(run).items())}\n![loss by step]({CURVE})\n",
    ]


def _results(run: RunData) -> Mapping[str, Any]:
    record = run.manifest.training or {}
    losses = [row["loss"] for row in run.train_log if "loss" in row]
    best, lowest = record["best_step"], record["best_validation_loss"]
    results = {
        "steps": f"{record['steps']} of {record['steps_planned']}",
        "selected step": f"{best if best is not None else record['steps']} ({record['chosen_by']})",
        "validation loss, nats per answer token": "none measured" if lowest is None else f"{lowest:.4f}",
        "training loss of the first and the last step": f"{losses[0]:.4f}, {losses[-1]:.4f}",
        "trained parameters": f"{record['trainable_parameters']:,}",
        "tokens per second": f"{record['rates']['tokens_per_s']:,.0f}",
        "seconds": f"{record['wall_s']:,.0f}",
        "peak memory, MiB": f"{record['peak_memory_mib']:,}",
    }
    results |= _case_metrics(record)
    if "diagnosis" in record:
        results["diagnosis"] = record["diagnosis"]["name"]
    return results


def _case_metrics(record: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the metrics of validation cases, of the base model and of the selected adapter."""
    forgetting = record.get("forgetting") or {}
    results = {}
    for use, metric in (("validation cases", record.get("selection")), ("general cases", forgetting.get("cases"))):
        if metric:
            name = f"{phrase(metric['metric'])} on {metric['cases']} {use} of {metric['suite']}"
            results[name] = f"base model {_value(metric, 'before')}, saved adapter {_value(metric, 'best')}"
    if forgetting.get("before") is not None and forgetting.get("after") is not None:
        results["loss on general text, nats per token"] = f"{forgetting['before']:.4f} to {forgetting['after']:.4f}"
    return results


def _value(metric: Mapping[str, Any], when: str) -> str:
    found = metric[when] or {}
    return with_interval(found.get("value"), found.get("low"), found.get("high"), metric.get("is_share", False))


def _link(file: str, folder: Path) -> str:
    return f"[{Path(file).name}]({quote(os.path.relpath(file, folder))})"


def _serving(serving: Mapping[str, Any]) -> str:
    """Render how the finished adapter can be served."""
    if serving["way"] == "lora":
        return f"## Serving\n\nvLLM serves it as LoRA with max_lora_rank {serving['max_lora_rank']}.\n"
    reasons = "".join(f"- {reason}\n" for reason in serving["reasons"])
    return f"## Serving\n\nMerge it first (`tunegate merge`):\n\n{reasons}"


def _limits(record: Mapping[str, Any], base: Checkpoint) -> str:
    """Render the model's limits; all but the first two follow from the record."""
    limits = [
        "A loss is not a score. Only the verdict above measures the model on its task, and nothing here measures it on "
        "other tasks.",
        "It keeps the limits and biases of its base, and it can state things that are false.",
    ]
    rows = (record.get("train") or {}).get("rows")
    if rows is not None and rows < FLOOR_ROWS:
        limits.append(f"It was trained on {rows:,} rows; at least {FLOOR_ROWS:,} are recommended.")
    if record and not record.get("validation"):
        limits.append("There were no validation rows, so its loss on unseen rows is unknown.")
    if (record.get("train") or {}).get("rows_cut"):
        limits.append(f"{record['train']['rows_cut']:,} rows were too long and lost the middle of their prompts.")
    limits += doubts(record.get("contamination") if record else {})
    if base.name == bundled_model.EMBEDDED:
        limits.append("Its base is a 4-bit-rounded copy of the published weights, which has other scores.")
    return "## Limits\n\n" + "".join(f"- {text}\n" for text in limits)


def _table(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows)
    return "\n".join([*markdown_table(head, cells), ""])


def _write(file: Path, parts: Iterable[str]) -> Path:
    file.write_text("\n".join(parts), "utf-8")
    return file
