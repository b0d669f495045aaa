"""Suite: the declaration of one domain task.

suite = Suite(cases="cases.jsonl", prompt="prompt.jinja", scorers=[clauses.found])

@suite.case(where={"kind": "no_such_clause"})
def test_never_invents_a_clause(record):
    assert record.scores.clauses.invented == []
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct, structs

from harness import json_schema as harness_json_schema
from harness.errors import UserError, own_code, refuse_all
from harness.files import absolute, digest, shown_path, struct_of
from harness.schema import Case, Completion, Metric, Record, Score, Scores, storable
from harness.suites.cases import cases_hash, check_cases, load_cases, repeats, spellings
from harness.suites.tables import HUB

if TYPE_CHECKING:
    import jinja2

Scorer = Callable[[Case, Completion], Score]
Count = Annotated[int, Meta(ge=1)]
Temperature = Annotated[float, Meta(ge=0)]
EXPECTED = {
    str: "a text",
    bool: "True or False",
    list[str]: "a list of texts, such as ['a']",
    Count: "a whole number of at least 1",
    Temperature: "a number of at least 0",
}


class _Arguments(Struct):
    """Types of a suite's plain arguments; in a run's record others would be a defect."""

    primary: str
    general: bool
    cluster: str
    slices: list[str]
    shape: str
    max_tokens: Count
    samples: Count
    temperature: Temperature
    options: list[str]
    choice: list[str]
    leave_out_long: bool
    licence: str


def _not_scorers(scorers: object) -> Iterator[str]:
    """Say what a suite has in place of scorers."""
    if not isinstance(scorers, list | tuple):
        yield f"'scorers' is {scorers!r}, expected a list of scorers. Write [...] around it"
        return
    for scorer in scorers:
        if not callable(scorer):
            yield f"'scorers' has {scorer!r}, expected scorers, such as those of harness.scoring"
        elif "Scorer" in str(getattr(scorer, "__annotations__", {}).get("return")):
            yield f"'scorers' has {scorer.__qualname__}, which makes a scorer. Call it: {scorer.__qualname__}(...)"


class CaseTest:
    """A test function over one record, with the cases it applies to."""

    __test__ = False

    def __init__(
        self,
        function: Callable[[Record], Any],
        suite: Suite,
        must: bool,
        where: Mapping[str, str],
        module: Mapping[str, Any],
    ) -> None:
        self.function = function
        self.module = module
        self.suite = suite
        self.must = must
        self.where = dict(where)
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, record: Record) -> Any:
        return self.function(record)

    def applies(self, case: Case) -> bool:
        return all(case.tags.get(tag) == value for tag, value in self.where.items())

    def _modules(self) -> Iterator[Mapping[str, Any]]:
        """Where pytest may find its name: what declared it, or another file in the suite's folder."""
        yield self.module
        for module in list(sys.modules.values()):
            if Path(getattr(module, "__file__", None) or "").parent == self.suite.folder:
                yield vars(module)

    def problems(self) -> list[str]:
        """Say why it would never run: pytest does not find it, or it applies to no case of the suite; else empty."""
        if not any(named is self for module in self._modules() for named in module.values()):
            return [
                f"{self.suite.name}: {self.__name__} would never run: it is inside a class or function, or a later one "
                "has its name. Move or rename it"
            ]
        try:
            inspect.signature(self.function, follow_wrapped=False).bind(None)
        except (TypeError, ValueError) as error:
            return [
                f"{self.suite.name}: {self.__name__} cannot be called with the record alone ({error}), and a case test "
                "has no fixtures and no `parametrize`. Loop over values inside of it"
            ]
        if any(map(self.applies, self.suite.cases)):
            return []
        tags = ", ".join(f"{tag!r}: {value!r}" for tag, value in self.where.items())
        return [
            f"{self.suite.name}: no case has the tags {{{tags}}} that where= of {self.__name__} names. Correct them, "
            "or add such a case"
        ]


