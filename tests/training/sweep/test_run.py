"""A sweep trains every point once, lives through points that fail and through Ctrl-C, and asks the test once."""

import json
from pathlib import Path

import msgspec
import pytest

from harness.errors import EXIT_INTERRUPTED, UserError
from harness.runs.folder import RunFolder, load_run
from harness.schema import Estimate, Manifest
from tests.support.command import outcome
from tests.support.mini import rows as cases
from tests.support.mini import write_suite
from tests.training.sweep.conftest import GRID
from training.config_file import load as load_config
from training.run import Interrupted
from training.sweep import run as sweeping
from training.sweep.run import Ended, Processes


def record_of(config, loss, selection=None):
    """What a training would record."""
    return {
        "name": config.output.name,
        "best_validation_loss": loss,
        "best_step": 4,
        "steps": 6,
        "trainable_parameters": config.lora.r * 100,
        "rates": {"tokens_per_s": 100.0},
        "peak_memory_mib": 10,
        "wall_s": 2.0,
        "diagnosis": {"name": "healthy", "evidence": "e", "change": "c"},
        "selection": selection,
    }


@pytest.fixture
def hand_made(monkeypatch):
    """Trainings that take no time: each point ends as the given function of its configuration says.

    It gives a loss, a record, or an Ended. Returns the names of the points trained, in order.
    """

    def make(outcome):
        trained = []

        def train(self, file, relay):
            config = load_config(file)
            trained.append(config.output.name[-3:])
            made = outcome(config)
            if isinstance(made, Ended):
                return made
            run = RunFolder.create(Path(config.output.dir), config.output.name)
            record = made if isinstance(made, dict) else record_of(config, made)
            run.write_manifest(
                Manifest(
                    run_id=run.path.name,
                    kind="train",
                    status="finished",
                    started="2026-01-01T00:00:00Z",
                    training=record,
                )
            )
            run.seal()
            return Ended(run=run.path)

        monkeypatch.setattr(Processes, "train", train)
        return trained

    return make


def by_rate(config):
    return 10 * config.optim.lr + config.lora.r / 1000


def test_a_sweep_trains_every_point_once_and_keeps_a_table_and_a_page(write_sweep, hand_made, tmp_path, capsys):
    trained = hand_made(by_rate)
    made = sweeping.sweep(write_sweep())
    assert trained == ["p01", "p02", "p03", "p04"]
    assert made.folder.parent == tmp_path / "runs" and made.folder.name.startswith("sweep-tiny-")
    kept = sorted(str(p.relative_to(made.folder)) for p in made.folder.rglob("*") if p.is_file() and p.name[0] != ".")
    assert kept == [*(f"points/0{n}.toml" for n in (1, 2, 3, 4)), "sweep.json", "sweep.md"]
    table = json.loads((made.folder / "sweep.json").read_text())
    assert table["ranking"] == [1, 2, 3, 4] and made.table.winner.number == 1
    assert [row["validation_loss"] for row in table["rows"]] == pytest.approx([0.104, 0.108, 0.204, 0.208])
    assert "Best: point 1 (lr 0.01, r 4, alpha 8)" in (made.folder / "sweep.md").read_text()
    shown = capsys.readouterr().err
    assert "sweep: point 2 of 4: optim.lr = 0.01, lora.r = 8, lora.alpha = 16" in shown
    assert sweeping.sweep(tmp_path / "sweep.toml").table == made.table
    assert trained == ["p01", "p02", "p03", "p04"]
    assert "4 of 4 points are already trained" in capsys.readouterr().err


