"""Asks a model in training and scores what it answers, on all devices of the training. Loads torch."""

from __future__ import annotations

from typing import Any

from harness.engines.transformers.generate import Answerer
from harness.evaluation.generate import make_record
from harness.evaluation.plan import longest
from harness.schema import CANDIDATE, Completion, Estimate, Request
from harness.stats.estimates import estimate
from harness.stats.observations import observations, reading
from training.model import AnswerLoss
from training.validation import Questions


def ask(model: AnswerLoss, questions: Questions, accelerator: Any) -> Estimate:
    """The metric of the questions over the model's own answers; every device answers its share."""
    from accelerate.utils import gather_object
    from transformers import GenerationConfig

    asks = questions.asks
    requests = [
        Request(key=str(number), ids=asked.ids, sampling=asked.sampling, variant=CANDIDATE)
        for number, asked in enumerate(asks)
    ]
    mine = requests[accelerator.process_index :: accelerator.num_processes]
    answerer = Answerer(questions.renderer, accelerator.device, longest(asks))
    model.model.generation_config = GenerationConfig()
    model.eval()
    answered: list[Completion] = gather_object(list(answerer.answers(model.model, mine)))
    by_key = {completion.key: completion for completion in answered}
    records = [make_record(questions.suite, asked, by_key[str(number)]) for number, asked in enumerate(asks)]
    return estimate(observations(reading(records), questions.metric), questions.metric)
