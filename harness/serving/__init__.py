"""Serving a gated model: verdict, route, vLLM's server as a child, a smoke test, a record. One module a step."""
