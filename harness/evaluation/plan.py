"""Plan a run: which case goes to which variant with which token ids."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from harness.answer_logs.answer_log import AnswerLog
from harness.checkpoints.bundled_model import EMBEDDED
from harness.checkpoints.resolve import resolve
from harness.engines.base import traits_of
from harness.engines.config import EngineConfig, Servers
from harness.engines.openai.config import NO_SERVER, endpoint
from harness.errors import MissingExtra, UserError, refuse_all
from harness.evaluation.requests import RequestQueue, SuiteRequests, TokenFile
from harness.files import digest, read_text, shown_path
from harness.formatting import count, format_duration
from harness.runs import redaction
from harness.schema import ACCEPTED, BASELINE, CANDIDATE, Case, Checkpoint, Sampling
from harness.suites.prompts import Rendering, messages
from harness.suites.suite import Suite


class SuiteJob(Struct, kw_only=True):
    """One suite of a run."""

    suite: Suite
    """The suite."""
    cases: Sequence[Case]
    """Its cases in this run."""

    @property
    def complete(self) -> bool:
        """Whether the run has every case of the suite; gates judge nothing less."""
        return len(self.cases) == len(self.suite.cases)


class Job(Struct, kw_only=True):
    """Everything that a run is to do."""

    suites: list[SuiteJob]
    """Suites with their cases in this run."""
    candidate: str
    """Checkpoint as the user wrote it."""
    baseline: str | None = None
    """Checkpoint to compare with, `accepted` for each suite's baseline.json, or None."""
    engine: EngineConfig = EngineConfig()
    """The engine and its options."""
    repeats: int | None = None
    """Answers per case and variant; None leaves it to each suite."""
    seed: int = 0
    """Seed of the first answer."""
    bars: Path | None = None
    """A copy of evalsuites to take every gates.toml from."""
    imported: Mapping[str, AnswerLog] | None = None
    """By variant, the logs that have the answers; None where the engine generates them."""

    @property
    def asked_baseline(self) -> str | None:
        """The baseline model to run; None for an accepted baseline. Servers may have one without a local name."""
        servers = self.engine.servers
        if self.baseline is None and servers and servers.baseline:
            return self.candidate
        return None if self.baseline == ACCEPTED else self.baseline

    def samples(self, suite: Suite) -> int:
        """Return the answers per case and variant of one suite."""
        return self.repeats or suite.samples


def option_ids(suite: Suite, renderer: Rendering) -> tuple[int, ...]:
    """Return the first token id of each option of a suite. Raises UserError if two begin with the same token."""
    ids = [renderer.opening(option) for option in suite.options]
    same = [option for option, first in zip(suite.options, ids, strict=True) if ids.count(first) > 1]
    if same:
        raise UserError(
            f"{suite.name}: the options {', '.join(map(repr, same))} begin with the same token of this model, so their "
            "log probabilities are equal. Letter the options: A, B, C"
        )
    return tuple(ids)


def variants(job: Job) -> dict[str, Checkpoint]:
    """Resolve the checkpoints that a job runs, baseline first. Raises UserError."""
    if job.imported:
        return {variant: log.model for variant, log in sorted(job.imported.items())}
    traits = traits_of(job.engine.name)
    if traits.is_scripted:
        names = {BASELINE: job.asked_baseline, CANDIDATE: job.candidate}
        script = _script(job)
        return {v: _scripted(f"fake:{n}", script + v) for v, n in names.items() if n is not None}
    if traits.needs_url:
        return _served(job)
    checkpoints = {BASELINE: resolve(job.asked_baseline)} if job.asked_baseline else {}
    checkpoints[CANDIDATE] = resolve(job.candidate)
    return checkpoints


SCRIPT = "Expected JSON of variant -> case id -> text"


def _script(job: Job) -> str:
    """Read the fake engine's script. Raises UserError for variants and case ids that are not in the suites."""
    if job.engine.script is None:
        return ""
    from harness.engines.dispatch import FAILS, read_script

    script, where = read_script(job.engine.script), shown_path(job.engine.script)
    fails = script.pop(FAILS, {})
    case_ids = {case.id for part in job.suites for case in part.suite.cases}
    sides = (CANDIDATE, BASELINE)
    named = [(name, "", ids) for name, ids in script.items()] + [(name, FAILS, ids) for name, ids in fails.items()]
    problems = [
        f"{where}: unknown variant '{name}'{key and f' in {key!r}'}. Known: {', '.join(sides)}, {FAILS}"
        for name, key, _ in named
        if name not in sides
    ]
    problems += [
        f"{where}: no case has the id '{case_id}' that '{key or name}' names. Correct it or remove it"
        for name, key, ids in named
        for case_id in ids
        if case_id not in case_ids
    ]
    refuse_all(problems, f"{where}: a script that does not fit the suites")
    return read_text(job.engine.script, SCRIPT)


