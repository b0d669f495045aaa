"""Engines that generate completions; `base` has their protocol and their table."""

from harness.engines.base import ENGINES, Engine, open_engine, pick_engine
from harness.engines.config import EngineConfig

__all__ = ["ENGINES", "Engine", "EngineConfig", "open_engine", "pick_engine"]
