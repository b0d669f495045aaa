"""How tunegate gets completions: one file an engine, `base` is the protocol. Importing this loads no engine."""

from harness.engines.base import ENGINES, Engine, EngineSettings, open_engine, pick_engine

__all__ = ["ENGINES", "Engine", "EngineSettings", "open_engine", "pick_engine"]