def test_time_left_goes_by_the_rows_that_points_see_and_is_silent_at_first(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pace = sweeping.SweepPace()
    assert pace.left(10) == ""
    pace.add(30.0, 100)
    now[0] += 29
    assert pace.left(500) == ""
    pace.add(90.0, 300)
    now[0] += 90
    assert pace.left(200) == "about 1 min 0 s left"


def test_a_point_that_fails_is_a_row_and_only_it_is_tried_again(write_sweep, hand_made, capsys):
    broken = {"p02"}
    trained = hand_made(lambda c: Ended(error="out of memory") if c.output.name[-3:] in broken else by_rate(c))
    made = sweeping.sweep(write_sweep())
    assert [row.status for row in made.table.rows] == ["finished", "failed", "finished", "finished"]
    assert made.table.rows[1].error == "out of memory" and "point 2 failed: out of memory" in capsys.readouterr().err
    assert "point 2 (lr 0.01, r 8, alpha 16) failed: out of memory" in sweeping.shown(made, 200)
    broken.clear()
    again = sweeping.sweep(made.path)
    assert trained == ["p01", "p02", "p03", "p04", "p02"]
    assert "point 2 of 4: optim.lr = 0.01, lora.r = 8, lora.alpha = 16\n" in capsys.readouterr().err
    assert [row.number for row in again.table.ranked] == [1, 2, 3, 4]


def test_a_sweep_without_a_finished_point_is_an_error_that_names_each(write_sweep, hand_made):
    hand_made(lambda c: Ended(error=f"no luck with {c.lora.r}"))
    with pytest.raises(UserError) as refused:
        sweeping.sweep(write_sweep('config = "train.toml"\n[vary]\nlora.r = [4, 8]\n'))
    message = str(refused.value)
    assert "no point of 2 could be trained" in message
    assert "point 1 (r 4): no luck with 4" in message and "point 2 (r 8): no luck with 8" in message


def test_a_stop_ends_the_sweep_and_the_same_command_goes_on(write_sweep, hand_made):
    stopped = {"p03"}
    trained = hand_made(lambda c: Ended(stopped=True) if c.output.name[-3:] in stopped else by_rate(c))
    path = write_sweep()
    with pytest.raises(Interrupted, match=r"stopped at point 3 of 4.*to resume: tunegate sweep .*sweep\.toml") as left:
        sweeping.sweep(path)
    assert left.value.exit_code == EXIT_INTERRUPTED
    stopped.clear()
    made = sweeping.sweep(path)
    assert trained == ["p01", "p02", "p03", "p03", "p04"] and len(made.table.ranked) == 4


def test_changed_rows_and_lost_run_folders_are_trained_again(write_sweep, write_rows, hand_made):
    trained = hand_made(by_rate)
    made = sweeping.sweep(write_sweep('config = "train.toml"\n[vary]\nlora.r = [4, 8]\n'))
    (made.root / made.table.rows[0].run / "MANIFEST.sha256").unlink()
    sweeping.sweep(made.path)
    assert trained == ["p01", "p02", "p01"]
    write_rows("validation.jsonl", [{"instruction": "Another", "output": "row"}])
    sweeping.sweep(made.path)
    assert trained == ["p01", "p02", "p01", "p01", "p02"]


def test_a_folder_that_cannot_be_written_is_said_in_one_line(write_sweep, hand_made, tmp_path):
    trained = hand_made(by_rate)
    path = write_sweep(output__dir="file/runs")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/runs.*: cannot be written \(Not a directory\)"):
        sweeping.sweep(path)
    assert trained == []


def test_a_point_says_how_to_train_it_alone_in_a_folder_with_a_space_too(write_sweep, hand_made):
    hand_made(by_rate)
    made = sweeping.sweep(write_sweep(output__dir="my runs"))
    file = made.folder / "points" / "01.toml"
    assert f"# Train it alone with: tunegate train '{file}'" in file.read_text().splitlines()


def test_two_sweeps_of_one_file_do_not_run_at_once(write_sweep, hand_made):
    path = write_sweep()
    nested = []

    def outcome(config):
        if not nested:
            nested.append(1)
            with pytest.raises(UserError, match="already running in another process"):
                sweeping.sweep(path)
        return by_rate(config)

    hand_made(outcome)
    sweeping.sweep(path)
    assert nested


SELECT = {"select__suite": "evalsuites/legal/mini", "select__cases": ["dev.jsonl"], "select__metric": "clause_recall"}


@pytest.fixture
def with_suite(tmp_path, monkeypatch):
    """A suite of 40 test cases below the configuration's folder, with 10 validation cases of their own."""
    monkeypatch.setenv("TUNEGATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    write_suite(tmp_path)
    dev = [
        case | {"id": f"d{n}", "input": {"document": f"Lease {n}."}, "cluster": f"d{n}"}
        for n, case in enumerate(cases(10))
    ]
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(case) + "\n" for case in dev))


