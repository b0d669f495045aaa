"""`tunegate plan`: what a configuration will take in memory and time, told before anything is loaded.

Memory is an estimate from shapes (memory.py). Time is arithmetic by speed: that of an earlier training of this base on
the same device, of a trial, or an assumed share of a card's peak; where none of them is known, no time is named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness import cards
from harness.errors import UserError
from training import bases, fit, flops, forecast, memory, model_checks, shapes
from training.bases import Found
from training.config import Config
from training.config_file import load
from training.fit import Device, Fit
from training.forecast import Speed, Workload
from training.shapes import Shapes

FORMS = ("none", "nf4")


class Row(Struct, frozen=True, kw_only=True):
    """One device."""

    device: str
    """Its name."""
    here: bool
    """It is this machine's."""
    fits: list[Fit]
    """LoRA, then QLoRA."""
    speed: Speed | None
    """How fast the configured form trains there; None where nobody knows, or it does not fit."""
    seconds: float | None
    """Training and validations at that speed."""
    tokens_per_s: float | None
    """Tokens of the rows by second at that speed."""
    serves: bool
    """Base and a full cache of keys and values have room for an evaluation, both in bfloat16."""


class Plan(Struct, frozen=True, kw_only=True):
    base: str
    """What the configuration names."""
    shapes: Shapes
    """The base."""
    adapter_parameters: int
    """What is trained."""
    work: Workload
    """What is to be done."""
    quantise: str
    """The form that the configuration asks for."""
    rows: list[Row]
    """This machine first."""
    cache_bytes: int
    """Keys and values of a full batch of an evaluation."""
    trial: Any = None
    """What a trial measured, where one was asked for."""


def plan(config_path: Path, runs: Path, measure: int = 0) -> Plan:
    """Plan the training of a TOML file; `measure` trains so many steps here first. Bad settings are a UserError."""
    found: list[Found] = []

    def problems(config: Config) -> list[str]:
        try:
            base = bases.find(config.base)
        except UserError as error:
            return [str(error)]
        found.append(base)
        return model_checks.shape_problems(config, base.config, str(base.folder or base.name))

    config = load(config_path, problems)
    base, laid_out = found[0], shapes.of(found[0].config, found[0].name)
    adapted = memory.adapter_size(laid_out, config.lora)
    work = forecast.workload(config, base.folder, flops.count(laid_out, adapted))
    here = fit.this_machine(config)
    tried = _trial(config, base, here, measure) if measure else None
    devices = [here, *(fit.of_card(card, config) for card in cards.cards() if card.planned)]
    return Plan(
        base=config.base,
        shapes=laid_out,
        adapter_parameters=adapted,
        work=work,
        quantise=config.model.quantise,
        rows=[_row(d, d is here, laid_out, config, work, base, runs, tried) for d in devices],
        cache_bytes=memory.serving(laid_out)[1],
        trial=tried,
    )


def _row(
    device: Device,
    here: bool,
    laid_out: Shapes,
    config: Config,
    work: Workload,
    base: Found,
    runs: Path,
    tried: Any,
) -> Row:
    fits = [fit.judge(device, laid_out, config, work, form) for form in FORMS]
    asked = fits[FORMS.index(config.model.quantise)]
    speed = None
    if asked.fits in ("yes", "close"):
        speed = _speed(device, here, asked.dtype, config, base, runs, tried)
        speed = speed or forecast.assumed(device.peak, laid_out.active_parameters)
    return Row(
        device=device.name,
        here=here,
        fits=fits,
        speed=speed,
        seconds=forecast.seconds(work, speed) if speed else None,
        tokens_per_s=forecast.tokens_per_s(work, speed) if speed else None,
        serves=fit.serves(device, laid_out),
    )


def _speed(device: Device, here: bool, dtype: str, config: Config, base: Found, runs: Path, tried: Any) -> Speed | None:
    """Measured now, or in an earlier training."""
    if here and tried is not None:
        return Speed(flops_per_s=tried.flops_per_s, said=f"measured now over {tried.steps} steps")
    return forecast.earlier(runs, base, dtype, config.model.quantise).get(device.name)


def _trial(config: Config, base: Found, here: Device, steps: int) -> Any:
    """Train so many steps of the configuration, here; the weights are loaded for it."""
    from training.job import prepare
    from training.trial import WARM_UP, run

    job = prepare(config, lambda text: None, without_suites=True)
    wanted = job.steps[: steps + WARM_UP]
    return run(Path(job.base.path), job.train.documents, wanted, job.dtype, config.lora, config.train, config.model)


def as_json(plan: Plan) -> bytes:
    """The plan as one JSON object, bytes and seconds unrounded."""
    table = {
        "base": plan.base,
        "parameters": plan.shapes.parameters,
        "active_parameters": plan.shapes.active_parameters,
        "context": plan.shapes.context,
        "adapter_parameters": plan.adapter_parameters,
        "quantise": plan.quantise,
        "work": forecast.facts(plan.work),
        "cache_bytes": plan.cache_bytes,
        "devices": [
            msgspec.to_builtins(row)
            | {"needs_bytes": {f.quantise: f.needs.total if f.needs else None for f in row.fits}}
            for row in plan.rows
        ],
        "trial": plan.trial,
    }
    return msgspec.json.format(msgspec.json.encode(table), indent=1)
