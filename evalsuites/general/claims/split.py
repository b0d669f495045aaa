"""Which documents are for evaluation, for validation and for training, across all sets together."""

import hashlib
import re


def document_key(text: str) -> str:
    """Return the key of a source text: a hash of its letters and digits, without case, spaces and punctuation."""
    return hashlib.sha256("".join(re.findall(r"[^\W_]+", text.lower())).encode()).hexdigest()[:16]
