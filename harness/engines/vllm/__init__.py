"""Engine that generates with vLLM in this process."""