def judge_checkpoint(name: str, config: EngineConfig) -> Checkpoint:
    """Resolve the checkpoint that judges a run."""
    traits = traits_of(config.name)
    if traits.is_scripted:
        return _scripted(f"fake:{name}", read_text(config.script, SCRIPT) if config.script else "")
    if traits.needs_url:
        return _served(Job(suites=[], candidate=name, engine=config))[CANDIDATE]
    return resolve(name)


def _served(job: Job) -> dict[str, Checkpoint]:
    """Describe models by their names at the servers; the local checkpoints' tokenizers render the prompts."""
    servers = job.engine.servers
    if servers is None:
        raise UserError(NO_SERVER)
    if job.baseline == ACCEPTED and servers.baseline:
        raise UserError("--baseline accepted: no baseline model is run, so leave out --served-baseline")
    base = job.asked_baseline
    checkpoints = {BASELINE: _served_as(servers.baseline or base, base, job.baseline, servers)} if base else {}
    checkpoints[CANDIDATE] = _served_as(servers.model or job.candidate, job.candidate, job.candidate, servers)
    by_name = {checkpoint.name: checkpoint.digest for checkpoint in checkpoints.values()}
    if servers.trust and any(checkpoint.digest != by_name[checkpoint.name] for checkpoint in checkpoints.values()):
        raise UserError(
            f"--trust-server: '{checkpoints[CANDIDATE].name}' is the served name of baseline and tuned model, whose "
            "weights differ. Give each its own name with --served-baseline and --served-model"
        )
    return checkpoints


def _served_as(served: str, tokenizer: str, weights: str | None, servers: Servers) -> Checkpoint:
    """Describe a model of the servers; `weights` names the local checkpoint that a trusted server has."""
    from harness.engines.openai.served_weights import pinned

    if servers.trust and weights is None:
        raise UserError(f"--trust-server: the weights of '{served}' are not named. Name them with --baseline")
    return pinned(endpoint(served, tokenizer), weights or tokenizer, servers)


def _scripted(name: str, content: str) -> Checkpoint:
    return Checkpoint(name=name, kind="scripted", path="", digest=digest([name, content]))


class RunPlan(Struct, frozen=True, kw_only=True):
    """Every request of a run, and the cases that are too long for a model."""

    asks: RequestQueue
    """Requests, variant by variant."""
    left_out: dict[str, dict[str, list[str]]]
    """By variant and suite, ids of the cases longer than its context; only of suites that allow it. A case that is too
    long for the tuned model goes to no variant."""

    def prompt_hashes(self, job: Job) -> dict[str, dict[str, str]]:
        """Map suite and case id to the hash of the token ids that the tuned model receives."""
        hashes: dict[str, dict[str, str]] = {part.suite.name: {} for part in job.suites}
        for ask in self.asks.of(CANDIDATE):
            if ask.repeat == 1:
                hashes[job.suites[ask.suite].suite.name][ask.case.id] = digest(ask.ids)
        return hashes


def _secret_names(job: Job) -> list[tuple[str, list[str]]]:
    """List names that join and group records and contain a secret, with its kinds."""
    redactor = redaction.default_redactor()
    labels = (
        (f"{part.suite.name}: labels of {metric.name}", redactor.kinds("\n".join(metric.labels)))
        for part in job.suites
        for metric in part.suite.metrics
    )
    names = (
        (f"{part.suite.name}: id, cluster or tags of case {place}", redactor.kinds("\n".join(named)))
        for part in job.suites
        for place, case in enumerate(part.cases, 1)
        for named in [[part.suite.name, case.id, case.cluster, *case.tags.values()]]
    )
    return [named for named in (*labels, *names) if named[1]]


def make_plan(job: Job, renderers: Mapping[str, Rendering]) -> RunPlan:
    """Plan a run; variants that share a renderer receive the same token ids.

    Raises UserError for a prompt that leaves no room for an answer, unless its suite leaves such cases out.
    """
    redaction.refuse(_secret_names(job), "Records are joined by these names, so they are not masked: rename them")
    tokens = TokenFile()
    parts: dict[str, list[SuiteRequests]] = {}
    left_out: dict[str, dict[str, list[str]]] = {}
    is_shared = len({id(renderer) for renderer in renderers.values()}) == 1
    for variant in sorted(renderers, key=lambda v: v != CANDIDATE):
        twin = next((v for v in parts if renderers[v] is renderers[variant]), None)
        if twin is None:
            who, unread = "" if is_shared else variant, left_out.get(CANDIDATE, {})
            parts[variant], left_out[variant] = _rendered(job, renderers[variant], tokens, who, unread)
        else:
            parts[variant], left_out[variant] = parts[twin], left_out[twin]
    return RunPlan(asks=RequestQueue({v: parts[v] for v in renderers}, tokens), left_out=left_out)


