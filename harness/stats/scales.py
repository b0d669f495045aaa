"""The questions of a human review that are answered on a scale of 1 to 5. Knows no page and no statistic."""

from msgspec import Struct

LEAST, MOST = 1, 5


class Scale(Struct, frozen=True, kw_only=True):
    """One question about one answer."""

    name: str
    """Its name, as a field of what a reviewer says and of the rubric."""
    says: str
    """What is asked, in a sentence without an end."""
    ends: tuple[str, str]
    """What the lowest and the highest number mean, in a few words."""

    @property
    def scorer(self) -> str:
        """The score that it is kept as."""
        return f"human_{self.name}"


SCALES = (
    Scale(name="accuracy", says="How right it is", ends=("wrong in substance", "all of it right")),
    Scale(name="completeness", says="How whole it is", ends=("nothing of what was asked", "all of it there")),
)
"""In the order in which they are asked and told."""
