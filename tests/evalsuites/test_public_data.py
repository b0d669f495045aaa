"""Suites on public data say what to do where the data is not there."""

from pathlib import Path
from types import ModuleType

import pytest

from evalsuites.public.contractnli import cases as contractnli
from evalsuites.public.cuad import cases as cuad
from evalsuites.public.plain_english import cases as plain_english
from harness.errors import Unavailable


@pytest.mark.parametrize(
    ("cases", "licence"), [(cuad, "CC BY 4.0"), (contractnli, "CC BY 4.0"), (plain_english, "Apache 2.0")]
)
def test_without_the_data_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cases: ModuleType, licence: str
) -> None:
    for folder in ("", str(tmp_path)):
        monkeypatch.setenv("TUNEGATE_DATA", folder)
        with pytest.raises(Unavailable) as told:
            cases.cases()
        assert "TUNEGATE_DATA" in str(told.value) and licence in str(told.value)
        assert len(str(told.value).splitlines()) == 1
