"""A trained checker of meaning against people's labels and the completions with known truth, on documents kept apart.

A statement of several sentences has the support of its least supported one. Thresholds are those that leave 5% and 10%
of the supported validation sentences unsupported; an oracle threshold is chosen on the reported statements. Supports
are kept in the cache folder, so that a second run asks the model nothing.
"""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import validity_known_truth as completions
import validity_people as people
from known_truth import CLASSES
from pages import Table

from evalsuites.general.claims import cases, split
from evalsuites.general.claims.pairs import SUPPORTED
from harness.checkpoints.resolve import cache_dir
from harness.files import digest
from harness.scoring import checker, support_models, support_readers
from harness.scoring.text.passages import passages, text_of
from harness.scoring.text.sentences import statements

ALARMS = (0.05, 0.10)
VALIDATION_ROWS = 800
AT_ONCE = 16
STEPS = 40
"""Thresholds that cross-validation chooses from, evenly spaced over the ranks of the supports."""
BINS = 5
DRAWS = 500
CHECKER, RULE, NOVELTY, FACTS, EITHER = "checker", "untuned rule", "novelty of words", "fact scorer", "either"

Pair = tuple[str, str]
"""The whole source, and a sentence."""


class Reported(NamedTuple):
    """Statements of one set, with what each detector makes of them."""

    title: str
    items: list[people.Labelled]
    kinds: list[str]
    """Class of each error; empty where there is none, or none is known."""
    by_facts: list[bool]
    """Whether the fact scorer finds a fabricated fact."""
    support: Any
    """Of the least supported sentence, shape (statements,)."""
    sentences: int
    answers: int
    """Answers that the statements are from."""

    @property
    def wrong(self) -> Any:
        return np.array([item.positive for item in self.items])


