"""What a block leaves to the next, how one ends, and what a stand-in refuses."""

import socket
from pathlib import Path

import pytest

from tests.docs.blocks import Block
from tests.docs.shell import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    for name in ("here", "aside"):
        (tmp_path / name).mkdir()
    return Shell(tmp_path / "here", tmp_path / "aside", False, {})


def block(text: str, *words: str) -> Block:
    return Block(page="page.md", line=1, language="sh", words=words, text=text)


def test_folder_and_variables_carry_over_and_a_failure_ends_a_block(shell: Shell) -> None:
    assert shell.run(block("mkdir sub\ncd sub\nname='two words'\nexport OTHER=1\n")).code == 0
    done = shell.run(block('basename "$PWD"\necho "$name"\nfalse\necho on\n'))
    assert (done.code, done.out) == (1, "sub\ntwo words\n")
    assert shell.run(block('test "$OTHER" = 1\n')).code == 0


def test_a_server_gets_ctrl_c_once_it_has_said_where_it_listens(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as open_port:
        at = f"at http://127.0.0.1:{open_port.getsockname()[1]}/"
        serve = f"trap 'echo ended; exit 0' INT; echo starting; echo {at}; while :; do sleep 0.1; done\n"
        done = shell.run(block(serve, "ctrl-c"))
    assert done.code == 0 and done.out.splitlines() == ["starting", at, "ended"]


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("make demo test", ""),
        ("make nothing-of-the-kind", "nothing-of-the-kind"),
        ("pip install '.[train,review]'", ""),
        ("pip install '.[train,butter]'", "there is no butter"),
        ("pip install 'tunegate[train]'", "on no package index"),
        ("uv pip sync requirements/cpu.lock", ""),
        ("uv pip sync requirements/tpu.lock", "there is no requirements/tpu.lock"),
        ("pytest tests/docs", ""),
        ("pytest tests/of/nothing", "there is no tests/of/nothing"),
    ],
)
def test_a_stand_in_says_what_is_not_there(shell: Shell, command: str, wrong: str) -> None:
    done = shell.run(block(command + "\n"))
    assert wrong in done.misread and bool(wrong) == bool(done.misread) == bool(done.code)


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("tunegate merge $(ls -d none/*) sorter", "Missing parameter"),
        ('good=$(ls -d none/*)\ntunegate merge "$good" sorter', ""),
        ("tunegate train train.toml --quickly", "No such option"),
        ("tunegate melt ADAPTER", "No such command"),
        ("python -m evalsuites.general.basics.replay --out x", ""),
        ("python -m evalsuites.general.basics.repeat --out x", "there is no evalsuites/general/basics/repeat.py"),
    ],
)
def test_a_block_that_takes_minutes_is_read_and_not_run(shell: Shell, command: str, wrong: str) -> None:
    done = shell.run(block(command + "\n", "minutes"))
    assert wrong in done.misread and bool(wrong) == bool(done.misread)
    assert "read: " in done.out and not list(shell.folder.iterdir())
