"""What a [lora] table means: to PEFT, to the model it is put on, and to who serves the adapter. Loads no weight."""

from __future__ import annotations

import re
from typing import Any

from harness.checkpoints import quantization
from harness.engines.vllm import adapters
from training.config import ALL_LINEAR, Config, Lora
from training.estimate.shapes import Shapes

HEAD_WORDS = adapters.EMBEDDINGS
OUTPUT_HEADS = ("lm_head", "embed_out")


def arguments(lora: Lora) -> dict[str, Any]:
    """Arguments of PEFT's LoraConfig, which are also the words of adapter_config.json."""
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
    """Why vLLM could not serve the adapter as LoRA, by the rules that stand before every evaluation; empty if it can.

    Reasons that only the finished adapter's tensors show are not among them.
    """
    form = config.model.quantise
    return adapters.why_merged(arguments(config.lora) | ({quantization.KEY: form} if form != "none" else {}))


def consequences(config: Config, shapes: Shapes) -> list[str]:
    """What a user should know before the first step: one sentence for each thing."""
    reasons = [] if config.output.serve == "merge" else why_merged(config)
    said = [f"the adapter must be merged before vLLM can serve it: {reason}" for reason in reasons]
    experts = [x for x in shapes.linears if x.copies > 1]
    share = sum(x.parameters for x in experts) / shapes.parameters
    if experts and not config.lora.target_parameters:
        names = ", ".join(f'"{name}"' for name in _bare(shapes))
        said.append(
            f"{share:.0%} of the weights are experts, which get no adapter; lora.target_parameters = [{names}] gives "
            "them one"
        )
    if experts and config.model.quantise != "none":
        said.append(f"{share:.0%} of the weights are experts, which stay bfloat16: bitsandbytes has no 4 bits for them")
    return said


def problems(config: Config, shapes: Shapes) -> list[str]:
    """Every clash of the [lora] table with the model, with itself and with how the adapter is to be served."""
    lora = config.lora
    found = [*_modules(lora, shapes), *_parameters(lora, shapes), *_whole(lora, shapes.tied), *_patterns(lora, shapes)]
    if config.output.serve == "lora":
        found += [
            f"'output.serve' is lora, and the adapter cannot be served as LoRA: {reason}. Change that, or set "
            'output.serve to "merge"'
            for reason in why_merged(config)
        ]
    return found


def _modules(lora: Lora, shapes: Shapes) -> list[str]:
    names = lora.target_modules
    if names == ALL_LINEAR:
        return []
    found = []
    head = _heads(names)
    if shapes.tied and head:
        found.append(
            f"'lora.target_modules' names {', '.join(head)}; this model ties its output head to its embeddings, and an "
            f'adapter on either breaks both when merged. Leave them out, or set it to "{ALL_LINEAR}"'
        )
    known = {n for n in names if n.rpartition(".")[2] in OUTPUT_HEADS or (shapes.tied and n in head)}
    absent = [n for n in names if n not in known and not shapes.targets([n])]
    if absent:
        ends = sorted({x.name.rpartition(".")[2] for x in shapes.linears if x.own})
        found.append(
            f"'lora.target_modules' names {', '.join(absent)}, which the model does not have. "
            f"Its linear layers: {', '.join(ends)}"
        )
    return found


def _parameters(lora: Lora, shapes: Shapes) -> list[str]:
    bare = _bare(shapes)
    absent = [n for n in lora.target_parameters if not any(b == n or b.endswith(f".{n}") for b in bare)]
    found = []
    if absent:
        known = f"Its experts: {', '.join(bare)}" if bare else "It has no experts: leave it out"
        found.append(f"'lora.target_parameters' names {', '.join(absent)}, which the model does not have. {known}")
    if lora.target_parameters and (lora.dropout or lora.dora):
        what = "lora.dropout" if lora.dropout else "lora.dora"
        found.append(f"'{what}' is set with lora.target_parameters; PEFT has none for bare parameters. Leave one out")
    return found


def _whole(lora: Lora, tied: bool) -> list[str]:
    names = lora.modules_to_save
    other = [n for n in names if n not in _heads(names)]
    found = []
    if other:
        found.append(
            f"'lora.modules_to_save' names {', '.join(other)}; only embeddings and output head are trained whole: "
            f"{', '.join(HEAD_WORDS)}. Name linear layers in lora.target_modules"
        )
    if tied and len(other) < len(names):
        found.append(
            f"'lora.modules_to_save' names {', '.join(_heads(names))}; this model ties its output head to its "
            "embeddings, and saving one of them apart unties them. Leave them out"
        )
    return found


def _patterns(lora: Lora, shapes: Shapes) -> list[str]:
    adapted = [x.name for x in shapes.targets(lora.target_modules)]
    adapted += [x.name for x in shapes.linears if any(x.name.endswith(f".{n}") for n in lora.target_parameters)]
    found = []
    for field in ("rank_pattern", "alpha_pattern"):
        for key in getattr(lora, field):
            try:
                layer = re.compile(rf"(.*\.)?({key})$")
            except re.error as error:
                found.append(f"'lora.{field}' has the key {key!r}, which is no regular expression: {error}")
                continue
            if not any(layer.match(name) for name in adapted):
                found.append(f"'lora.{field}' has the key {key!r}, which matches no adapted layer. Correct its name")
    return found


def _bare(shapes: Shapes) -> list[str]:
    """Names of the experts' parameters inside a layer."""
    return sorted({re.sub(r"^.*\d+\.", "", x.name) for x in shapes.linears if x.copies > 1})


def _heads(names: list[str]) -> list[str]:
    return [n for n in names if n.rpartition(".")[2] in HEAD_WORDS]
