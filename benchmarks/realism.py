"""Do the shipped suites and training sets read like real documents? Measures both and lists contradictions.

    python benchmarks/realism.py [--suite legal/clauses] [--show 20] [--docs docs/realism.md]

Prints two tables, and writes them into a Markdown file, between markers. Real text is found through TUNEGATE_DATA.
Three minutes on one core.
"""

import argparse
import os
import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import realism_contradictions as checks  # noqa: E402
import realism_copies as copies  # noqa: E402
import realism_measures as measures  # noqa: E402
from pages import write_between  # noqa: E402
from realism_corpora import Corpus, references, suites  # noqa: E402

from harness.errors import UserError  # noqa: E402

DOCS = "docs/realism.md"
SIZE, MOST = 30_000, 1_500
"""Words that are measured of each set, and at most of one document."""
DRAWS = 5
"""Draws that a row is the mean of, because a draw has only some twenty long contracts."""
LEARNED = 1_000_000
"""Most words that a trigram model is trained on."""
CHECKED = 500_000
"""Words of whole documents that are searched for contradictions."""
SEED = 0
HEADER = ["", "words per paragraph", "words per sentence", "shared 8-grams", "perplexity", "types per 5,000 words"]
HEADER += ["function-word distance", "8-grams also in real text", "most in one document"]
FORMATS = [".0f", ".0f", ".1%", ",.0f", ",.0f", ".2f"]
CHECK_HEADER = ["", "documents", "words", *checks.KINDS, "documents with one", "per 10,000 words"]


class Reference(NamedTuple):
    """What the texts of a domain are compared with."""

    model: measures.Trigrams
    words: list[str]


class Checked(NamedTuple):
    """The contradictions of the documents of one set."""

    name: str
    documents: list[str]
    found: list[list[checks.Contradiction]]