class Suite:
    """Cases, prompt, scorers, tests and gates of one domain task, in the folder of the file that declares it.

    Args:
        cases: JSONL, CSV or Parquet file in the folder, `hf:owner/name@COMMIT#SPLIT`, or a function that returns cases;
            it raises Unavailable where they cannot be had
        prompt: template of the user message, in the folder
        scorers: the checks of each answer; at most one per name
        primary: the metric that a case must not lose by; without it, that of the first gate
        general: whether it checks general abilities that tuning must not lose; a report says if no suite does
        cluster: the noun for what cases share, such as contract; intervals and tests count clusters
        slices: tags whose values are reported separately, and that gates may name
        shape: task shape, such as `excerpt` or `whole contract`; metrics of two shapes are never compared
        max_tokens: maximum number of tokens of an answer; a truncated answer is wrong
        samples: answers per case, averaged inside the case
        temperature: sampling temperature; 0 is greedy
        options: possible answers of a multiple-choice question; the engine also gives each one's log probability
        choice: the only texts that an answer may be
        json_schema: a mapping, or a file in the folder; an answer must be JSON that obeys it
        leave_out_long: leave out and count cases that are longer than the model's context; without it they are an
            error; over 1% left out, no gate passes
        floor: a rule-based answer that every model must beat
        licence: licence of the cases
    """

    def __init__(
        self,
        *,
        cases: str | Path | Callable[[], Iterable[Case]] = "cases.jsonl",
        prompt: str = "prompt.jinja",
        scorers: Sequence[Scorer],
        primary: str = "",
        general: bool = False,
        cluster: str = "contract",
        slices: Sequence[str] = (),
        shape: str = "excerpt",
        max_tokens: int = 64,
        samples: int = 1,
        temperature: float = 0.0,
        options: Sequence[str] = (),
        choice: Sequence[str] = (),
        json_schema: str | Path | Mapping[str, Any] | None = None,
        leave_out_long: bool = False,
        floor: Callable[[Case], str] | None = None,
        licence: str = "",
    ) -> None:
        from harness.suites.score_files import factory_arguments

        plain = {name: value for name, value in locals().items() if name in _Arguments.__struct_fields__}
        frame = sys._getframe(1)
        if "__file__" not in frame.f_globals:
            raise UserError(
                "Suite(...) was called in a console or notebook, expected in a file test_*.py in the folder of its "
                "cases and prompt. Write it there, and name the folder"
            )
        file = absolute(frame.f_globals["__file__"])
        place, problems = f"{shown_path(file)}:{frame.f_lineno}: Suite(...)", list[str]()
        struct_of(_Arguments, plain, place, problems, EXPECTED)
        problems += [f"{place}: {problem}" for problem in _not_scorers(scorers)]
        refuse_all(problems, f"{place} cannot be used")
        self.declared_at = f"{file}:{frame.f_lineno}"
        self.folder = file.parent
        self.is_long = False
        self.place = self.name = f"{self.folder.parent.name}/{self.folder.name}"
        self.title = ((frame.f_globals.get("__doc__") or "").strip().splitlines() or [self.name])[0]
        self.scorers = list(scorers)
        self._arguments = [*map(factory_arguments, self.scorers)]
        self._alike = ""
        self.primary = primary
        self.general = general
        self.cluster = cluster
        self.slices = list(slices)
        self.shape = shape
        self.max_tokens = max_tokens
        self.samples = samples
        self.temperature = temperature
        self.options = tuple(options)
        self._choice = tuple(choice)
        self._json_schema = json_schema
        self.leave_out_long = leave_out_long
        self.floor = floor
        self.licence = licence
        self.gates_path = self.folder / "gates.toml"
        self.tests: list[CaseTest] = []
        self._cases = cases if callable(cases) else os.fspath(cases)
        self._prompt = self.folder / prompt

    def use_cases(self, file: Path) -> None:
        """Replace its cases by those of a file, before they are read. Its name, and so every record, names the file."""
        self.name, self.licence, self._cases = f"{self.place} ({file.name})", "", str(file.absolute())

    @property
    def has_other_cases(self) -> bool:
        """Whether the cases are not its own, so that no verdict is one on the suite."""
        return self.name != self.place

    @cached_property
    def cases(self) -> Sequence[Case]:
        """Every case, checked. Raises UserError, or Unavailable where the data is not on this machine."""
        if callable(self._cases):
            with own_code(f"{self.name}: its cases cannot be read", self.folder):
                cases: Sequence[Case] = check_cases(self._cases(), self.name)
            where = self.name
        else:
            hub = self._cases.startswith(HUB)
            path = self.folder / self._cases
            cases, where = (load_cases(self._cases), self._cases) if hub else (load_cases(path), shown_path(path))
        problems = [f"{where}: {problem}" for case in cases for problem in self.problems(case)]
        refuse_all(problems, f"{self.name}: cases that its scorers cannot score")
        repeated, self._alike = repeats(cases)
        refuse_all([f"{where}: {problem}" for problem in (repeated, spellings(cases)) if problem], where)
        return cases

    @property
    def cases_path(self) -> Path | None:
        """The file of its cases; None where a function builds them or they are on the hub."""
        return None if callable(self._cases) or self._cases.startswith(HUB) else self.folder / self._cases

    def warnings(self) -> list[str]:
        """List what makes its cases worth less than their number."""
        return [f"{self.name}: {self._alike}"] if self.cases and self._alike else []

    def problems(self, case: Case) -> list[str]:
        """List its scorers' problems with a case, before any model is run."""
        checks = (getattr(scorer, "check", None) for scorer in self.scorers)
        with own_code(f"{self.name}: a scorer cannot check case '{case.id}'", self.folder):
            return [problem for check in checks if check for problem in check(case)]

    def score(self, case: Case, completion: Completion) -> Scores:
        """Score one completion's answer with every scorer, as a run stores it; see `harness.scoring.base.run`.

        Raises UserError where one changes the case, since the next answer would be scored by what is left of it.
        """
        from harness.scoring.base import run

        given = structs.replace(case, input={**case.input}, expected=[*case.expected], tags={**case.tags})
        answer = structs.replace(completion, text=completion.answer)
        scores = Scores({name: storable(score) for name, score in run(self.scorers, case, answer).items()})
        if case != given:
            raise UserError(
                f"{self.name}: a scorer changed case '{case.id}', by which other answers are scored too. Change a copy "
                "in it, such as list(case.expected)"
            )
        return scores

    @cached_property
    def template(self) -> jinja2.Template:
        from harness.suites.prompts import load_template

        return load_template(self._prompt)

    @cached_property
    def prompt(self) -> str:
        """Text of the prompt template."""
        from harness.suites.prompts import read_template

        return read_template(self._prompt)

    @cached_property
    def prompt_hash(self) -> str:
        """Digest of the prompt template's text, the answer's token limit, temperature, options and structure."""
        decoding = [self.max_tokens, self.temperature, self.options, *([self.structure] if self.structure else [])]
        return digest([self.prompt, *decoding])

    @cached_property
    def structure(self) -> dict[str, Any]:
        """The constraint on answers, as fields of Sampling: `choice` or `json_schema`; {} without one."""
        if self._json_schema is None:
            if "" in self._choice or len(set(self._choice)) < len(self._choice):
                raise UserError(f"{self.name}: Suite(choice=...) has a duplicate or empty text: {self._choice}")
            return {"choice": self._choice} if self._choice else {}
        if self._choice:
            raise UserError(f"{self.name}: Suite has choice= and json_schema=; only one can be enforced: leave one out")
        source = self._json_schema
        schema = harness_json_schema.read(source if isinstance(source, Mapping) else self.folder / source)
        text = json.dumps(schema, ensure_ascii=False)
        harness_json_schema.validator(text)
        return {"json_schema": text}

    @cached_property
    def cases_hash(self) -> str:
        return cases_hash(self.cases)

    @cached_property
    def metrics(self) -> list[Metric]:
        """Metrics of the scorers, in their order.

        Raises UserError where none of them is the primary metric, and for a scorer whose code has no file.
        """
        from harness.scoring import base

        refuse_all(
            [
                f"{self.name}: the scorer '{base.name_of(scorer)}' is a {type(function).__name__}, expected a "
                "function: its version is that of its file. Write it with `def`"
                for scorer in self.scorers
                if isinstance(scorer, base.Scorer | partial)
                and not hasattr(function := getattr(scorer, "function", scorer), "__qualname__")
            ],
            f"{self.name}: scorers that cannot be used",
        )
        metrics = base.metrics_of(self.scorers)
        names = [metric.name for metric in metrics]
        if self.primary and self.primary not in names:
            known = ", ".join(names) or "none"
            raise UserError(
                f"{self.name}: Suite(primary={self.primary!r}) is not a metric of its scorers. They have: {known}"
            )
        return metrics

    @cached_property
    def scorer_versions(self) -> dict[str, str]:
        """Each scorer's version by the name of its scores: its source, all modules it imports, its configuration."""
        from harness.scoring.base import name_of, version_of

        with_arguments = zip(self.scorers, self._arguments, strict=True)
        return {name_of(s): digest([version_of(s), a])[:12] if a else version_of(s) for s, a in with_arguments}

    @cached_property
    def scorers_hash(self) -> str:
        """Digest of the scorers' versions, in their order, and of a project's other files that may decide scores."""
        from harness.suites.score_files import deciding_files

        sources = [Path(inspect.getfile(sys.modules[scorer.__module__])) for scorer in self.scorers]
        test = Path(self.declared_at.rpartition(":")[0])
        own = [] if type(self) is Suite else [test]
        files = deciding_files(self.folder / test.name, [*sources, *own], [self.cases_path, self._prompt])
        return digest([*self.scorer_versions.values(), *([files] if files else [])])

    def slice_values(self) -> dict[str, list[str]]:
        """Return the sorted values of each slice tag over all cases. Raises UserError for a slice that no case has."""
        values = {tag: sorted({c.tags[tag] for c in self.cases if tag in c.tags}) for tag in self.slices}
        empty = [tag for tag, tag_values in values.items() if not tag_values]
        if empty:
            raise UserError(f"{self.name}: no case has the tag {empty[0]!r} that Suite(slices=...) names. Add it")
        return values

    def case(
        self,
        function: Callable[[Record], Any] | None = None,
        /,
        *,
        must: bool = False,
        where: Mapping[str, str] | None = None,
    ) -> Any:
        """Declare a case test. `must=True`: a miss fails the session; `where` keeps the cases with these tags."""
        module = sys._getframe(1).f_globals

        def declare(test: Callable[[Record], Any]) -> CaseTest:
            declared = CaseTest(test, self, must, where or {}, module)
            self.tests.append(declared)
            return declared

        return declare(function) if function is not None else declare