class Supports:
    """The checker's probability of support for sentences, kept by the digest of the checker."""

    def __init__(self, folder: Path) -> None:
        self.how = checker.read(folder)
        self._model = support_models.choose(
            folder, prompt=self.how.prompt, answers=self.how.answers, system=self.how.system
        )
        key = digest([self.how.digest, self.how.system, self.how.prompt, list(self.how.answers)])
        self._file = cache_dir() / "checker-supports" / f"{key[:16]}.jsonl"
        lines = self._file.read_text("utf-8").splitlines() if self._file.is_file() else []
        self._known: dict[str, tuple[float, float]] = {
            key: (support, ms) for key, support, ms in map(json.loads, lines)
        }

    def of(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the support of each sentence by its source; one too long for the model has none."""
        shown = [(text_of(passages(s, said, self.how.windows, self.how.window_tokens)), said) for s, said in pairs]
        keys = [hashlib.sha256("\0".join(each).encode()).hexdigest()[:24] for each in shown]
        missing = [(key, each) for key, each in dict(zip(keys, shown, strict=True)).items() if key not in self._known]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        for at in range(0, len(missing), AT_ONCE):
            part = missing[at : at + AT_ONCE]
            reader, start = support_readers.load(self._model), time.perf_counter()
            found = reader.support([each for _, each in part])
            ms = 1000 * (time.perf_counter() - start) / len(part)
            rows = [(key, support or 0.0, round(ms, 1)) for (key, _), support in zip(part, found, strict=True)]
            with self._file.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            self._known |= {key: (support, each_ms) for key, support, each_ms in rows}
            print(f"checker: {at + len(part)} of {len(missing)} sentences, {ms:.0f} ms each", file=sys.stderr)
        return [self._known[key][0] for key in keys]

    @property
    def ms(self) -> float:
        """Milliseconds of a sentence: the median over the sentences kept."""
        return float(np.median([ms for _, ms in self._known.values()]))


def validation() -> list[Pair]:
    """Return the supported validation sentences of all sets in turn."""
    sources = {pair.id: pair.source for pair in cases.pairs()}
    made = cases.training_pairs("dev", VALIDATION_ROWS, 0)
    yes = cases.ANSWERS[SUPPORTED]
    return [(sources[case.id], str(case.input["sentence"])) for case, answer in made if answer == yes]


@cache
def _trained_on() -> frozenset[str]:
    """Keys of the documents that training or validation rows show."""
    sides = cases.sides()
    return frozenset(p.document for p in cases.pairs() if sides.side(p.document) != split.EVALUATION)


def reported(name: str, data: Path, supports: Supports, limit: int | None) -> list[Reported]:
    """Return the statements of one public set on documents that were kept apart; FRANK by corpus."""
    listed = [item for item in people.load(name, data) if split.document_key(item.source) not in _trained_on()]
    title = people.SETS[name].title
    if name != "frank":
        return [_people(title, listed, supports, limit)]
    corpora = people.corpora(data)
    return [
        _people(f"{title}, {corpus}", [item for item in listed if corpora[item.cluster] == corpus], supports, limit)
        for corpus in sorted(set(corpora.values()))
    ]


def _people(title: str, items: list[people.Labelled], supports: Supports, limit: int | None) -> Reported:
    items = sorted(items, key=lambda item: _rank(item.cluster))[:limit]
    said = [[each for _, _, each in statements(item.statement)] or [item.statement] for item in items]
    pairs = [(item.source, each) for item, listed in zip(items, said, strict=True) for each in listed]
    found = iter(supports.of(pairs))
    least = np.array([min(next(found) for _ in listed) for listed in said])
    by_facts = [people.scorer(item) for item in items]
    return Reported(title, items, [""] * len(items), by_facts, least, len(pairs), len(items))


def _rank(source: str) -> str:
    """A fixed random order of sources, so that a limit leaves whole ones."""
    return hashlib.sha256(f"checker {source}".encode()).hexdigest()


def known(part: str, supports: Supports, limit: int | None) -> Reported:
    """Return the sentences of the completions of one part, on documents that were kept apart."""
    rows: list[tuple[people.Labelled, str, bool, str, str]] = []
    for each in sorted(completions.load(part), key=lambda each: _rank(each.document)):
        source = completions.source_of(each)
        if split.document_key(source) in _trained_on():
            continue
        found = completions.fact_scorer(each)
        for start, end, said in statements(each.text):
            errors = [error.kind for error in each.errors if error.start < end and start < error.end]
            item = people.Labelled(source, said, each.document, bool(errors))
            by_facts = any(first < end and start < last for first, last in found)
            asked = f"{each.question}\n{said}" if each.question else said
            rows.append((item, errors[0] if errors else "", by_facts, asked, each.id))
    items, kinds, by_facts_of, asked_of, ids = (list(column) for column in zip(*rows[:limit], strict=True))
    support = np.array(supports.of([(item.source, asked) for item, asked in zip(items, asked_of, strict=True)]))
    title = f"Completions with known truth, {part} part, by sentence"
    return Reported(title, items, kinds, by_facts_of, support, len(items), len(set(ids)))


def roc_area(support: Any, wrong: Any, weights: Any) -> float:
    """Return the share of pairs in which the wrong statement has less support; ties count half."""
    values, place = np.unique(support, return_inverse=True)
    bad, good = (np.bincount(place, weights * those, len(values)) for those in (wrong, ~wrong))
    more = good.sum() - np.cumsum(good)
    total = bad.sum() * good.sum()
    return float((bad * (more + good / 2)).sum() / total) if total else float("nan")


def tables(sets: Sequence[Reported], supports: Supports) -> list[Table]:
    """Return what the checker is worth: by set, against the rules, by class of error, and its calibration."""
    pairs = validation()
    known_good = {CHECKER: np.array(supports.of(pairs)), NOVELTY: np.array([_new(said, s) for s, said in pairs])}
    note = (
        f"Checker {supports.how.digest[:12]}, {supports.how.windows} passages of {supports.how.window_tokens} tokens. "
        f"Thresholds are from {len(pairs)} supported validation sentences of all sets."
    )
    found = [_areas(sets, supports.ms, note), _accuracies(sets), _calibration(sets)]
    return [*found, *(_recalls(each, known_good) for each in sets)]


def _new(statement: str, source: str) -> float:
    """The share of a statement's words that its source has: a support, as the checker's is."""
    return 1 - completions.novelty(statement, source, 1)


def _areas(sets: Sequence[Reported], ms: float, note: str) -> Table:
    """ROC areas and cost by set."""
    rows = []
    for each in sets:
        draw = completions.Draw([item.cluster for item in each.items])
        novel = np.array([_new(item.statement, item.source) for item in each.items])
        areas = [area(support, each.wrong, draw) for support in (each.support, novel)]
        seconds = ms * each.sentences / each.answers / 1000
        counts = [str(len(each.items)), str(int(each.wrong.sum())), str(draw.size)]
        rows.append([each.title, *counts, *areas, f"{each.sentences / each.answers:.1f}", f"{seconds:.1f} s"])
    header = ["set", "statements", "wrong", "sources", "ROC area", "of novelty", "sentences per answer"]
    header.append("cost per answer")
    title = "The checker: does less support mean wrong?"
    return Table(title, header, rows, f"{note} A sentence takes {ms:.0f} ms. 95% intervals by resampling sources.")


def area(support: Any, wrong: Any, draw: completions.Draw) -> str:
    value = roc_area(support, wrong, np.ones(len(wrong)))
    draws = [roc_area(support, wrong, counts[draw.member]) for counts in draw.drawn[:DRAWS]]
    return shown(completions.interval(value, np.array(draws)))


def _accuracies(sets: Sequence[Reported]) -> Table:
    """Balanced accuracy of each detector, with paired differences."""
    names = [CHECKER, FACTS, EITHER, RULE, NOVELTY]
    rows = []
    for each in sets:
        by_checker = people.cross_validated(each.items, _thresholds(each))[0]
        answers = {CHECKER: by_checker, FACTS: each.by_facts}
        answers[EITHER] = [a or b for a, b in zip(by_checker, each.by_facts, strict=True)]
        answers[RULE] = [people.untuned_rule(item) for item in each.items]
        answers[NOVELTY] = people.cross_validated(each.items, people.novelties())[0]
        found = people.rows(each.items, answers, RULE)
        minus_novelty = people.rows(each.items, answers, NOVELTY)[-1]
        cells = [row.values["balanced accuracy"] for row in (*found, minus_novelty)]
        rows.append([each.title, *(shown(completions.Interval(*cell)) for cell in cells)])
    header = ["set", *names, f"{CHECKER} minus {RULE}", f"{CHECKER} minus {NOVELTY}"]
    note = f"Thresholds of {CHECKER} and {NOVELTY} (runs of 1 to 3) are cross-validated by source."
    return Table("The checker: balanced accuracy", header, rows, note)


def _thresholds(each: Reported) -> list[tuple[str, people.Detector]]:
    """Thresholds of the checker, to choose from."""
    of = dict(zip(each.items, each.support, strict=True))

    def below(item: people.Labelled, step: float) -> bool:
        return bool(of[item] < step)

    steps = np.quantile(each.support, np.linspace(0, 1, STEPS + 1)[1:])
    return [(f"{step:.3f}", partial(below, step=step)) for step in steps]


def _calibration(sets: Sequence[Reported]) -> Table:
    """The share of right statements by their support."""
    edges = np.linspace(0, 1, BINS + 1)
    rows = []
    for each in sets:
        place = np.clip(np.digitize(each.support, edges) - 1, 0, BINS - 1)
        right = [~each.wrong[place == number] for number in range(BINS)]
        rows.append([each.title, *(f"{np.mean(part):.2f} of {len(part)}" if len(part) else "-" for part in right)])
    header = ["set", *(f"{low:.1f} to {high:.1f}" for low, high in pairwise(edges))]
    return Table("The checker: share of right statements by support", header, rows, "")


def _recalls(each: Reported, known_good: dict[str, Any]) -> Table:
    """Recall by class of error at the false alarms of ALARMS, and those that there really are."""
    draw = completions.Draw([item.cluster for item in each.items])
    facts = np.array(each.by_facts)
    novel = np.array([_new(item.statement, item.source) for item in each.items])
    flagged = {FACTS: facts, RULE: np.array([people.untuned_rule(item) for item in each.items])}
    for alarms in ALARMS:
        tuned, oracle = (checker.threshold_at(alarms, of) for of in (known_good[CHECKER], each.support[~each.wrong]))
        flagged[f"{CHECKER}, {alarms:.0%}"] = each.support < tuned
        flagged[f"{FACTS} or {CHECKER}, {alarms:.0%}"] = facts | (each.support < tuned)
        flagged[f"{CHECKER}, {alarms:.0%} by an oracle"] = each.support < oracle
        flagged[f"{NOVELTY}, {alarms:.0%}"] = novel < checker.threshold_at(alarms, known_good[NOVELTY])
    kinds = np.array(each.kinds)
    groups = [~each.wrong, each.wrong, *(kinds == kind for kind in CLASSES if (kinds == kind).any())]
    rows = [[name, *(shown(draw.share(found & group, group)) for group in groups)] for name, found in flagged.items()]
    header = ["detector, false alarms aimed at", "false alarms", "recall"]
    header += [f"recall, {kind}" for kind in CLASSES if (kinds == kind).any()]
    return Table(f"The checker: {each.title}", header, rows, "")


def shown(interval: completions.Interval) -> str:
    """A share with its interval."""
    if interval.value != interval.value:  # NaN
        return "-"
    if interval.low < 0:
        return f"{interval.value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
    return f"{interval.value:.2f} ({interval.low:.2f}-{interval.high:.2f})"
