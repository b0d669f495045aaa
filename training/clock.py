"""Seconds of a training: spent so far, and those that are left. Knows no model."""

from __future__ import annotations

import math
import time

from training.checkpointing import State

RECENT_STEPS = 20


class Clock:
    """Seconds of this session, added to the state's totals at each tick."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.step_s: list[float] = []
        self.evaluation_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one step."""
        self.step_s.append(seconds)

    def tick(self) -> None:
        """Bring the state's totals up to date."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.state.wall_s += wall - self.wall
        self.state.cpu_s += cpu - self.cpu
        self.wall, self.cpu = wall, cpu

    def left(self, steps: int, evaluate_every: int) -> float:
        """Estimate from the last steps and the last evaluation."""
        recent = self.step_s[-RECENT_STEPS:]
        evaluations = math.ceil(steps / evaluate_every) if evaluate_every else 0
        return steps * sum(recent) / len(recent) + evaluations * self.evaluation_s
