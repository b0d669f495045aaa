"""What a suite declares is checked before any model runs."""

import pytest

from harness import Suite
from harness.errors import UserError
from harness.scoring import short_answer


def test_an_unknown_primary_metric_is_one_clear_line() -> None:
    suite = Suite(scorers=[short_answer.accepted], primary="acuracy")
    with pytest.raises(
        UserError, match=r"Suite\(primary='acuracy'\) is not a metric .*\. They have: accuracy, complete_rate$"
    ):
        print(suite.metrics)
    assert "accuracy" in [m.name for m in Suite(scorers=[short_answer.accepted], primary="accuracy").metrics]
