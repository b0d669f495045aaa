"""What a training imports, imported once for the trainings that `Forked` forks."""

from harness.threads import before_torch

before_torch()

import datasets  # noqa: E402, F401
import matplotlib.figure  # noqa: E402, F401
import peft  # noqa: E402
import transformers  # noqa: E402

import training.run  # noqa: E402, F401

transformers.AutoModelForCausalLM  # noqa: B018 - loads the module behind it
transformers.AutoTokenizer  # noqa: B018
peft.LoraConfig  # noqa: B018
