"""Write and read run folders: written line by line, sealed at the end, never changed after.

    runs/<utc>-<slug>-<8 hex>/
      run.json  records.jsonl  scores.jsonl  metrics.json  verdicts.json  train_log.jsonl
      MANIFEST.sha256   written last: the files above are sealed
      .writing          held by the process that writes the run, gone when the run ends
      later/            scores given after sealing (score_events.py)
      report/           derived views

A failed write is fatal, because a run that is not on disk cannot be shown. Secrets are masked before they are written
(redaction.py); a run that still contains one is not sealed.
"""

from __future__ import annotations

import os
import re
import secrets
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct

from harness.errors import NOT_JSON, NothingJudged, UserError, refuse_newer
from harness.files import claimed as not_held
from harness.files import file_sha256, hold, is_large, write_atomic
from harness.gates.rules import unknown_rule
from harness.runs import redaction
from harness.runs.status import Standing, claimed, standing
from harness.schema import SCHEMA_VERSION, Manifest, Metrics, Record, ScoreEvent, Scores, Verdict

SEALED = ("run.json", "records.jsonl", "scores.jsonl", "metrics.json", "verdicts.json", "train_log.jsonl")
SEAL = "MANIFEST.sha256"
WRITING = ".writing"

T = TypeVar("T")


class RecordLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of records.jsonl."""

    suite: str
    """Suite name."""
    record: Record
    """The record; its scores are in scores.jsonl."""


class Results(Struct, frozen=True, kw_only=True):
    """Results of a run, without its records."""

    path: Path
    """The run folder."""
    manifest: Manifest
    """run.json."""
    metrics: Metrics
    """metrics.json."""
    verdicts: list[Verdict]
    """verdicts.json, as far as the run may claim it."""
    standing: Standing = Standing()
    """What the run may claim."""

    @property
    def is_large(self) -> bool:
        """Whether its answers are too many to be held in memory."""
        return is_large(self.path / "records.jsonl")


class RunData(Results, frozen=True, kw_only=True):
    """A whole run, read back from its folder."""

    records: list[Record]
    """Every record, scores attached."""
    suite_of: list[str]
    """Suite name of each record."""
    train_log: list[dict[str, Any]]
    """train_log.jsonl."""

    def answers(self) -> Iterator[tuple[str, Record]]:
        """Yield each record with its suite, as `stream` does."""
        return zip(self.suite_of, self.records, strict=True)

    def by_variant(self, suite: str) -> dict[str, list[Record]]:
        """Group the records of one suite by variant."""
        records: dict[str, list[Record]] = {}
        for name, record in self.answers():
            if name == suite:
                records.setdefault(record.variant, []).append(record)
        return records


def now(ahead_s: float = 0) -> str:
    """Return the UTC time, so many seconds ahead, ISO 8601 to the second."""
    return (datetime.now(UTC) + timedelta(seconds=ahead_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_run_id(slug: str, time_s: float | None = None, token: str | None = None) -> str:
    """Return a name for a new run folder: time (seconds since 1970; now), slug, 8 hex digits (random)."""
    when = datetime.now(UTC) if time_s is None else datetime.fromtimestamp(time_s, UTC)
    safe = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")[:40] or "run"
    return f"{when:%Y%m%dT%H%M%SZ}-{safe}-{token or secrets.token_hex(4)}"


class RunFolder:
    """Writer of one run. Every method raises UserError where the disk refuses a write; earlier files stay."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._redactor = redaction.default_redactor()
        self._in_manifest = Counter[str]()
        self._released: weakref.finalize[[int], RunFolder] | None = None
        if (path / "run.json").exists():
            self._in_manifest = Counter(load_manifest(path).redacted)
            self._redactor.add(self._in_manifest)

    @classmethod
    def create(cls, root: Path, slug: str) -> RunFolder:
        """Create a new, empty run folder below `root`."""
        folder = cls(root / new_run_id(slug))
        try:
            folder.path.mkdir(parents=True)
        except OSError as error:
            raise _disk(folder.path, error) from None
        return folder

    @classmethod
    def restart(cls, path: Path) -> RunFolder:
        """Open the folder of a run, new or left by a process that ended before it sealed it, without what that wrote.

        Only for a caller that no other process shares the run with. A sealed run keeps its files, and refuses writes.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            for name in () if (path / SEAL).exists() else SEALED:
                (path / name).unlink(missing_ok=True)
        except OSError as error:
            raise _disk(path, error) from None
        return cls(path)

    def write_manifest(self, manifest: Manifest) -> None:
        """Write run.json, with the counts of the secrets masked so far; those in it count once however often."""
        before = Counter(self._redactor.counts)
        (masked,) = self._redactor.mask([msgspec.json.encode(manifest)])
        found = Counter(self._redactor.counts) - before
        self._redactor.add({kind: -min(count, self._in_manifest[kind]) for kind, count in found.items()})
        self._in_manifest |= found  # A manifest that is read and written again is masked already.
        counted = msgspec.structs.replace(msgspec.json.decode(masked, type=Manifest), redacted=self._redactor.counts)
        if manifest.status == "running":
            self._hold()
        self._write_json("run.json", counted, indent=2)
        if manifest.status != "running":
            self._release()

    @contextmanager
    def recording_failure(self, manifest: Manifest) -> Iterator[None]:
        """Write to the manifest that the run failed or was interrupted, where the block raises."""
        try:
            yield
        except BaseException as error:
            status: Literal["interrupted", "failed"] = (
                "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            )
            self.write_manifest(msgspec.structs.replace(manifest, status=status, ended=now()))
            raise

    def append_records(self, suite: str, records: Iterable[Record]) -> None:
        """Append records and their scores, flushed to disk before returning."""
        lines: list[bytes] = []
        score_lines: list[bytes] = []
        for record in records:
            bare = msgspec.structs.replace(record, scores={})
            events = [
                ScoreEvent(
                    case_id=record.case.id, suite=suite, variant=record.variant, repeat=record.repeat, score=score
                )
                for score in record.scores.values()
            ]
            whole = [msgspec.json.encode(one) for one in (RecordLine(suite=suite, record=bare), *events)]
            line, *scores = self._redactor.mask(whole)
            if line != whole[0]:
                text = msgspec.json.decode(line, type=RecordLine).record.completion.answer
                scores = [self._redactor.evidence(*pair, text) for pair in zip(events, scores, strict=True)]
            lines.append(line)
            score_lines += scores
        self._append("records.jsonl", lines)
        self._append("scores.jsonl", score_lines)

    def append_log(self, row: dict[str, Any]) -> None:
        """Append one line to train_log.jsonl."""
        self._append("train_log.jsonl", self._redactor.mask([msgspec.json.encode(row)]))

    def write_metrics(self, metrics: Metrics) -> None:
        self._write_json("metrics.json", metrics)

    def write_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        self._write_json("verdicts.json", verdicts)

    def seal(self) -> None:
        """Write MANIFEST.sha256 over all result files. Raises UserError where one contains a secret."""
        present = [name for name in SEALED if (self.path / name).exists()]
        redaction.refuse(
            (finding for name in present for finding in self._redactor.found_in(self.path / name)),
            "The run is not sealed: delete it, rename what contains the secret, and run again",
        )
        lines = [f"{file_sha256(self.path / name)}  {name}\n" for name in present]
        self._replace(SEAL, "".join(lines).encode())

    def _hold(self) -> None:
        """Mark the run as being written, for as long as this object lives or until the run ends."""
        if self._released is None:
            self._replace(WRITING, b"")
            self._released = weakref.finalize(self, os.close, hold(self.path / WRITING))

    def _release(self) -> None:
        if self._released is not None:
            self._released()
            self._released = None
        (self.path / WRITING).unlink(missing_ok=True)

    def _refuse_sealed(self) -> None:
        if (self.path / SEAL).exists():
            raise UserError(f"{self.path}: the run is sealed and cannot be written. Start a new run")

    def _append(self, name: str, lines: Sequence[bytes]) -> None:
        self._refuse_sealed()
        if not lines:
            return
        try:
            with (self.path / name).open("ab") as file:
                file.write(b"".join(line + b"\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _disk(self.path / name, error) from None

    def _write_json(self, name: str, value: object, indent: int = 1) -> None:
        self._replace(name, msgspec.json.format(msgspec.json.encode(value), indent=indent))

    def _replace(self, name: str, data: bytes) -> None:
        self._refuse_sealed()
        write_atomic(self.path / name, data, DISK_HINT)


DISK_HINT = (
    "Free space, or choose another folder, and run the same command again; finished answers and training steps are kept"
)


def _disk(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror}). {DISK_HINT}")


def load_results(path: Path) -> Results:
    """Read the results of a run, without its records. Raises UserError for an unreadable file or a newer schema."""
    path = Path(path)
    if not (path / "run.json").exists():
        raise UserError(f"{path}: not a run folder (no run.json). `tunegate runs` lists the runs")
    manifest = load_manifest(path)
    run_standing = standing_of(path, manifest)
    verdicts = claimed(run_standing, recorded_verdicts(path))
    return Results(path=path, manifest=manifest, metrics=load_metrics(path), verdicts=verdicts, standing=run_standing)


def load_run(path: Path, even_large: bool = True) -> RunData:
    """Read a run folder back, whole; unless `even_large`, the records of a large run stay on disk."""
    results = load_results(path)
    pairs = list(stream(results.path)) if even_large or not results.is_large else []
    return RunData(
        **msgspec.structs.asdict(results),
        records=[record for _, record in pairs],
        suite_of=[suite for suite, _ in pairs],
        train_log=list(_lines(results.path / "train_log.jsonl", dict)),
    )


def stream(path: Path) -> Iterator[tuple[str, Record]]:
    """Yield each record with its suite, scores attached; only one is in memory at a time.

    Scores are in the order of their records, as `append_records` writes them. Raises UserError where they are not.
    """
    events = _lines(path / "scores.jsonl", ScoreEvent)
    event = next(events, None)
    for line in _lines(path / "records.jsonl", RecordLine):
        record, scores = line.record, Scores()
        key = (line.suite, record.case.id, record.variant, record.repeat)
        while event is not None and (event.suite, event.case_id, event.variant, event.repeat) == key:
            scores[event.score.name] = event.score
            event = next(events, None)
        yield line.suite, msgspec.structs.replace(record, scores=scores)
    if event is not None and (path / SEAL).exists():
        raise UserError(
            f"{path}: scores.jsonl has a score of '{event.case_id}' ({event.variant}) where records.jsonl has no such "
            "answer. The run is damaged; run it again"
        )


def load_sealed(path: Path, doing: str) -> RunData:
    """Read an evaluation for a purpose, `doing`. Raises NothingJudged where the run may not claim its verdicts."""
    manifest = load_manifest(path)
    if manifest.kind != "eval":
        raise UserError(f"{path}: a {manifest.kind} run, which has no answers. Only an evaluation is {doing}")
    run = load_run(path)
    if not run.standing.is_claim:
        raise NothingJudged(f"{path}: {run.standing.reason}. Only a finished, sealed and unchanged run is {doing}")
    return run


def standing_of(path: Path, manifest: Manifest, names: Sequence[str] = SEALED) -> Standing:
    """Decide what the run in a folder may claim, from these of its files."""
    is_sealed = (path / SEAL).exists()
    return standing(
        manifest.status,
        is_sealed=is_sealed,
        changed=check_seal(path, names) if is_sealed else [],
        is_being_written=is_being_written(path),
    )


def is_being_written(path: Path) -> bool:
    """Whether a process writes the run; True where that cannot be known, as on a file system without locks."""
    if not (path / WRITING).exists():
        return False
    with not_held(path / WRITING) as free:
        return not free


def load_manifest(path: Path) -> Manifest:
    """Read run.json alone. Raises UserError for an unreadable file or a newer schema."""
    return decode(path / "run.json", Manifest, SCHEMA_VERSION)


def check_seal(path: Path, names: Sequence[str] = SEALED) -> list[str]:
    """Return the names of sealed files that changed or are missing; of a run without a seal, the seal's own name."""
    if not (path / SEAL).exists():
        return [SEAL]
    listed: dict[str, str] = {}
    for line in (path / SEAL).read_text("utf-8", errors="replace").splitlines():
        expected, _, name = line.partition("  ")
        listed[name] = expected
    if not listed.keys() <= set(SEALED):
        return [SEAL]
    here = {name: file_sha256(path / name) for name in names if (path / name).is_file()}
    return [name for name in names if here.get(name) != listed.get(name)]


