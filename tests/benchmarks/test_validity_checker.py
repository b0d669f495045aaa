"""The checker in tables: areas and recalls of a planted one, supports that are kept, and when frozen text is read."""

import numpy as np
import pytest

from harness.scoring import checker, support_readers
from tests.benchmarks.test_injected import load
from tests.harness.scoring.test_checker import HOW, recorded

people, trained, validity = load("validity_people"), load("validity_checker"), load("scorer_validity")


def test_the_roc_area_of_a_hand_worked_table_and_of_weights():
    support, wrong = np.array([0.1, 0.4, 0.4, 0.9]), np.array([True, False, True, False])
    assert trained.roc_area(support, wrong, np.ones(4)) == (1 + 1 + 0.5 + 1) / 4
    assert trained.roc_area(support, wrong, np.array([1.0, 1, 0, 1])) == 1.0
    assert np.isnan(trained.roc_area(support, np.zeros(4, dtype=bool), np.ones(4)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("checker"))


def test_supports_are_asked_once_and_kept(folder, monkeypatch):
    pairs = [("The rent is due on sale.", f"Rent {n} is due.") for n in range(70)]
    first = trained.Supports(folder).of([*pairs, pairs[0]])
    assert first[-1] == first[0] and len(set(first)) > 60
    monkeypatch.setattr(support_readers, "load", None)
    again = trained.Supports(folder)
    assert again.of(pairs) == first[:-1] and again.ms > 0


def planted():
    """Wrong statements have the supports 0 to 0.6, and right ones 0.4 to 1; each on a source of its own."""
    kinds = ["join", "meaning"] * 30 + [""] * 60
    items = [people.Labelled("Rent is $5.", f"Rent {n} is $5.", str(n), bool(kind)) for n, kind in enumerate(kinds)]
    support = np.concatenate([np.linspace(0, 0.6, 60), np.linspace(0.4, 1, 60)])
    return trained.Reported("planted", items, kinds, [n < 6 for n in range(120)], support, 120, 60)


def test_recalls_are_at_the_thresholds_of_the_validation_sentences_and_of_the_oracle():
    one = planted()
    good = {trained.CHECKER: np.linspace(0.5, 1, 101), trained.NOVELTY: np.ones(101)}
    table = trained._recalls(one, good)
    rows = {row[0]: [cell.split(" ")[0] for cell in row[1:]] for row in table.rows}
    assert table.header[1:] == ["false alarms", "recall", "recall, join", "recall, meaning"]
    below = (one.support < checker.threshold_at(0.1, good[trained.CHECKER]))[:60]
    assert rows["checker, 10%"][1] == f"{below.mean():.2f}"
    assert rows["checker, 10% by an oracle"][0] == "0.10"
    assert rows["fact scorer"] == ["0.00", "0.10", "0.10", "0.10"]
    assert float(rows["fact scorer or checker, 5%"][1]) >= float(rows["checker, 5%"][1])


def test_areas_accuracy_and_calibration_of_a_planted_checker(monkeypatch):
    one = planted()

    class Planted:
        how, ms = checker.CheckerRecord(**{**checker.options(HOW), "digest": "abc"}), 200.0

        def of(self, pairs):
            return [0.9] * len(pairs)

    monkeypatch.setattr(trained, "validation", lambda: [("Rent is $5.", "Rent is due.")] * 10)
    areas, accuracies, calibration, _ = trained.tables([one], Planted())
    assert areas.rows[0][:4] == ["planted", "120", "60", "120"] and areas.rows[0][-1] == "0.4 s"
    assert areas.rows[0][4].startswith("0.9") and "Checker abc" in areas.note
    by_checker, difference = accuracies.rows[0][1], accuracies.rows[0][6]
    assert float(by_checker.split(" ")[0]) >= 0.7 and float(difference.split(" ")[0]) > 0.2
    assert calibration.rows[0][1].startswith("0.00 of ") and calibration.rows[0][-1].startswith("1.00 of ")


def test_the_frozen_completions_are_read_only_when_asked_for(folder, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(trained, "known", lambda part, supports, limit: asked.append(part))
    monkeypatch.setattr(trained, "tables", lambda sets, supports: [trained.Table("t", ["a"], [["b"]], "note")])
    monkeypatch.setenv("TUNEGATE_DATA", str(tmp_path))
    docs = tmp_path / "d.md"
    docs.write_text("<!-- checker: written by x -->\nold\n<!-- /checker -->\n")
    wanted = ["--checker", str(folder), "--only", "completions"]
    validity.main([*wanted, "--docs", str(docs)])
    assert asked == ["derived"] and "| b |" in docs.read_text() and "old" not in docs.read_text()
    validity.main([*wanted, "--frozen"])
    assert asked == ["derived", "frozen"]
