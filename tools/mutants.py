"""Draw a sample of the mutants of files and folders: print the names that mutmut gives them.

    python tools/mutants.py harness/scoring/base.py harness/scoring/grounding

The sample is the same each time, as long as the code is. pyproject.toml names the files that can be mutated.
"""

import random
import sys
from pathlib import Path

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

SEED = 18
SIZE = 150


def mutants(paths: list[str]) -> list[str]:
    """Return the names of all mutants of files and folders, in the same order on every machine."""
    files = [file for path in map(Path, paths) for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))]
    return [
        get_mutant_name(file, name)
        for file in files
        for name in mutate_file_contents(str(file), file.read_text("utf-8")).mutant_names
    ]


if __name__ == "__main__":
    names = mutants(sys.argv[1:])
    print(*sorted(random.Random(SEED).sample(names, min(SIZE, len(names)))))