def split(real: Sequence[Corpus]) -> tuple[dict[str, Reference], list[Corpus]]:
    """Train each domain's reference on half of its first real set; return them and the real text that is left."""
    learned: dict[str, Reference] = {}
    rest = []
    for corpus in real:
        documents = corpus.documents
        if corpus.domain not in learned:
            shuffled = random.Random(SEED).sample(documents, len(documents))
            half, documents = shuffled[: len(shuffled) // 2], shuffled[len(shuffled) // 2 :]
            text = measures.draw(half, LEARNED, LEARNED, SEED)
            learned[corpus.domain] = Reference(measures.Trigrams(text), measures.words(" ".join(text)))
        rest.append(corpus._replace(documents=documents))
    return learned, rest


def row(corpus: Corpus, reference: Reference | None) -> list[str]:
    """Measure draws of equal size from one set, as cells of the table: their means."""
    draws = [measures.draw(corpus.documents, SIZE, MOST, SEED + number) for number in range(DRAWS)]
    measured = [measure(drawn, reference) for drawn in draws]
    columns = zip(*measured, strict=True)
    return [corpus.name, *(shown(column, form) for column, form in zip(columns, FORMATS, strict=True))]


def measure(drawn: Sequence[str], reference: Reference | None) -> list[float | None]:
    """Measure one draw: the numbers of a row, None where one cannot be had."""
    listed = [word for text in drawn for word in measures.words(text)]
    paragraphs = [paragraph for text in drawn for paragraph in measures.paragraphs(text)]
    sentences = [sentence for paragraph in paragraphs for sentence in measures.sentences(paragraph)]
    return [
        measures.mean_words(paragraphs, measures.LEAST_WORDS),
        measures.mean_words(sentences),
        measures.shared_grams(drawn),
        reference and reference.model.perplexity(drawn),
        measures.types(listed),
        reference and measures.function_word_distance(listed, reference.words),
    ]


def shown(values: Sequence[float | None], form: str) -> str:
    """The mean of some numbers in a format, or a dash where none can be had."""
    numbers = [value for value in values if value is not None]
    return format(sum(numbers) / len(numbers), form) if numbers else "-"


def check(corpus: Corpus) -> Checked:
    """Search whole documents of one set for contradictions."""
    documents = measures.draw(corpus.documents, CHECKED, CHECKED, SEED)
    return Checked(corpus.name, documents, [checks.contradictions(text) for text in documents])


def check_row(checked: Checked) -> list[str]:
    """Contradictions per document, by kind, as cells of the table."""
    n = len(checked.documents)
    total = sum(len(measures.words(text)) for text in checked.documents)
    kinds = [sum(c.kind == kind for found in checked.found for c in found) / n for kind in checks.KINDS]
    listed = sum(map(len, checked.found))
    with_one = sum(map(bool, checked.found)) / n
    rates = [f"{rate:.2f}" for rate in kinds]
    return [checked.name, f"{n:,}", f"{total:,}", *rates, f"{with_one:.0%}", f"{10_000 * listed / total:.1f}"]


def copied_of(corpus: Corpus, real: copies.Index, phrases: Sequence[Sequence[str]]) -> list[copies.Copied]:
    """What each whole document of one set shares with real text."""
    documents = measures.draw(corpus.documents, CHECKED, CHECKED, SEED)
    return [copies.copied(text, real, phrases) for text in documents]


def copy_cells(found: Sequence[copies.Copied]) -> list[str]:
    """The mean and the largest share of runs of eight words that a document has from real text."""
    shares = [each.share for each in found]
    return [f"{sum(shares) / len(shares):.2%}", f"{max(shares):.1%}"] if shares else ["-", "-"]


def show(checked: Iterable[Checked], most: int) -> None:
    """Print contradictions of each set and kind, at most so many of each."""
    for corpus in checked:
        for kind in checks.KINDS:
            found = [(n, c) for n, listed in enumerate(corpus.found, 1) for c in listed if c.kind == kind]
            for number, contradiction in found[:most]:
                values = f": {' / '.join(contradiction.values)}" if contradiction.values else ""
                print(f"{corpus.name}, document {number}, {kind}: {contradiction.subject}{values}")


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    head, *lines = ("| " + " | ".join(cells) + " |" for cells in (header, *rows))
    return "\n".join([head, "|" + "---|" * len(header), *lines])


def data_folder() -> Path:
    """The folder of public data. Raises UserError without one."""
    named = os.environ.get("TUNEGATE_DATA")
    if not named or not Path(named).is_dir():
        raise UserError(
            f"TUNEGATE_DATA is {named!r}, expected a folder with real text such as cuad/contracts. Set it to compare"
        )
    return Path(named)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Compare suites and training sets with real documents.")
    parser.add_argument("--suite", help="one suite and its training set")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="list N contradictions of each set and kind")
    parser.add_argument("--docs", type=Path, help=f"Markdown file to write the tables into, such as {DOCS}")
    args = parser.parse_args(arguments)
    try:
        learned, real = split(list(references(data_folder())))
        chosen = [corpus for corpus in suites() if args.suite in (None, corpus.name.split(",")[0])]
        if not chosen:
            raise UserError(f"--suite {args.suite}: no shipped suite, expected a name such as legal/clauses")
        compared = [*chosen, *real]
        rows = [row(corpus, learned.get(corpus.domain)) for corpus in compared]
        checked = [check(corpus) for corpus in compared]
        show(checked, args.show)
        index, phrases = copies.Index(copies.real_texts(data_folder())), copies.phrases()
        copied = {corpus.name: copied_of(corpus, index, phrases) for corpus in chosen}
        runs = sum(len(each.runs) for found in copied.values() for each in found)
        long = f"Runs of {copies.RUN} words or more that a suite or training set has from real text: {runs:,}."
        first = table(HEADER, [[*cells, *copy_cells(copied.get(cells[0], []))] for cells in rows])
        second = table(CHECK_HEADER, [check_row(each) for each in checked if any(each.found)])
        none = f"No contradiction in: {'; '.join(each.name for each in checked if not any(each.found))}."
        text = "\n\n".join([first, long, second, none]) + "\n"
        print(text)
        if args.docs:
            write_between(args.docs, "realism", text)
    except UserError as error:
        parser.exit(error.exit_code, f"{error}\n")


if __name__ == "__main__":
    main()
