"""Points are ranked by their measure, and the best is told with how much of it may be chance."""

import json

import pytest

from harness.errors import UserError
from harness.schema import Estimate
from harness.stats.power import standard_error
from training.sweep import results, view
from training.sweep.results import Confirmed, SweepMeasure, SweepRow, SweepTable, expected_best, finished


def estimate(value, half=0.05, n=100):
    return Estimate(value=value, low=value - half, high=value + half, n=n)


def row(number, value=None, loss=1.0, size=1000, lr=None, **more):
    """A finished point; `value` is its metric."""
    found = {
        "status": "finished",
        "run": f"run-{number}",
        "metric": None if value is None else estimate(value),
        "validation_loss": loss,
        "trainable_parameters": size,
        "best_step": 4,
        "steps": 6,
        "tokens_per_s": 1234.5,
        "peak_memory_mib": 1536,
        "wall_s": 61.0,
        "diagnosis": "healthy",
    }
    return SweepRow(
        number=number, values={"optim.lr": lr or number / 1000, "lora.r": 8}, steps_planned=6, **found | more
    )


def by_metric(*rows, higher=True, **more):
    measure = SweepMeasure(name="clause_recall", higher_is_better=higher, suite="legal/mini")
    return SweepTable(name="tiny", measure=measure, rows=list(rows), **more)


def by_loss(*rows):
    return SweepTable(name="tiny", measure=SweepMeasure(), rows=list(rows))


FAILED = SweepRow(
    number=9, values={"optim.lr": 0.5, "lora.r": 8}, steps_planned=6, status="failed", error="the loss is nan"
)
WAITING = SweepRow(number=8, values={"optim.lr": 0.4, "lora.r": 8}, steps_planned=6)


@pytest.mark.parametrize(("count", "expected"), [
    (1, 0.0),
    (2, 0.5642),
    (3, 0.8463),
    (5, 1.1630),
    (10, 1.5388),
    (50, 2.2491),
])  # fmt: skip
def test_the_best_of_several_by_chance_is_what_the_tables_of_order_statistics_say(count, expected):
    assert expected_best(count) == pytest.approx(expected, abs=5e-5)


def test_a_standard_error_is_half_the_interval_in_normal_quantiles():
    assert standard_error(estimate(0.5, half=0.098)) == pytest.approx(0.05, abs=1e-4)
    assert standard_error(Estimate(value=0.5, low=0.4, high=0.6, level=0.90)) == pytest.approx(0.1 / 1.6449, abs=1e-4)
    assert standard_error(Estimate(value=0.5)) is None


@pytest.mark.parametrize(("higher", "order"), [(True, [2, 3, 1]), (False, [1, 3, 2])])
def test_the_direction_of_the_metric_decides_who_wins(higher, order):
    found = by_metric(row(1, 0.2), row(2, 0.8), row(3, 0.5), higher=higher)
    assert [r.number for r in found.ranked] == order
    assert found.winner.number == order[0]


def test_the_loss_decides_where_no_suite_is_named():
    assert [r.number for r in by_loss(row(1, loss=1.2), row(2, loss=0.7), row(3, loss=0.9)).ranked] == [2, 3, 1]


def test_ties_go_to_the_lower_loss_then_the_smaller_adapter_then_the_earlier_point():
    rows = [row(1, 0.5, 1.0, 900), row(2, 0.5, 1.0, 800), row(3, 0.5, 1.0, 800), row(4, 0.5, 0.9, 999)]
    assert [r.number for r in by_metric(*rows).ranked] == [4, 2, 3, 1]


def test_a_point_that_measured_nothing_comes_last_and_wins_nothing():
    unmeasured = row(1, metric=Estimate(value=None, reason="no answers"))
    assert [r.number for r in by_metric(unmeasured, row(2, 0.1)).ranked] == [2, 1]
    assert by_metric(unmeasured).winner is None
    assert by_metric(FAILED, WAITING).winner is None


def test_the_caution_counts_measured_points_and_is_in_the_metrics_unit():
    found = by_metric(row(1, 0.5), row(2, 0.6), row(3, metric=Estimate(value=None, reason="x")), FAILED).caution
    assert found.points == 2
    assert found.at_most == pytest.approx(0.05 / 1.959964 * 0.5642, abs=1e-5)
    assert by_metric(row(1, 0.5)).caution.at_most == 0.0
    assert by_loss(row(1), row(2)).caution is None


def test_a_row_holds_what_the_training_recorded():
    record = {
        "selection": {
            "suite": "legal/mini", "metric": "clause_recall", "higher_is_better": True, "cases": 40,
            "before": {"value": 0.1, "low": 0.0, "high": 0.2, "n": 40}, "best": {"value": 0.6, "n": 40},
        },
        "best_step": 20, "steps": 40, "best_validation_loss": 0.5, "trainable_parameters": 77,
        "rates": {"tokens_per_s": 321.0}, "peak_memory_mib": 512, "wall_s": 9.5,
        "diagnosis": {"name": "overfit", "evidence": "e", "change": "c"},
    }  # fmt: skip
    made = finished(WAITING, "run-8", record, "digest")
    assert (made.status, made.run, made.inputs, made.values) == ("finished", "run-8", "digest", WAITING.values)
    assert (made.before.value, made.metric.value, made.metric.n) == (0.1, 0.6, 40)
    assert (made.best_step, made.steps, made.validation_loss, made.diagnosis) == (20, 40, 0.5, "overfit")
    assert (made.tokens_per_s, made.peak_memory_mib, made.wall_s, made.trainable_parameters) == (321.0, 512, 9.5, 77)
    assert finished(WAITING, "run-8", record | {"selection": None}, "").metric is None


