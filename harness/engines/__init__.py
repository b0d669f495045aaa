"""How tunegate gets completions: one file an engine, `base` is the protocol. Importing this loads no engine."""

from harness.engines.base import ENGINES, Engine, open_engine, pick_engine
from harness.engines.config import EngineConfig

__all__ = ["ENGINES", "Engine", "EngineConfig", "open_engine", "pick_engine"]
