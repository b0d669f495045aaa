"""LoRA training: configuration, data, loop, merge. Heavy packages load when a training starts."""

from training.run import train

__all__ = ["train"]
