"""The refusal that docs/first-suite.md shows is the one that is given."""

from pathlib import Path

from msgspec.structs import replace

from tests.docs.blocks import blocks_of, commands_of, text_of
from tests.docs.follow import shell_for

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
