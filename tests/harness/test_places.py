"""Where answers lie: found again by key however many there are, the later one of two first."""

import pytest

from harness.engines import cache
from harness.engines.cache import Places


@pytest.mark.parametrize("most_new", [1, 7, 1000])
def test_a_place_is_found_again_and_a_later_one_comes_first(most_new: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_NEW", most_new)
    found = Places()
    for number in range(100):
        found.add(f"key {number}", number)
    for number in range(0, 100, 3):
        found.add(f"key {number}", 1000 + number)
    assert len(found) == 134
    for number in range(100):
        assert found.of(f"key {number}") == ([1000 + number] if number % 3 == 0 else []) + [number]
    assert found.of("key 100") == []


def test_keys_of_one_code_are_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_code", lambda key: 5)
    monkeypatch.setattr(cache, "MOST_NEW", 2)
    found = Places()
    for place in (10, 20, 30):
        found.add(f"key {place}", place)
    assert found.of("key 20") == [30, 20, 10]
