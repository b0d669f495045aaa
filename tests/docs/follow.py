"""Follows a page: its blocks in their order, in the folder that its reader has."""

import json
from pathlib import Path

import pytest

from tests.docs import places
from tests.docs.blocks import NOT_RUN, commands_of
from tests.docs.needs import need_of
from tests.docs.shell import Done, Shell


def shell_for(page: str, root: Path, real: bool = False) -> Shell:
    """A shell in a folder below `root` that has what the page says; skips where the data for it is not here."""
    need = need_of(page)
    if need.data and not places.data_is_here():
        pytest.skip("TUNEGATE_DATA names no folder: the public data is not on this machine")
    folder, aside = root / "here", root / "aside"
    folder.mkdir()
    aside.mkdir()
    (need.prepare_real if real and need.prepare_real else need.prepare)(folder)
    shell = Shell(folder, aside, real, need.environment)
    if real:
        places.with_models(aside / "cache")
    elif need.tokenizer:
        places.with_tokenizer(aside / "cache")
    return shell


def follow(page: str, shell: Shell) -> list[Done]:
    """Run every block but those that cannot run here; the first that does not end as the page says fails."""
    need, ran = need_of(page), []
    for block in commands_of(page):
        if block.has(*NOT_RUN):
            continue
        for said, prepare in need.before:
            if said in block.text:
                prepare(shell.folder)
        if need.right:
            shell.answers.write_text(json.dumps(places.right_answers(shell.folder)))
            shell.judged.write_text(json.dumps(places.a_judges_answers(shell.folder)))
        done = shell.run(block)
        is_read = block.has("minutes") and not shell.real
        went_well = "read: " in done.out if is_read else done.code == block.exit
        assert went_well and not done.misread, done.told
        if shell.real:
            print(f"{done.seconds:7.1f} s  {block.where}", flush=True)
        ran.append(done)
    said = "".join(done.out + done.err for done in ran)
    assert [line for line in need.shown(page) if line not in said] == []
    return ran
