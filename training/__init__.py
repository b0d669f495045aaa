"""LoRA training: configuration, data, curation, estimates, loop, sweeps and merge.

Heavy packages load when training starts.
"""

from training.run import train

__all__ = ["train"]
