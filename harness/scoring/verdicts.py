"""What a span's verdict says of the claim under it: borne out, fabricated, or something else. Knows no scorer.

A scorer marks its spans with these words, so that reports can tell an invented claim from a slip of style. A word that
is not listed, as a user's own scorer may give, accuses an answer of no fabrication.
"""

BORNE_OUT = frozenset(
    {
        *("supported", "derived", "registered", "found", "carried"),
        *("correct", "right", "accepted", "kept", "quoted"),
    }
)
"""In the answer's favour."""

FABRICATED = frozenset(
    {
        *("ungrounded", "unsupported", "invented", "contradictory", "false"),
        *("misgrounded", "mispaired", "wrong_subject", "wrong_sign", "wrong_unit", "wrong_arithmetic"),
    }
)
"""The answer states something that its source does not bear out."""

OTHER = frozenset({"wrong", "missing", "stale", "repeated", "unmatched", "unclaimed", "unreadable", "violation"})
"""Against the answer or undecided, but no fabrication: not what was asked for, badly written, or not read."""
