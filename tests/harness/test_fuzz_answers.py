"""Whatever a model, a judge or a server answers: it is scored, unscored with a reason, or refused."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.openai import protocol
from harness.engines.openai.pool import Fault, Pool, RequestRefused, Server, _error_text, _retry_after
from harness.errors import Unavailable
from harness.judges import rubric
from harness.schema import Case, Completion, Request, Sampling
from harness.scoring import json_answer, labels, multiple_choice, numeric, short_answer
from harness.scoring.base import run
from harness.suites.discovery import find_suites
from harness.suites.suite import Scorer, Suite
from tests.harness.scoring.test_properties import FRAGMENTS
from tests.support.fuzzing import BYTES, FEW, JUNK, as_json, changed, survives

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in (ROOT / "evalsuites").rglob("gates.toml"))
NAMES = {f"{folder.parent.name}/{folder.name}": folder for folder in FOLDERS}


def answers(*pieces: str) -> st.SearchStrategy[str]:
    """Texts of a model that knows the case: its own words, pieces of them, traps, and anything."""
    cuts = [piece[at : at + 40] for piece in pieces for at in (0, len(piece) // 2)]
    known = st.sampled_from([*FRAGMENTS, *cuts, *(piece[:400] for piece in pieces)])
    return st.lists(known | st.text(max_size=10), max_size=8).map("".join)


def check(scorers: Sequence[Scorer], case: Case, text: str, reason: str) -> None:
    answer = Completion(key="k", text=text, finish_reason=reason, prompt_tokens=0, output_tokens=0)  # type: ignore[arg-type]
    for name, score in run(scorers, case, answer).items():
        assert not score.failed, f"{name}: {score.reason}"
        assert all(text[span.start : span.end] == span.quote for span in score.spans), name


REASONS = st.sampled_from(["stop", "length"])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_scorers_of_a_suite_score_any_answer(name: str) -> None:
    (suite,) = (one for one in find_suites([str(NAMES[name])]) if isinstance(one, Suite))
    try:
        cases = list(suite.cases[:: max(1, len(suite.cases) // 5)])[:6]
    except Unavailable as missing:
        pytest.skip(str(missing))

    @FEW
    @given(st.data())
    def any_answer(data: st.DataObject) -> None:
        case = data.draw(st.sampled_from(cases))
        text = data.draw(answers(*case.expected, *case.input.values(), "; ".join(case.expected)))
        check(suite.scorers, case, text, data.draw(REASONS))

    any_answer()


SCHEMA = {"type": "object", "properties": {"rent": {"type": "number"}}, "required": ["rent"]}
CLOSED = [labels.among(["lease", "deed", "due on sale"]), numeric.within(relative=0.1), short_answer.exactly]


@FEW
@given(answers("lease", "deed; lease", "$1,000.00", "1e400", "-0", "½"), REASONS)
def test_closed_answers_are_scored_whatever_they_are(text: str, reason: str) -> None:
    check(CLOSED[:1], Case(id="x", input={}, expected=["lease"], cluster="c"), text, reason)
    check(CLOSED[1:2], Case(id="x", input={}, expected=["1000"], cluster="c"), text, reason)
    check(CLOSED[2:], Case(id="x", input={}, expected=["lease"], cluster="c"), text, reason)


@FEW
@given(as_json({"rent": 5, "more": [1, {"a": None}]}) | BYTES.map(lambda b: b"```json\n" + b + b"\n```"), REASONS)
def test_any_answer_in_json_is_scored(content: bytes, reason: str) -> None:
    case = Case(id="x", input={}, expected=[json.dumps({"rent": 5})], cluster="c")
    check([json_answer.matching(SCHEMA)], case, content.decode("utf-8", errors="replace"), reason)


@FEW
@given(st.lists(st.floats(), max_size=4).map(tuple))
def test_any_log_probabilities_of_options_are_scored_or_unscored(found: tuple[float, ...]) -> None:
    case = Case(id="x", input={}, expected=["A"], cluster="c")
    answer = Completion(
        key="k", text="A", finish_reason="stop", prompt_tokens=0, output_tokens=1, option_logprobs=found
    )
    assert not any(score.failed for score in run([multiple_choice.likeliest(["A", "B"])], case, answer).values())


@FEW
@given(
    as_json({"verdict": "yes", "reason": "so"}).map(lambda b: b.decode("utf-8", errors="replace"))
    | answers('{"verdict": "no"}')
)
def test_any_reply_of_a_judge_is_a_verdict_or_none_with_what_is_wrong(reply: str) -> None:
    label, said = rubric.read_verdict(reply, ("no", "yes"))
    assert label in ("no", "yes") or (label is None and said)


ASKED = Request(
    key="k",
    ids=(1, 2),
    variant="tuned",
    sampling=Sampling(max_tokens=4, stop_ids=(9,), logprobs=True, logprob_ids=(5,)),
)
SAID: dict[str, Any] = {
    "model": "m",
    "choices": [
        {
            "text": "t", "finish_reason": "stop", "token_ids": [5, 9], "prompt_token_ids": [1, 2],
            "logprobs": {"token_logprobs": [-0.1, -0.2], "tokens": ["token_id:5", "token_id:9"],
                         "top_logprobs": [{"token_id:5": -0.1}, {"token_id:9": -0.2}]},
        }
    ],
    "usage": {"prompt_tokens": 2, "completion_tokens": 2},
}  # fmt: skip
NOT_FINITE = st.sampled_from([float("nan"), float("inf"), float("-inf")])


def test_the_reply_that_the_fuzzing_starts_from_is_an_answer() -> None:
    found = protocol.read(ASKED, SAID, "m", lambda ids: "text", "u", 1.0)
    assert (found.text, found.finish_reason, found.option_logprobs) == ("text", "stop", (-0.1,))


def decode(ids: list[int]) -> str:
    """As strict as a tokenizer: anything but ids that it knows is an error of the one who asked."""
    assert all(type(one) is int and 0 <= one < 2**32 for one in ids)
    return " ".join(map(str, ids))


@FEW
@given(changed(SAID).filter(lambda said: isinstance(said, dict)), st.none() | NOT_FINITE)
def test_any_reply_of_a_server_is_an_answer_or_an_error(said: dict[str, Any], odd: float | None) -> None:
    if odd is not None:
        said = said | {"usage": {"prompt_tokens": odd, "completion_tokens": odd}}
    found = survives(protocol.read, ASKED, said, "m", decode, "http://u", 1.0)
    if found is not None and found.finish_reason != "error":
        assert all(one == one and abs(one) != float("inf") for one in (*found.logprobs, *found.option_logprobs))


WAITS = st.sampled_from(["nan", "inf", "-inf", "1e999", "Wed, 21 Oct 99999 07:28:00 GMT", "Wed, 32 Foo 2015", "-1", ""])


@FEW
@given(
    BYTES | as_json({"error": {"message": "m"}}), WAITS | st.text(st.characters(max_codepoint=126, min_codepoint=32))
)
def test_any_refusal_of_a_server_is_told_in_one_short_line(body: bytes, wait: str) -> None:
    got = httpx.Response(500, content=body, headers={"Retry-After": wait})
    said = _error_text(got)
    assert said and "\n" not in said and len(said) <= 300
    asked_to_wait = _retry_after(got)
    assert asked_to_wait is None or asked_to_wait >= 0


@FEW
@given(st.sampled_from([200, 204, 301, 400, 404, 429, 500]), as_json({"data": [{"id": "m", "owned_by": "vllm"}]}), JUNK)
def test_any_server_is_learnt_of_or_left_alone(status: int, body: bytes, version: Any) -> None:
    """Its list of models and its version, each whatever it likes."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/version":
            return httpx.Response(200, json={"version": version})
        return httpx.Response(status if request.url.path == "/v1/models" else 200, content=body)

    async def look() -> None:
        async def prove(server: Server) -> None: ...

        pool = Pool(["http://u"], prove, timeout_s=1, patience_s=1)
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
            pool._client = client
            try:
                await pool.learn(pool.servers[0])
            except (Fault, RequestRefused):
                return

    survives(lambda: asyncio.run(look()))
