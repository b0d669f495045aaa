"""Every command block of every page runs, or is tagged as needing what is not here."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import pytest

from tests.docs import places
from tests.docs.blocks import NOT_RUN, ROOT, commands_of, faults, pages, text_of
from tests.docs.follow import follow, shell_for
from tests.docs.needs import REAL
from tests.docs.shell import Done

Followed = Callable[[str], list[Done]]
WITH_COMMANDS = [page for page in pages() if commands_of(page)]


@pytest.fixture(scope="session")
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """Gives what came of a page. All that are asked about are begun at once, in folders of their own."""
    preparing = Lock()

    def begin(page: str) -> list[Done]:
        with preparing:
            shell = shell_for(page, tmp_path_factory.mktemp("page"))
        ran = follow(page, shell)
        assert not page.startswith("evalsuites/") or places.rewritten(shell.folder) == []
        return ran

    # A worker of pytest-xdist does not know which pages will be its own.
    tests = [] if hasattr(request.config, "workerinput") else request.session.items
    asked = [test.callspec.params["page"] for test in tests if "followed" in test.fixturenames]  # type: ignore[attr-defined]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ahead = {page: pool.submit(begin, page) for page in asked}
        yield lambda page: ahead[page].result() if page in ahead else begin(page)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_every_block_of_a_page_runs_as_it_stands(page: str, followed: Followed) -> None:
    ran = followed(page)
    print(*(f"{done.seconds:7.1f} s  {done.block.where}" for done in ran), sep="\n")
    assert [done.block for done in ran] == [block for block in commands_of(page) if not block.has(*NOT_RUN)]


def test_what_is_not_run_is_tagged_and_counted() -> None:
    found = [block for page in WITH_COMMANDS for block in commands_of(page)]
    tags = [next((word for word in (*NOT_RUN, "minutes") if block.has(word)), "run") for block in found]
    count = Counter(tags)
    print(", ".join(f"{word} {number}" for word, number in count.items()), f"of {len(found)} blocks")
    assert count["run"] > 30 and count["cuda"] + count["cloud"] < len(found) / 4
    assert [block.where for block in found if block.has("minutes") and block.page not in REAL] == []


def test_no_command_stands_where_it_would_not_be_run() -> None:
    assert [fault for page in pages() for fault in faults(page, text_of(page))] == []


def test_nothing_installs_tunegate_by_name_from_an_index() -> None:
    texts = {page: text_of(page) for page in pages()}
    for package in ("tunegate", "harness", "training", "reports"):
        texts |= {path.as_posix(): path.read_text("utf-8") for path in (ROOT / package).rglob("*.py")}
    assert [
        place for place, text in texts.items() if re.search(r"install[^\n]* '?tunegate\[[\w,-]+\](?! @)", text)
    ] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```\ntunegate runs\n```", "expected sh"),
        ("```bash\ntunegate runs\n```", "expected sh"),
        ("```sh slow\ntunegate runs\n```", "'slow' behind ```sh means nothing"),
        ("```text\n$ tunegate runs\n```", "a command in a block of text"),
        ("As in\n\n    python -m evalsuites.x --out y\n", "only indented"),
    ],
)
def test_a_command_that_would_not_be_run_is_found(text: str, said: str) -> None:
    (found,) = faults("page.md", text)
    assert said in found
