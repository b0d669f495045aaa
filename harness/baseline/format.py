"""Read and write baseline.json: the scores of the model that was last accepted for a suite.

The file is committed next to gates.toml, so it is made for diffs: sorted keys, one line per case, equal bytes for equal
content. It has ids, digests and numbers, but no prompt, document or answer. Its scores are read as records without
text, so that they are judged like those of a baseline that was run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from harness.errors import NOT_JSON, UserError, refuse_all, refuse_newer
from harness.files import digest
from harness.gates.rules import unknown_rule
from harness.schema import BASELINE, Case, Completion, Gate, Record, Score, Scores
from harness.suites.cases import case_hash

BASELINE_FILE = "baseline.json"
BASELINE_SCHEMA = 1
SPREAD = ("cases", "gates", "metrics", "scorers", "counts")
"""Fields with one line per entry."""
LABEL_LISTS = ("found", "invented", "missing")
"""Findings that means over labels are computed from."""
UNSCORED = "it had no score when the baseline was accepted"
NO_ANSWER = "the engine gave no answer when the baseline was accepted"


class AcceptedModel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model whose scores were accepted."""

    name: str
    """What the user called it."""
    digest: str
    """Content digest of weights, adapter and tokenizer."""
    base_digest: str
    """Content digest of the model folder alone."""
    adapter_digest: str | None
    """Content digest of the adapter."""
    tokenizer_digest: str
    """Content digest of tokenizer and chat template."""


class AcceptedMetric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A metric over the whole suite, for readers; comparisons are computed from the cases."""

    value: float | None
    """The number, or None when not measured."""
    low: float | None
    """Lower end of its interval."""
    high: float | None
    """Upper end of its interval."""
    n: int
    """Cases, or claims, that it counts."""
    best: float | None = None
    """The best level of the baselines before it on the same suite, where that is better."""
    slices: dict[str, float] = field(default_factory=dict)
    """By slice with a `no_worse` gate, such as `instrument=lease`, the best level of the baselines up to this one."""


class AcceptedAnswer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Scores of one answer."""

    scores: dict[str, list[int | float | None]]
    """By scorer: the score's value, then the counts in the order of the file's `counts`; None where one is missing."""
    labels: dict[str, tuple[list[str], list[str], list[str]]] = field(default_factory=dict)
    """By scorer with means over labels: found, invented and missing labels."""
    failed: list[str] = field(default_factory=list)
    """Scorers that raised."""
    error: bool = False
    """The engine gave no answer."""


class AcceptedCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One case; the hashes are shortened to `SHORT` digits."""

    case_hash: str
    """Hash of the whole case, to detect changes."""
    input_hash: str
    """Hash of its input."""
    prompt_hash: str
    """Hash of the token ids that the model received; empty where it received none."""
    cluster: str
    """What the case comes from, such as its contract."""
    answers: list[AcceptedAnswer]
    """One per repeat; none where the case is longer than the model's context."""


class Accepted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of baseline.json."""

    schema_version: int = BASELINE_SCHEMA
    """Version of this layout."""
    suite: str
    """Suite name."""
    suite_hash: str
    """Hash of cases, prompt, scorers and gates together."""
    cases_hash: str
    """Hash of the cases."""
    prompt_hash: str
    """Hash of the prompt template and how answers are decoded."""
    scorers_hash: str
    """Hash of the scorers together."""
    gates_hash: str
    """Hash of gates.toml."""
    scorers: dict[str, str]
    """Version of each scorer."""
    gates: list[Gate]
    """The gates at that time."""
    model: AcceptedModel
    """The accepted model."""
    run_id: str
    """The run that it was accepted from."""
    accepted_at: str
    """UTC time, ISO 8601."""
    reason: str
    """Why it was accepted."""
    approved_by: str
    """Who approved it; may be empty."""
    although: str
    """Why it was accepted with gates not passed or a script's answers; empty for other runs."""
    samples: int
    """Answers per case."""
    metrics: dict[str, AcceptedMetric]
    """Levels over the whole suite."""
    counts: dict[str, list[str]]
    """By scorer, the counts that its metrics read, in the order of every answer's scores."""
    cases: dict[str, AcceptedCase]
    """By case id."""
    digest: str = ""
    """Digest of all other fields, to detect manual edits."""


SHORT = 16
"""Hexadecimal digits of a case's hashes in the file."""


def short(full: str) -> str:
    """Shorten a hash to the form in the file."""
    return full[:SHORT]


def sealed(accepted: Accepted) -> Accepted:
    """Return the content with its digest."""
    return msgspec.structs.replace(accepted, digest=digest(msgspec.structs.replace(accepted, digest="")))


