"""The canary stops a run whose base rows are touched or whose adapter does nothing, and says which variant."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from harness.engines import canary
from harness.errors import CanaryFailed
from harness.schema import Checkpoint, Completion

TEXTS = [(1, 2), (3, 4), (5, 6)]
ADAPTERS = {"tuned": Checkpoint(name="runs/a0", kind="adapter", path="/b", digest="d")}


class Served:
    """Answers canary rows from numbers: the effect of a variant, and faults that a real engine can have."""

    def __init__(self, effect: float = 0.3, leak: float = 0.0, jitter: float = 0.0) -> None:
        self.effect, self.leak, self.jitter = effect, leak, jitter
        self.calls: list[list[str]] = []

    def ask(self, rows: Sequence[canary.Row]) -> list[Completion]:
        variants = [variant for variant, _ in rows]
        self.calls.append(variants)
        mixed = len(set(variants)) > 1
        found = []
        for variant, ids in rows:
            own = self.effect if variant == "tuned" else self.leak if mixed else 0.0
            wobble = self.jitter * (len(rows) > len(TEXTS))
            found.append(answer((-1.0 - own - wobble, -2.0), ids))
        return found


def answer(logprobs: tuple[float, ...], ids: tuple[int, ...] = (8, 9)) -> Completion:
    return Completion(
        key="k", text="", finish_reason="length", prompt_tokens=2, output_tokens=2, output_ids=ids, logprobs=logprobs
    )


def check(served: Served, exact: bool = True) -> dict[str, object]:
    return canary.check_shared(served.ask, TEXTS, "baseline", ADAPTERS, exact=exact)


def test_a_sound_engine_passes_and_reports_the_effect() -> None:
    """Base and adapter rows are interleaved in one call."""
    served = Served(effect=0.25)
    found = check(served)
    assert found["effect"] == {"tuned": pytest.approx(0.25)} and found["base_moved"] == 0.0
    assert served.calls == [["baseline"] * 3, ["baseline", "tuned"] * 3]


def test_base_rows_that_move_stop_the_run() -> None:
    with pytest.raises(CanaryFailed, match=r"answers of 'baseline' change by 0.001 .* nothing was scored"):
        check(Served(leak=0.001))


def test_an_adapter_without_effect_stops_the_run_and_is_named() -> None:
    with pytest.raises(CanaryFailed, match=r"'tuned' \(runs/a0\) answers exactly like its base"):
        check(Served(effect=0.0))


def test_noise_is_measured_where_results_are_not_exact() -> None:
    found = check(Served(effect=0.3, leak=0.0, jitter=0.01), exact=False)
    assert found["noise"] == pytest.approx(0.01)
    with pytest.raises(CanaryFailed, match="answers exactly like its base"):
        check(Served(effect=0.0, jitter=0.01), exact=False)
    with pytest.raises(CanaryFailed, match="answers of 'baseline' change"):
        check(Served(leak=0.2, jitter=0.01), exact=False)


def test_the_gap_looks_up_to_the_first_token_that_differs() -> None:
    one = answer((-1.0, -2.0, -3.0), (8, 9, 10))
    assert canary.gap(one, answer((-1.0, -2.0, -3.5), (8, 9, 10))) == pytest.approx(0.5)
    assert canary.gap(one, answer((-1.0, -2.25, -9.0), (8, 7, 10))) == pytest.approx(0.25)
    assert canary.gap(one, one) == 0.0


def test_an_answer_that_failed_is_not_taken_for_an_effect() -> None:
    broken = Completion(
        key="k", text="", finish_reason="error", prompt_tokens=1, output_tokens=0, error="out of memory"
    )
    with pytest.raises(CanaryFailed, match="gave no log probabilities"):
        canary.check_differs([answer((-1.0,))], [broken], "tuned", ADAPTERS["tuned"])


def test_kept_rows_come_back_and_broken_ones_are_asked_again(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path))
    base = Checkpoint(name="b", kind="model", path="/b", digest="d", base_digest="w", tokenizer_digest="t")
    file = canary.reference_file({"engine": "vllm"}, base)
    assert canary.load_reference(file) is None
    kept = canary.Reference(rows=[answer((-1.0, -0.1))], noise=0.5)
    canary.save_reference(file, kept)
    assert canary.load_reference(file) == kept
    for other in ({"base_digest": "x"}, {"tokenizer_digest": "x"}):
        assert canary.reference_file({"engine": "vllm"}, structs.replace(base, **other)) != file
    assert canary.reference_file({"engine": "vllm"}, structs.replace(base, name="c", path="/c")) == file
    file.write_text("{")
    assert canary.load_reference(file) is None


def test_a_canary_request_is_greedy_with_log_probabilities() -> None:
    made = canary.request(("tuned", (1, 2)), 3)
    assert (made.key, made.variant, made.ids) == ("canary-3", "tuned", (1, 2))
    assert made.sampling.logprobs and made.sampling.temperature == 0 and made.sampling.stop_ids == ()
