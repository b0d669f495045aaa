"""Plans a run: which case goes to which variant with which token ids. Asks no engine and scores nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from harness import redaction
from harness.asks import Asks, Part, Spool
from harness.digest import digest
from harness.engines.endpoints import NO_SERVER, Servers, endpoint
from harness.errors import MissingExtra, UserError, refuse_all
from harness.gatefile import load_gates, validate
from harness.progress import Share
from harness.prompts import Message, Renderer, messages
from harness.schema import ACCEPTED, BASELINE, CANDIDATE, Case, Checkpoint, GateFile, Metric, Prompt, Sampling
from harness.suite import Suite
from harness.text_files import read_text, shown_path


class SuiteJob(Struct, kw_only=True):
    """One suite of a run."""

    suite: Suite
    """What is asked."""
    cases: Sequence[Case]
    """Cases asked in this run."""

    @property
    def complete(self) -> bool:
        """Every case of the suite is asked; gates judge nothing less."""
        return len(self.cases) == len(self.suite.cases)


class Job(Struct, kw_only=True):
    """What a run is asked to do."""

    suites: list[SuiteJob]
    """Suites with the cases to ask."""
    candidate: str
    """Checkpoint as the user wrote it."""
    baseline: str | None = None
    """Checkpoint to compare with, `accepted` for each suite's baseline.json, or None."""
    engine: str | None = None
    """Engine by name; None picks one."""
    engines: int | None = None
    """How many vLLM engines the engine 'ray' starts; None leaves it to the machines."""
    tensor_parallel: int = 1
    """Devices that vLLM splits each model over."""
    lora: str = "auto"
    """auto, force or merge."""
    repeats: int | None = None
    """Answers per case and variant; None leaves it to each suite."""
    seed: int = 0
    """Seed of the first answer."""
    bars: Path | None = None
    """A copy of evalsuites to take every gates.toml from."""
    use_cache: bool = True
    """Reuse cached answers."""
    batch: int | None = None
    """Most requests that the engine computes together; None leaves it to the engine."""
    script: Path | None = None
    """Answers of the fake engine, as JSON: variant -> case id -> text."""
    servers: Servers | None = None
    """The servers that the engine 'openai' asks, and what they call the models."""

    @property
    def asked_baseline(self) -> str | None:
        """The baseline that is asked; an accepted one is not. Servers may have one that has no name here."""
        if self.baseline is None and self.servers and self.servers.baseline:
            return self.candidate
        return None if self.baseline == ACCEPTED else self.baseline

    def samples(self, suite: Suite) -> int:
        """Answers a case and variant of one suite."""
        return self.repeats or suite.samples


def option_ids(suite: Suite, renderer: Rendering) -> tuple[int, ...]:
    """First token id of each option of a suite. Options that begin with the same token are a UserError."""
    ids = [renderer.opening(option) for option in suite.options]
    same = [option for option, first in zip(suite.options, ids, strict=True) if ids.count(first) > 1]
    if same:
        raise UserError(
            f"{suite.name}: the options {', '.join(map(repr, same))} begin with the same token of this model, so their "
            "log probabilities cannot be told apart. Letter the options: A, B, C"
        )
    return tuple(ids)


class PlainRenderer:
    """Token ids without a tokenizer: the UTF-8 bytes of the messages. For the fake engine only."""

    stop_ids: tuple[int, ...] = ()
    max_positions = 1 << 30

    def prompt(self, chat: Sequence[Message], template_hash: str = "") -> Prompt:
        """Messages as `role: content` lines; ids are bytes."""
        text = "\n".join(f"{m['role']}: {m['content']}" for m in chat)
        return Prompt(text=text, ids=tuple(text.encode()), template_hash=digest(template_hash))

    def opening(self, answer: str) -> int:
        """First id of an answer."""
        return answer.encode()[0]


Rendering = Renderer | PlainRenderer


def default_checkpoint() -> str:
    """What a bare run evaluates."""
    from harness.embedded import EMBEDDED

    return EMBEDDED


def gates_path(suite: Suite, bars: Path | None) -> Path:
    """The suite's gates.toml, or its twin below `bars`, a copy of the evalsuites folder."""
    return bars / suite.name / suite.gates_path.name if bars else suite.gates_path


def load_suite_gates(suite: Suite, bars: Path | None) -> GateFile:
    """Read and check the gates of a suite. Unknown metrics, rules, keys and slices are UserErrors."""
    path = gates_path(suite, bars)
    found = load_gates(path)
    validate(found, suite.metrics, suite.slices, shown_path(path))
    return found


