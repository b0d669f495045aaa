"""Compares ways of asking models whether a source supports a sentence, on validation sentences of general/claims.

    python benchmarks/checker_variants.py [--adapters FOLDER ...] [--pairs 400] [--windows 1 3]

The ways, for the base and for each adapter: the probability of the answer "Yes" to the suite's prompt; the mean log
probability of the sentence's tokens after its passages; the same less that without passages ("contrast"); the mean of
the three least probable tokens. Sentences of public sets and completions are reported apart from edited ones.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent)]

from pages import Table, show_table  # noqa: E402
from validity_checker import area, shown  # noqa: E402
from validity_known_truth import Draw  # noqa: E402

from benchmarks.claim_edits.pairs import edited_pairs  # noqa: E402
from evalsuites.general.claims import cases  # noqa: E402
from evalsuites.general.claims.checker import how_asked  # noqa: E402
from evalsuites.general.claims.pairs import SUPPORTED  # noqa: E402
from harness.checkpoints import safety  # noqa: E402
from harness.checkpoints.merge import load_tuned  # noqa: E402
from harness.checkpoints.model_files import CheckpointFolder  # noqa: E402
from harness.checkpoints.resolve import resolve  # noqa: E402
from harness.errors import UserError  # noqa: E402
from harness.schema import Case  # noqa: E402
from harness.scoring import support_models, support_readers  # noqa: E402
from harness.suites.prompts import Renderer  # noqa: E402

BASE = "smollm2-135m-instruct"
ALARMS = 0.10
LEAST = 3
"""Tokens whose mean log probability is the last way."""
RESTATE = "State a sentence that the source supports."
"""System message before a sentence whose probability is computed."""

Pair = tuple[str, str]
"""Passages, and a sentence."""


class Sentences(NamedTuple):
    """Validation sentences of one kind with so many passages each."""

    title: str
    pairs: list[Pair]
    wrong: Any
    documents: list[str]


def validation(count: int, windows: int) -> Iterator[Sentences]:
    """Yield the sentences of public sets and completions, then the edited ones."""
    side = cases.SIDES["dev"]
    edited = edited_pairs(count, 0, lambda key: cases.sides().side(key) == side)
    yield _sentences("public sets, completions", [c for c, _ in cases.training_pairs("dev", count, 0, windows=windows)])
    yield _sentences("edited", [cases.case_of(pair, windows) for pair in edited])


def _sentences(title: str, listed: Sequence[Case]) -> Sentences:
    pairs = [(str(case.input["document"]), str(case.input["sentence"])) for case in listed]
    wrong = np.array([case.tags["label"] != SUPPORTED for case in listed])
    return Sentences(title, pairs, wrong, [case.cluster for case in listed])


class Likelihoods:
    """Log probabilities of sentences after their passages, by a chat model in float32."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModelForCausalLM

        model = resolve(str(folder))
        self._renderer = Renderer.of(model)
        if model.adapter_path:
            self._network = load_tuned(Path(model.path), CheckpointFolder(model.adapter_path)).eval()
        else:
            self._network = AutoModelForCausalLM.from_pretrained(model.path, dtype="float32", **safety.MODEL).eval()

    def of(self, passages: str, sentence: str) -> Any:
        """Return the natural log probability of each token of the sentence, shape (tokens,)."""
        import torch

        chat = [{"role": "system", "content": RESTATE}, {"role": "user", "content": f"Source:\n{passages}"}]
        before = list(self._renderer.prompt(chat).ids)
        said = self._renderer.tokenizer(sentence, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            logits = self._network(input_ids=torch.tensor([before + said])).logits[0, len(before) - 1 : -1]
            chances = logits.float().log_softmax(-1)
        return chances[torch.arange(len(said)), torch.tensor(said)].numpy()

    def supports(self, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Return each way's support, shape (pairs,)."""
        after, alone = ([self.of(p * kept, said) for p, said in pairs] for kept in (1, 0))
        return {
            "mean": np.array([each.mean() for each in after]),
            "contrast": np.array([each.mean() - other.mean() for each, other in zip(after, alone, strict=True)]),
            f"least {LEAST}": np.array([np.sort(each)[:LEAST].mean() for each in after]),
        }


def answers(folder: Path, pairs: Sequence[Pair], windows: int) -> Any:
    """Return the probability of "Yes" to the suite's prompt, shape (pairs,)."""
    how = how_asked(windows)
    chosen = support_models.choose(folder, prompt=how.prompt, answers=how.answers, system=how.system)
    return np.array([support or 0.0 for support in support_readers.load(chosen).support(pairs)])


def row(name: str, way: str, windows: int, support: Any, of: Sentences) -> list[str]:
    """Return what one way is worth on some sentences: area, and errors found at the false alarms aimed at."""
    draw = Draw(of.documents)
    right = np.sort(support[~of.wrong])
    found = support < right[int(ALARMS * len(right))]
    worth = [area(support, of.wrong, draw), shown(draw.share(found & of.wrong, of.wrong))]
    return [name, way, str(windows), of.title, str(len(of.pairs)), *worth]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--adapters", nargs="*", type=Path, default=[], metavar="FOLDER", help="adapters or runs")
    options.add_argument("--pairs", type=int, default=400, help="validation sentences of each kind")
    options.add_argument("--windows", nargs="+", type=int, default=[1], help="passages shown with a sentence")
    options.add_argument("--answers-only", action="store_true", help="leave the log probabilities of sentences out")
    args = options.parse_args()
    rows = []
    try:
        folders = {BASE: Path(resolve(BASE).path)} | {str(folder): folder.absolute() for folder in args.adapters}
        for windows in args.windows:
            for of in validation(args.pairs, windows):
                for name, folder in folders.items():
                    ways = {"answer": answers(folder, of.pairs, windows)}
                    ways |= {} if args.answers_only else Likelihoods(folder).supports(of.pairs)
                    rows += [row(name, way, windows, support, of) for way, support in ways.items()]
                    print(f"{name}, {of.title}, {windows} passages: done", file=sys.stderr)
    except UserError as error:
        options.exit(error.exit_code, f"{error}\n")
    header = ["model", "support is", "passages", "sentences", "number", "ROC area", f"found at {ALARMS:.0%} alarms"]
    show_table(Table("Ways to ask", header, rows, "95% intervals by resampling documents."))


if __name__ == "__main__":
    main()
