"""The refusal that docs/first-suite.md shows is the one that is given, and the suite of README.md runs as shown."""

from pathlib import Path

from msgspec.structs import replace

from tests.docs.blocks import blocks_of, commands_of, text_of
from tests.docs.follow import shell_for
from tests.support.mini import pytest_in, write_script

PAGE = "docs/first-suite.md"


def test_the_refusal_on_the_page_is_the_one_that_is_given(tmp_path: Path) -> None:
    (refusal,) = [b.text for b in blocks_of(PAGE, text_of(PAGE)) if b.text.startswith("tunegate: ")]
    made, _, bring = commands_of(PAGE)[:3]
    shell = shell_for(PAGE, tmp_path)
    shell.run(made)
    more = "7,Oak School,So kind of you.,praise,mail\n8,Oak School,Where is my order?,question,chat\nEND\ntunegate"
    text = bring.text.replace("Do you deliver on Saturdays?", "").replace("END\ntunegate", more)
    done = shell.run(replace(bring, text=text))
    assert done.code == 4
    assert done.err == refusal


def test_the_suite_of_the_readme_runs_as_it_is_shown(tmp_path: Path) -> None:
    shown = text_of("README.md").partition("## Your first suite")[2].partition("\n## ")[0]
    texts = [block.text for block in blocks_of("README.md", shown) if block.language != "sh"]
    folder = tmp_path / "evalsuites" / "legal" / "leases"
    folder.mkdir(parents=True)
    for name, text in zip(("test_leases.py", "cases.jsonl", "prompt.jinja", "gates.toml"), texts, strict=True):
        (folder / name).write_text(text, "utf-8")
    write_script(tmp_path, tuned={"l1": "assignment", "l2": "none"})
    done = pytest_in(tmp_path)
    assert done.returncode == 1 and "1 failed, 3 passed" in done.stdout, done.stdout + done.stderr
    assert "a gate needs at least 10" in done.stdout