def test_the_file_reads_back_as_it_was_and_names_ranking_and_caution(tmp_path):
    confirmed = Confirmed(point=2, trained="run-2", run="t", metric=estimate(0.7), gates={"pass": 1})
    kept = by_metric(row(1, 0.2), row(2, 0.8), FAILED, WAITING, confirmed=confirmed)
    results.write(kept, tmp_path)
    assert results.read(tmp_path) == kept
    raw = json.loads((tmp_path / "sweep.json").read_text())
    assert raw["ranking"] == [2, 1] and raw["caution"]["points"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.json"]
    (tmp_path / "sweep.json").write_text("{")
    with pytest.raises(UserError, match=r"sweep\.json: cannot be read"):
        results.read(tmp_path)


MIXED = by_metric(row(1, 0.2), row(2, 0.8), FAILED, WAITING)


def test_the_page_has_a_line_for_every_point_the_best_first():
    lines = view.markdown(MIXED).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert rows[0] == (
        "| rank | point | changes | clause_recall (95%) | loss | best step | tokens/s | MiB | time | diagnosis |"
    )
    more = "n 100 | 1.0000 | 4 of 6 | 1,234 | 1,536 | 1 min 1 s | healthy |"
    assert rows[2:] == [
        f"| 1 | 2 | lr 0.002, r 8 | 0.800 (0.750 to 0.850), {more}",
        f"| 2 | 1 | lr 0.001, r 8 | 0.200 (0.150 to 0.250), {more}",
        "| - | 9 | lr 0.5, r 8 | - | - | - | - | - | - | failed |",
        "| - | 8 | lr 0.4, r 8 | - | - | - | - | - | - | waiting |",
    ]
    assert "- point 9 (lr 0.5, r 8) failed: the loss is nan" in lines


def test_a_terminal_of_80_columns_shows_everything():
    lines = view.show(MIXED, 80).splitlines()
    assert max(map(len, lines)) <= 80 and not any("…" in line for line in lines)
    cells = [line.split() for line in lines]
    assert ["1", "2", "lr", "0.002", "0.800", "(0.750"] in [c[:6] for c in cells]
    shown = " ".join(" ".join(lines).split())
    for part in ("loss 1.0000", "4 of 6", "1,234 tokens/s", "1,536 MiB", "1 min 1 s", "healthy", "waiting"):
        assert part in shown
    assert "point 9 (lr 0.5, r 8) failed: the loss is nan" in shown


@pytest.mark.parametrize("show", [lambda t: view.show(t, 200), view.markdown])
def test_both_views_say_what_was_compared_who_won_and_how_much_of_it_may_be_chance(show):
    shown = " ".join(show(MIXED).split())
    assert "2 of 4 points by clause_recall of legal/mini on the validation cases, higher is better" in shown
    assert "Best: point 2 (lr 0.002, r 8), run run-2." in shown
    assert "look up to 0.014 better (standard error 0.026 times 0.56;" in shown


def test_by_loss_it_says_that_chance_cannot_be_told_and_how_to_ask_a_test():
    shown = " ".join(view.show(by_loss(row(1, loss=0.9), row(2, loss=0.8)), 200).split())
    assert "2 of 2 points by validation loss" in shown
    assert "Its metric has no interval" in shown
    assert "pytest evalsuites --checkpoint" in shown
    assert "looks better" not in view.show(by_loss(row(1)), 200)


def test_the_test_is_shown_beside_the_number_that_chose():
    confirmed = Confirmed(
        point=2, trained="run-2", run="test-run", metric=estimate(0.7), baseline=estimate(0.3),
        difference=estimate(0.4), gates={"pass": 3, "fail": 1}, earlier=["sweep-tiny-0"],
    )  # fmt: skip
    shown = " ".join(view.show(by_metric(row(1, 0.2), row(2, 0.8), confirmed=confirmed), 200).split())
    assert "point 2 is 0.700 (0.650 to 0.750), n 100 on the test cases, against 0.800 (0.750 to 0.850), n 100" in shown
    assert "base model has 0.300 (0.250 to 0.350), n 100; the difference is +0.400 (+0.350 to +0.450), paired" in shown
    assert "Gates: 3 pass, 1 fail." in shown and "used before by sweep-tiny-0" in shown
    assert "no longer the best" not in shown
    other = " ".join(view.show(by_metric(row(1, 0.9), row(2, 0.8), confirmed=confirmed), 200).split())
    assert "point 2, which is no longer the best. It does not run twice: evaluate point 1" in other


def test_the_test_of_a_point_that_was_trained_again_is_not_shown_beside_its_new_number():
    confirmed = Confirmed(point=2, trained="run-2", run="test-run", metric=estimate(0.7))
    again = by_metric(row(1, 0.2), row(2, 0.9, run="run-3"), confirmed=confirmed)
    shown = " ".join(view.show(again, 200).split())
    assert "point 2 is 0.700 (0.650 to 0.750), n 100 on the test cases. Run test-run." in shown
    assert "The test ran for point 2 before it was trained again. It does not run twice: evaluate point 2" in shown