def shares(counts: Mapping[tuple[str, str], int], suites: Iterable[Suite], bars: Path | None) -> list[Share]:
    """What each variant is asked of each suite, by suite name and variant; suites without a metric are left out."""
    found = []
    by_name = {suite.name: suite for suite in suites}
    for (name, variant), total in counts.items():
        if metric := headline(by_name[name], bars):
            found.append(Share(suite=name, variant=variant, total=total, metric=metric))
    return found


def headline(suite: Suite, bars: Path | None) -> Metric | None:
    """The metric of a suite's first gate, or its first metric: what is said where there is room for one."""
    by_name = {metric.name: metric for metric in suite.metrics}
    first = [by_name[gate.metric] for gate in load_suite_gates(suite, bars).gate]
    return next(iter(first or suite.metrics), None)


def variants(job: Job) -> dict[str, Checkpoint]:
    """Resolve the checkpoints that a job asks; the baseline comes first."""
    if job.engine == "fake":
        names = {BASELINE: job.asked_baseline, CANDIDATE: job.candidate}
        script = _script(job)
        return {v: _scripted(f"fake:{n}", script + v) for v, n in names.items() if n is not None}
    if job.engine == "openai":
        return _served(job)
    from harness.checkpoints import resolve

    found = {BASELINE: resolve(job.asked_baseline)} if job.asked_baseline else {}
    found[CANDIDATE] = resolve(job.candidate)
    return found


SCRIPT = "Expected JSON of variant -> case id -> text"


def _script(job: Job) -> str:
    """Text of the fake engine's script. Variants and case ids that are not in the suites are a UserError."""
    if job.script is None:
        return ""
    from harness.engines.broker import FAILS, read_script

    script, where = read_script(job.script), shown_path(job.script)
    fails = script.pop(FAILS, {})
    known = {case.id for part in job.suites for case in part.suite.cases}
    sides = (CANDIDATE, BASELINE)
    named = [(name, f"'{name}'", ids) for name, ids in script.items()]
    named += [(name, f"'{FAILS}'", ids) for name, ids in fails.items()]
    problems = [
        f"{where}: unknown variant '{name}'{f' in {said}' if name in fails else ''}. Known: {', '.join(sides)}, {FAILS}"
        for name, said, _ in named
        if name not in sides
    ]
    problems += [
        f"{where}: no case has the id '{case_id}' that {said} names. Correct it or remove it"
        for _, said, ids in named
        for case_id in ids
        if case_id not in known
    ]
    refuse_all(problems, f"{where}: a script that does not fit the suites")
    return read_text(job.script, SCRIPT)


def judge_checkpoint(name: str, engine: str | None, script: Path | None, servers: Servers | None = None) -> Checkpoint:
    """Resolve the checkpoint that judges a run."""
    if engine == "fake":
        return _scripted(f"fake:{name}", read_text(script, SCRIPT) if script else "")
    if engine == "openai":
        return _served(Job(suites=[], candidate=name, engine=engine, servers=servers))[CANDIDATE]
    from harness.checkpoints import resolve

    return resolve(name)


def _served(job: Job) -> dict[str, Checkpoint]:
    """Models by the names that servers give them; the checkpoints' own names say which tokenizer renders prompts."""
    if job.servers is None:
        raise UserError(NO_SERVER)
    if job.baseline == ACCEPTED and job.servers.baseline:
        raise UserError("--baseline accepted: no baseline is asked, so leave out --served-baseline")
    base = job.asked_baseline
    found = {BASELINE: _served_as(job.servers.baseline or base, base, job.baseline, job.servers)} if base else {}
    found[CANDIDATE] = _served_as(job.servers.model or job.candidate, job.candidate, job.candidate, job.servers)
    return found


def _served_as(served: str, tokenizer: str, weights: str | None, servers: Servers) -> Checkpoint:
    """A model of the servers; `weights` names the local checkpoint that a trusted server has."""
    from harness.engines.served_weights import pinned

    if servers.trust and weights is None:
        raise UserError(f"--trust-server: says nothing of '{served}'. Name its weights with --baseline")
    return pinned(endpoint(served, tokenizer), weights or tokenizer, servers)


def _scripted(name: str, content: str) -> Checkpoint:
    return Checkpoint(name=name, kind="scripted", path="", digest=digest([name, content]))