def _rendered(
    job: Job, renderer: Rendering, tokens: TokenFile, who: str, unread: Mapping[str, Sequence[str]]
) -> tuple[list[SuiteRequests], dict[str, list[str]]]:
    """Render every suite; return the requests, and the case ids left out by suite.

    `who` names the variant in errors; `unread` are cases, by suite, that no variant receives.
    """
    parts: list[SuiteRequests] = []
    too_long: list[str] = []
    left_out: dict[str, list[str]] = {}
    for part in job.suites:
        suite, excluded = part.suite, set(unread.get(part.suite.name, ()))
        with _named(who):
            sampling = Sampling(
                max_tokens=suite.max_tokens,
                temperature=suite.temperature,
                seed=job.seed,
                stop_ids=renderer.stop_ids,
                logprob_ids=() if job.imported else option_ids(suite, renderer),
                **suite.structure,
            )
        rendered, first = array("Q"), len(tokens)
        for place, case in enumerate(part.cases):
            if case.id in excluded:
                continue
            chat = messages(suite.template, case)
            with _named(who):
                ids = renderer.prompt(chat, suite.prompt_hash).ids
            if len(ids) + suite.max_tokens <= renderer.max_positions:
                tokens.add(ids)
                rendered.append(place)
            elif suite.leave_out_long:
                left_out.setdefault(suite.name, []).append(case.id)
            else:
                too_long.append(f"{suite.name} {case.id} ({len(ids)} tokens)")
        repeats = job.samples(suite)
        parts.append(SuiteRequests(cases=part.cases, asked=rendered, first=first, sampling=sampling, repeats=repeats))
    if too_long:
        room = f"{renderer.max_positions} tokens"
        whose = f"the {room} of '{who}'" if who else f"the model's {room}"
        raise UserError(
            f"{count(len(too_long), 'case')} longer than {whose} with the answer, the first: "
            f"{', '.join(too_long[:3])}. Shorten what is too long or use a model with a longer context"
        )
    return parts, left_out


@contextmanager
def _named(who: str) -> Iterator[None]:
    """Add the variant whose tokenizer or chat template causes an error to its message."""
    try:
        yield
    except MissingExtra:
        raise
    except UserError as error:
        raise UserError(f"{who}: {error}" if who else error) from None


CHARACTERS_PER_TOKEN = 4
TEMPLATE = 600
"""Assumed characters of a prompt around a case's inputs."""
ANSWERED = 0.5
"""Assumed length of answers, as a share of their limit."""


def forecast(job: Job) -> list[str]:
    """Return two lines: the answers of a run, and the time without cached answers, where it was measured."""
    servers = job.engine.servers
    served = {BASELINE: servers.baseline, CANDIDATE: servers.model} if servers else {}
    asked = {BASELINE: job.asked_baseline, CANDIDATE: job.candidate}
    names = {variant: served.get(variant) or name for variant, name in asked.items() if name is not None}
    answers = sum(len(part.cases) * job.samples(part.suite) for part in job.suites) * len(names)
    who = " and ".join(f"{variant} {name}" for variant, name in names.items())
    suites = ", ".join(f"{part.suite.name} ({len(part.cases)})" for part in job.suites)
    head = f"tunegate: {answers} answers for {who}: {suites}"
    if servers:
        return [head, f"tunegate: generated by {', '.join(servers.urls)}; the time depends on them"]
    traits = traits_of(job.engine.name)
    if traits.why_no_forecast:
        return [head, f"tunegate: {traits.why_no_forecast}"]
    tokens = sum(_tokens(part) * job.samples(part.suite) for part in job.suites) * len(names)
    if traits.tokens_per_s is None or set(names.values()) != {EMBEDDED}:
        amount = f"about {tokens:,.0f} tokens of prompts and answers"
        return [head, f"tunegate: {amount}; the time depends on model and device, and cached answers take none"]
    seconds = len(names) * traits.start_s + tokens / traits.tokens_per_s
    return [
        head,
        f"tunegate: about {format_duration(seconds)} on 2 CPU cores with the embedded model; cached answers need none",
    ]


def _tokens(part: SuiteJob) -> float:
    """Estimate the tokens of one prompt and answer per case of a suite, from the length of its inputs."""
    characters = sum(TEMPLATE + sum(map(len, case.input.values())) for case in part.cases)
    return characters / CHARACTERS_PER_TOKEN + len(part.cases) * part.suite.max_tokens * ANSWERED