def encode(accepted: Accepted) -> bytes:
    """Return the bytes of baseline.json."""
    top: dict[str, Any] = msgspec.to_builtins(accepted)
    return ("{\n" + ",\n".join(f"{_text(k)}: {_entries(k, top[k])}" for k in sorted(top)) + "\n}\n").encode()


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _entries(name: str, value: Any) -> str:
    if name not in SPREAD or not value:
        return _text(value)
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f" {_text(k)}: {_text(value[k])}" for k in sorted(value)) + "\n}"
    return "[\n" + ",\n".join(f" {_text(item)}" for item in value) + "\n]"


def load_accepted(path: Path, suite: str) -> Accepted | None:
    """Read the accepted baseline of a suite; None without a file. Raises UserError for one that cannot be trusted."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if not path.is_symlink():
            return None
        raise UserError(f"{path}: is a broken link. {_AGAIN}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). {_AGAIN}") from None
    try:
        refuse_newer(data, BASELINE_SCHEMA, path)
        accepted = msgspec.json.decode(data, type=Accepted, strict=True)
    except NOT_JSON as error:
        raise UserError(f"{path}: is not an accepted baseline: {str(error) or 'the file is empty'}. {_AGAIN}") from None
    refuse_all([f"{path}: {problem}. {_AGAIN}" for problem in _problems(accepted, suite)], f"{path}: cannot be trusted")
    return accepted


_AGAIN = "Restore it from version control, or write a new one with `tunegate baseline accept`"


def _problems(accepted: Accepted, suite: str) -> Iterator[str]:
    if accepted.schema_version != BASELINE_SCHEMA:
        yield f"schema {accepted.schema_version} is unknown; expected {BASELINE_SCHEMA}"
    if accepted.suite != suite:
        yield f"it is the baseline of {accepted.suite}, expected {suite}"
    if accepted.digest != sealed(accepted).digest:
        yield "its content does not match its digest: it was changed after it was written"
    unknown = unknown_rule(gate.rule for gate in accepted.gates)
    if unknown:
        yield unknown
    for case_id, case in accepted.cases.items():
        if not all(_fits(answer, accepted.counts) for answer in case.answers):
            yield f"the scores of case '{case_id}' do not fit its `counts`"
            return


def _fits(answer: AcceptedAnswer, counts: Mapping[str, Sequence[str]]) -> bool:
    return all(
        name in counts
        and len(row) == len(counts[name]) + 1
        and all(n is None or (isinstance(n, int) and n >= 0) for n in row[1:])
        for name, row in answer.scores.items()
    ) and set(answer.labels) | set(answer.failed) <= set(answer.scores)


def records(accepted: Accepted, cases: Sequence[Case], prompt_hashes: Mapping[str, str]) -> list[Record]:
    """Return the accepted answers to these cases as records of the baseline, in the order of the cases.

    `prompt_hashes` has the cases of the current run. A case that changed since has no record.
    """
    answers = []
    for case in cases:
        accepted_case = accepted.cases.get(case.id)
        if accepted_case is None or case.id not in prompt_hashes or accepted_case.case_hash != short(case_hash(case)):
            continue
        for repeat, answer in enumerate(accepted_case.answers, 1):
            now = prompt_hashes[case.id]  # The file has only the start of a hash.
            prompt = now if short(now) == accepted_case.prompt_hash else accepted_case.prompt_hash
            answers.append(_record(accepted, case, repeat, answer, prompt))
    return answers


def _record(accepted: Accepted, case: Case, repeat: int, answer: AcceptedAnswer, prompt_hash: str) -> Record:
    return Record(
        case=case,
        variant=BASELINE,
        repeat=repeat,
        input_hash=digest(case.input),
        prompt_hash=prompt_hash,
        expected_hash=digest(case.expected),
        completion=Completion(
            key=accepted.digest,
            text="",
            finish_reason="error" if answer.error else "stop",
            prompt_tokens=0,
            output_tokens=0,
            error=NO_ANSWER if answer.error else None,
        ),
        scores=Scores({name: _score(name, row, answer, accepted.counts[name]) for name, row in answer.scores.items()}),
        text_kept=False,
    )


def _score(name: str, row: Sequence[int | float | None], answer: AcceptedAnswer, counts: Sequence[str]) -> Score:
    value = row[0]
    return Score(
        name=name,
        value=None if value is None else float(value),
        reason=UNSCORED if value is None else None,
        extracted=dict(zip(LABEL_LISTS, answer.labels.get(name, ([], [], [])), strict=True)),
        counts={count: int(n) for count, n in zip(counts, row[1:], strict=True) if n is not None},
        failed=name in answer.failed,
    )
