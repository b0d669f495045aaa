"""Threads wait politely, unless the user says how."""

import subprocess
import sys

import pytest

CODE = "import os, sys; from harness.threads import before_torch; {first}before_torch(); "
SHOW = "print(os.environ.get('OMP_WAIT_POLICY'), os.environ.get('GOMP_SPINCOUNT'))"


@pytest.mark.parametrize(("first", "env", "expected"), [
    ("", {}, "PASSIVE 20000"),
    ("", {"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE None"),
    ("", {"GOMP_SPINCOUNT": "5"}, "PASSIVE 5"),
    ("sys.modules['torch'] = os; ", {}, "None None"),
])  # fmt: skip
def test_the_policy_is_set_before_torch_and_never_over_the_users(
    first: str, env: dict[str, str], expected: str
) -> None:
    command = [sys.executable, "-c", CODE.format(first=first) + SHOW]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **env}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
