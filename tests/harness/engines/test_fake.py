"""The fake engine: deterministic, scriptable, and able to fail."""

from harness.engines import open_engine
from harness.engines.config import EngineConfig
from harness.engines.fake import FakeEngine
from harness.schema import Request, Sampling


def request(key: str, ids: tuple[int, ...] = (1, 2), variant: str = "tuned", max_tokens: int = 8) -> Request:
    return Request(key=key, ids=ids, sampling=Sampling(max_tokens=max_tokens), variant=variant)


def test_the_same_ids_and_variant_give_the_same_reply() -> None:
    one, other = (next(FakeEngine().generate([request(key)])) for key in ("a", "b"))
    assert one.text == other.text
    changed = next(FakeEngine().generate([request("a", ids=(1, 3))]))
    tuned = next(FakeEngine().generate([request("a", variant="baseline")]))
    assert len({one.text, changed.text, tuned.text}) == 3


def test_replies_come_by_key_or_from_a_rule() -> None:
    assert next(FakeEngine({"a": "none"}).generate([request("a")])).text == "none"
    assert next(FakeEngine(lambda r: f"{len(r.ids)} ids").generate([request("a")])).text == "2 ids"
    engine = open_engine(EngineConfig(name="fake", replies={"a": ""}), {}, max_model_len=100)
    assert next(engine.generate([request("a")])).text == ""


def test_a_long_reply_is_cut_at_max_tokens() -> None:
    found = next(FakeEngine({"a": "one two three"}).generate([request("a", max_tokens=2)]))
    assert (found.text, found.finish_reason, found.output_tokens) == ("one two", "length", 2)


def test_chosen_requests_fail_and_the_others_do_not() -> None:
    found = {c.key: c for c in FakeEngine(fail={"b"}).generate([request("a"), request("b"), request("c")])}
    assert {k: c.finish_reason for k, c in found.items()} == {"a": "stop", "b": "error", "c": "stop"}
    assert found["b"].error and not found["a"].error


def test_a_prompt_that_leaves_no_room_fails_alone() -> None:
    engine = open_engine(EngineConfig(name="fake"), {}, max_model_len=10)
    found = {c.key: c for c in engine.generate([request("long", ids=(1,) * 9), request("short")])}
    assert (found["short"].finish_reason, found["long"].finish_reason) == ("stop", "error")
    assert "9 tokens" in str(found["long"].error) and "10" in str(found["long"].error)