class Plan(Struct, frozen=True, kw_only=True):
    """Every question of a run, and the cases that the model cannot read."""

    asks: Asks
    """Questions, variant by variant."""
    left_out: dict[str, dict[str, list[str]]]
    """By variant and suite, ids of the cases longer than its context; only of suites that allow it. A case that is too
    long for the tuned model goes to no variant."""

    def prompt_hashes(self, job: Job) -> dict[str, dict[str, str]]:
        """By suite and case id, the hash of the token ids that the tuned model receives."""
        found: dict[str, dict[str, str]] = {part.suite.name: {} for part in job.suites}
        for ask in self.asks.of(CANDIDATE):
            if ask.repeat == 1:
                found[job.suites[ask.suite].suite.name][ask.case.id] = digest(ask.ids)
        return found


def _secret_names(job: Job) -> list[tuple[str, list[str]]]:
    """Names that records are joined and grouped by and that hold a secret, with its kinds."""
    redactor = redaction.here()
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
    return [found for found in (*labels, *names) if found[1]]


def make_plan(job: Job, renderers: Mapping[str, Rendering]) -> Plan:
    """Plan a run; variants that share a renderer receive the same token ids.

    A prompt that leaves no room for an answer is a UserError, unless its suite leaves such cases out.
    """
    redaction.refuse(_secret_names(job), "Records are joined by these names, so they are not masked: rename them")
    spool, most = Spool(), 1
    parts: dict[str, list[Part]] = {}
    left_out: dict[str, dict[str, list[str]]] = {}
    is_shared = len({id(renderer) for renderer in renderers.values()}) == 1
    for variant in sorted(renderers, key=lambda v: v != CANDIDATE):
        twin = next((v for v in parts if renderers[v] is renderers[variant]), None)
        if twin is None:
            who, unread = "" if is_shared else variant, left_out.get(CANDIDATE, {})
            parts[variant], left_out[variant], longest = _rendered(job, renderers[variant], spool, who, unread)
            most = max(most, longest)
        else:
            parts[variant], left_out[variant] = parts[twin], left_out[twin]
    return Plan(asks=Asks({v: parts[v] for v in renderers}, spool, most), left_out=left_out)


def _rendered(
    job: Job, renderer: Rendering, spool: Spool, who: str, unread: Mapping[str, Sequence[str]]
) -> tuple[list[Part], dict[str, list[str]], int]:
    """Every suite as one renderer's variants receive it, what is left out, and the longest prompt with its answer.

    `who` names the variant in errors; `unread` are cases, by suite, that are asked of nobody.
    """
    parts, most = list[Part](), 1
    too_long: list[str] = []
    left_out: dict[str, list[str]] = {}
    for part in job.suites:
        suite, nobody = part.suite, set(unread.get(part.suite.name, ()))
        with _named(who):
            sampling = Sampling(
                max_tokens=suite.max_tokens,
                temperature=suite.temperature,
                seed=job.seed,
                stop_ids=renderer.stop_ids,
                logprob_ids=option_ids(suite, renderer),
                **suite.structure,
            )
        asked, first = array("Q"), len(spool)
        for place, case in enumerate(part.cases):
            if case.id in nobody:
                continue
            chat = messages(suite.template, case)
            with _named(who):
                ids = renderer.prompt(chat, suite.prompt_hash).ids
            tokens = len(ids) + suite.max_tokens
            if tokens <= renderer.max_positions:
                spool.add(ids)
                asked.append(place)
                most = max(most, tokens)
            elif suite.leave_out_long:
                left_out.setdefault(suite.name, []).append(case.id)
            else:
                too_long.append(f"{suite.name} {case.id} ({len(ids)} tokens)")
        repeats = job.samples(suite)
        parts.append(Part(cases=part.cases, asked=asked, first=first, sampling=sampling, repeats=repeats))
    if too_long:
        room = f"{renderer.max_positions} tokens"
        whose = f"the {room} of '{who}'" if who else f"the model's {room}"
        raise UserError(
            f"{len(too_long)} cases are longer than {whose} with their answer, "
            f"the first: {', '.join(too_long[:3])}. Shorten them or use a model with a longer context"
        )
    return parts, left_out, most


@contextmanager
def _named(who: str) -> Iterator[None]:
    """Say of which variant's tokenizer or chat template an error is."""
    try:
        yield
    except MissingExtra:
        raise
    except UserError as error:
        raise UserError(f"{who}: {error}" if who else error) from None
