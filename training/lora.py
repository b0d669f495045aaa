"""The [lora] table: PEFT's arguments, conflicts with the model, and consequences for serving."""

from __future__ import annotations

import re
from typing import Any

from harness.checkpoints.model_files import BASE_QUANTISATION
from harness.engines.vllm import adapters
from training.config import ALL_LINEAR, Config, Lora
from training.estimate.shapes import Shapes

HEAD_WORDS = adapters.EMBEDDINGS
OUTPUT_HEADS = ("lm_head", "embed_out")


def arguments(lora: Lora) -> dict[str, Any]:
    """Return the arguments of PEFT's LoraConfig, which are also the keys of adapter_config.json."""
    return {
        "r": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": lora.target_modules,
        "target_parameters": lora.target_parameters or None,
        "modules_to_save": lora.modules_to_save or None,
        "rank_pattern": dict(lora.rank_pattern),
        "alpha_pattern": dict(lora.alpha_pattern),
        "use_rslora": lora.rslora,
        "use_dora": lora.dora,
    }


def why_merged(config: Config) -> list[str]:
    """Return why vLLM cannot serve the adapter as LoRA, by the rules of every evaluation; empty if it can.

    Reasons that depend on the finished adapter's tensors are not included.
    """
    form = config.model.quantise
    return adapters.why_merged(arguments(config.lora) | ({BASE_QUANTISATION: form} if form != "none" else {}))


def consequences(config: Config, shapes: Shapes) -> list[str]:
    """Return warnings about serving and experts, for the user to read before the first step."""
    reasons = [] if config.output.serve == "merge" else why_merged(config)
    warnings = [f"the adapter must be merged before vLLM can serve it: {reason}" for reason in reasons]
    experts = [x for x in shapes.linears if x.copies > 1]
    share = sum(x.parameters for x in experts) / shapes.parameters
    if experts and not config.lora.target_parameters:
        names = ", ".join(f'"{name}"' for name in _bare(shapes))
        warnings.append(
            f"{share:.0%} of the weights are experts, which get no adapter; lora.target_parameters = [{names}] gives "
            "them one"
        )
    if experts and config.model.quantise != "none":
        warnings.append(
            f"{share:.0%} of the weights are experts, which stay bfloat16: bitsandbytes cannot quantise them"
        )
    return warnings


def problems(config: Config, shapes: Shapes) -> list[str]:
    """Return every conflict of the [lora] table with the model, with itself and with `output.serve`."""
    lora = config.lora
    conflicts = [
        *_modules(lora, shapes),
        *_parameters(lora, shapes),
        *_whole(lora, shapes.tied),
        *_patterns(lora, shapes),
    ]
    if config.output.serve == "lora":
        conflicts += [
            f"'output.serve' is lora, and the adapter cannot be served as LoRA: {reason}. Change that, or set "
            'output.serve to "merge"'
            for reason in why_merged(config)
        ]
    return conflicts


def _modules(lora: Lora, shapes: Shapes) -> list[str]:
    names = lora.target_modules
    if names == ALL_LINEAR:
        return []
    conflicts = []
    head = _heads(names)
    if shapes.tied and head:
        conflicts.append(
            f"'lora.target_modules' names {', '.join(head)}; this model ties its output head to its embeddings, and an "
            f'adapter on either breaks both when merged. Remove them, or set it to "{ALL_LINEAR}"'
        )
    exempt = {n for n in names if n.rpartition(".")[2] in OUTPUT_HEADS or (shapes.tied and n in head)}
    absent = [n for n in names if n not in exempt and not shapes.targets([n])]
    if absent:
        ends = sorted({x.name.rpartition(".")[2] for x in shapes.linears if x.own})
        conflicts.append(
            f"'lora.target_modules' names {', '.join(absent)}, which the model does not have. "
            f"Its linear layers: {', '.join(ends)}"
        )
    return conflicts


def _parameters(lora: Lora, shapes: Shapes) -> list[str]:
    bare = _bare(shapes)
    absent = [n for n in lora.target_parameters if not any(b == n or b.endswith(f".{n}") for b in bare)]
    conflicts = []
    if absent:
        existing = f"Its experts: {', '.join(bare)}" if bare else "It has no experts: leave it out"
        conflicts.append(
            f"'lora.target_parameters' names {', '.join(absent)}, which the model does not have. {existing}"
        )
    if lora.target_parameters and (lora.dropout or lora.dora):
        what = "lora.dropout" if lora.dropout else "lora.dora"
        conflicts.append(
            f"'{what}' is set with lora.target_parameters; PEFT does not support it there. Remove one of them"
        )
    return conflicts


def _whole(lora: Lora, tied: bool) -> list[str]:
    names = lora.modules_to_save
    other = [n for n in names if n not in _heads(names)]
    conflicts = []
    if other:
        conflicts.append(
            f"'lora.modules_to_save' names {', '.join(other)}; only embeddings and output head can be trained in full: "
            f"{', '.join(HEAD_WORDS)}. Name linear layers in lora.target_modules"
        )
    if tied and len(other) < len(names):
        conflicts.append(
            f"'lora.modules_to_save' names {', '.join(_heads(names))}; this model ties its output head to its "
            "embeddings, and saving one of them separately unties them. Remove them"
        )
    return conflicts


def _patterns(lora: Lora, shapes: Shapes) -> list[str]:
    adapted = [x.name for x in shapes.targets(lora.target_modules)]
    adapted += [x.name for x in shapes.linears if any(x.name.endswith(f".{n}") for n in lora.target_parameters)]
    conflicts = []
    for field in ("rank_pattern", "alpha_pattern"):
        for key in getattr(lora, field):
            try:
                layer = re.compile(rf"(.*\.)?({key})$")
            except re.error as error:
                conflicts.append(f"'lora.{field}' has the key {key!r}, which is no regular expression: {error}")
                continue
            if not any(layer.match(name) for name in adapted):
                conflicts.append(
                    f"'lora.{field}' has the key {key!r}, which matches no adapted layer. Correct its name"
                )
    return conflicts


def _bare(shapes: Shapes) -> list[str]:
    """Return the names of the experts' parameters inside a layer."""
    return sorted({re.sub(r"^.*\d+\.", "", x.name) for x in shapes.linears if x.copies > 1})


def _heads(names: list[str]) -> list[str]:
    return [n for n in names if n.rpartition(".")[2] in HEAD_WORDS]
