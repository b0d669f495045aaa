"""Completions for tests of scorers."""

from harness.schema import Completion


def answer(text: str, finish_reason: str = "stop", **more: object) -> Completion:
    """A completion with this text; a failed one has its error."""
    error = "stopped" if finish_reason == "error" else None
    return Completion(
        key="k", text=text, finish_reason=finish_reason, prompt_tokens=0, output_tokens=0, error=error, **more
    )