def recorded_verdicts(path: Path) -> list[Verdict]:
    """Read verdicts.json, whatever the run may claim; empty where there is no such file."""
    file = path / "verdicts.json"
    verdicts = decode(file, list[Verdict]) if file.exists() else []
    unknown = unknown_rule(verdict.rule for verdict in verdicts)
    if unknown:
        raise UserError(f"{file}: {unknown}. Read the run with the version that wrote it")
    return verdicts


def was_missed(path: Path, suite: str) -> bool:
    """Whether a gate of the suite failed or was inconclusive, by verdicts.json; False where that cannot be read."""
    try:
        return any(v.suite == suite and v.outcome in ("fail", "inconclusive") for v in recorded_verdicts(path))
    except UserError:
        return False


def load_metrics(path: Path) -> Metrics:
    """Read metrics.json alone; empty where there is none."""
    file = path / "metrics.json"
    return decode(file, Metrics) if file.exists() else Metrics()


DAMAGED = "The run is damaged; run it again"


def decode(path: Path, kind: type[T], version: int | None = None, hint: str = DAMAGED) -> T:
    """Read a JSON file. Raises UserError, with the hint, where it cannot be read, or is newer than `version`."""
    try:
        data = path.read_bytes()
        if version is not None:
            refuse_newer(data, version, path)
        return msgspec.json.decode(data, type=kind)
    except (OSError, *NOT_JSON) as error:
        raise UserError(f"{path}: cannot be read: {error}. {hint}") from None


def _lines(path: Path, kind: type[T]) -> Iterator[T]:
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield decoder.decode(line)
            except NOT_JSON as error:
                if not line.endswith(b"\n"):
                    return  # A crash may leave a torn last line.
                raise UserError(f"{path}:{number}: cannot be read: {error}. {DAMAGED}") from None