def selected(metric, higher, value):
    """A selection as a training records it."""
    best = msgspec.to_builtins(Estimate(value=value, low=value - 0.1, high=value + 0.1, n=10))
    known = {"suite": "legal/mini", "metric": metric, "higher_is_better": higher, "cases": 10}
    return known | {"before": msgspec.to_builtins(Estimate(value=0.5, n=10)), "best": best}


def evaluations(made):
    return sorted(made.root.glob("*-tiny-p0*-test-*"))


@pytest.mark.parametrize(("metric", "higher", "winner"), [("clause_recall", True, 4), ("false_alarm_rate", False, 1)])
def test_the_winner_alone_is_asked_the_test_and_only_once(
    write_sweep, hand_made, with_suite, capsys, metric, higher, winner
):
    hand_made(lambda c: record_of(c, 1.0, selected(metric, higher, by_rate(c))))
    path = write_sweep(**SELECT | {"select__metric": metric})
    made = sweeping.sweep(path, "fake")
    assert made.table.winner.number == winner and made.table.measure.higher_is_better == higher
    (asked,) = evaluations(made)
    run = load_run(asked)
    assert run.manifest.parent_run_id == made.table.winner.run == made.table.confirmed.trained
    assert run.manifest.checkpoints["tuned"].name == f"fake:{made.root / made.table.winner.run}"
    assert {name: len(found) for name, found in run.by_variant("legal/mini").items()} == {"baseline": 40, "tuned": 40}
    confirmed = json.loads((made.folder / "sweep.json").read_text())["confirmed"]
    (level,) = [r.estimate for r in run.metrics.metrics if (r.variant, r.metric, r.slice) == ("tuned", metric, None)]
    assert (confirmed["run"], confirmed["point"]) == (asked.name, winner)
    assert confirmed["metric"] == msgspec.to_builtins(level) and sum(confirmed["gates"].values()) == 3
    assert f"point {winner}: 40 test cases of legal/mini" in capsys.readouterr().err
    assert f"Test: {metric} of point {winner} is" in (made.folder / "sweep.md").read_text()
    again = sweeping.sweep(path, "fake")
    assert evaluations(again) == [asked] and again.table == made.table


def test_a_sweep_that_another_process_finishes_meanwhile_is_not_tested_again(
    write_sweep, hand_made, with_suite, monkeypatch
):
    """The other one holds the lock after this one has read the table, and releases it before this one takes it."""
    trained = hand_made(lambda c: record_of(c, 1.0, selected("clause_recall", True, by_rate(c))))
    path, check, other = write_sweep(**SELECT), sweeping.check, []

    def check_late(*arguments):
        monkeypatch.setattr(sweeping, "check", check)
        other.append(sweeping.sweep(path, "fake"))

    monkeypatch.setattr(sweeping, "check", check_late)
    made = sweeping.sweep(path, "fake")
    assert made.table == other[0].table and len(trained) == 4 and len(evaluations(made)) == 1


def test_the_project_s_trackers_get_every_point_and_the_test_of_the_winner(
    write_sweep, hand_made, with_suite, tmp_path
):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    hand_made(lambda c: record_of(c, 1.0, selected("clause_recall", True, by_rate(c))))
    write_sweep(**SELECT)
    (tmp_path / "pyproject.toml").write_text('[tool.tunegate]\ntrack = ["tensorboard"]\n')
    code, out, err = outcome("sweep", "sweep.toml", "--engine", "fake")
    events = {file.parent.parent for file in (tmp_path / "runs").glob("*/tensorboard/*")}
    (tested,) = (tmp_path / "runs").glob("*-test-*")
    assert code == 0 and "Best: point 4" in out and len(events) == 5 and tested in events
    assert err.count("sent to tensorboard: ") == 5
    shown = reader.EventAccumulator(str(tested / "tensorboard"))
    shown.Reload()
    assert "legal/mini/tuned/clause_recall.low" in shown.Tags()["scalars"]


