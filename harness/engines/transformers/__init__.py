"""Engine that generates with Hugging Face transformers."""
