"""A sentence with the source that it is held to, and what the source says of it."""

from msgspec import Struct

LABELS = ("supported", "not supported", "not addressed")
SUPPORTED, NOT_SUPPORTED, NOT_ADDRESSED = LABELS


class Pair(Struct, frozen=True, kw_only=True):
    """One sentence and its source."""

    id: str
    """Unique over all sets."""
    origin: str
    """The set it comes from, such as `summedits`."""
    document: str
    """Key of the source, from `split.document_key`: the same text has the same key in every set."""
    domain: str
    """What the source is about, such as `legal` or `news`."""
    kind: str
    """Class of the error, such as `join-party`; `faithful`, `restated` or `control` without one."""
    source: str
    """The whole text of the source."""
    sentence: str
    label: str
    """One of LABELS."""