@pytest.mark.slow
def test_a_later_winner_is_not_asked_what_another_was_asked(write_sweep, hand_made, with_suite):
    broken = {"p04"}

    def outcome(config):
        if config.output.name[-3:] in broken:
            return Ended(error="crashed")
        return record_of(config, 1.0, selected("clause_recall", True, by_rate(config)))

    hand_made(outcome)
    path = write_sweep(**SELECT)
    first = sweeping.sweep(path, "fake")
    broken.clear()
    made = sweeping.sweep(path, "fake")
    assert (first.table.confirmed.point, made.table.winner.number) == (3, 4)
    assert made.table.confirmed == first.table.confirmed and len(evaluations(made)) == 1
    assert "no longer the best. It does not run twice" in " ".join(sweeping.shown(made, 200).split())


@pytest.mark.slow
def test_no_test_is_asked_where_confirm_is_false_and_it_is_where_it_becomes_true(write_sweep, hand_made, with_suite):
    trained = hand_made(lambda c: record_of(c, 1.0, selected("clause_recall", True, by_rate(c))))
    made = sweeping.sweep(write_sweep("confirm = false\n" + GRID, **SELECT), "fake")
    assert evaluations(made) == [] and made.table.confirmed is None
    assert len(evaluations(sweeping.sweep(write_sweep(GRID, **SELECT), "fake"))) == 1
    assert len(trained) == 4


@pytest.mark.slow
def test_a_second_sweep_says_that_the_test_was_asked_before(write_sweep, hand_made, with_suite):
    hand_made(lambda c: record_of(c, 1.0, selected("clause_recall", True, by_rate(c))))
    first = sweeping.sweep(write_sweep(**SELECT), "fake")
    second = sweeping.sweep(write_sweep(GRID.replace("0.02", "0.03"), **SELECT), "fake")
    assert first.table.confirmed.earlier == [] and second.table.confirmed.earlier == [first.folder.name]
    assert f"used before by {first.folder.name}" in (second.folder / "sweep.md").read_text()


def test_a_suite_that_cannot_measure_is_refused_before_anything_is_trained(write_sweep, hand_made, with_suite):
    trained = hand_made(by_rate)
    with pytest.raises(UserError, match="clause_recal"):
        sweeping.sweep(write_sweep(**SELECT | {"select__metric": "clause_recal"}), "fake")
    assert trained == []


LONG = cases(1)[0] | {"input": {"document": "long " * 600}}


@pytest.mark.parametrize(("engine", "spoil", "message"), [
    ("warp", None, "warp: no such engine"),
    ("fake", ("gates.toml", "[objective]"), "gates.toml"),
    ("fake", ("cases.jsonl", json.dumps(LONG)), "1 case longer than the model's 512 tokens"),
])  # fmt: skip
def test_what_would_stop_the_test_is_refused_before_anything_is_trained(
    write_sweep, hand_made, with_suite, tmp_path, engine, spoil, message
):
    trained = hand_made(by_rate)
    path = write_sweep(**SELECT)
    if spoil:
        (tmp_path / "evalsuites" / "legal" / "mini" / spoil[0]).write_text(spoil[1])
    with pytest.raises(UserError, match=message):
        sweeping.sweep(path, engine)
    assert trained == []


def test_a_dry_run_lists_the_points_with_their_steps_and_writes_nothing(write_sweep, tmp_path):
    text = 'config = "train.toml"\n[vary]\n"train.epochs" = [1, 2]\n'
    shown = sweeping.planned(write_sweep(text, train__max_steps=None), 100)
    assert "2 points, compared by validation loss; nothing is trained" in shown
    cells = [line.replace("│", " ").split() for line in shown.splitlines()]
    assert ["1", "3", "12", "train.epochs", "=", "1"] in cells and ["2", "6", "24", "train.epochs", "=", "2"] in cells
    assert "9 steps in all" in shown
    assert not (tmp_path / "runs").exists()
