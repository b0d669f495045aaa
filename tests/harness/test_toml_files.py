"""What is wrong with a file that a user wrote as TOML is one line, whichever command reads it."""

import pytest

from evalsuites.finance.report import sheets
from evalsuites.legal.instruments import documents
from evalsuites.policy.handbook import handbooks
from harness.errors import UserError
from harness.gates import config
from harness.judges import rubric
from harness.scoring.brand import style_guide
from harness.scoring.grounding import registry
from reports import assumptions
from reports.review import rubric as review_rubric
from training import config_file
from training.sweep import config as sweep_config

READERS = {
    "gates": config.load_gates,
    "rubric of a judge": rubric.load_rubric,
    "registry": registry.load,
    "style guide": style_guide.load,
    "rubric of a review": review_rubric.load_rubric,
    "business estimate": assumptions.load,
    "labels of an instrument": documents.read_instrument,
    "questions of a handbook": handbooks.read_handbook,
    "facts of a sheet": sheets.read_file,
    "training": config_file.load,
    "sweep": sweep_config.load,
}
WRONG = {
    "another language": (b"{", "not valid TOML"),
    "no UTF-8": (b'name = "\xff"', "line 1 is not UTF-8"),
    "nested without end": (b"x = " + b"[" * 100_000, "not valid TOML"),
    "absent": (None, r"cannot be read \(No such file or directory\)"),
}


@pytest.mark.parametrize("load", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_a_file_that_is_no_toml_is_one_line_with_its_name_and_what_was_expected(load, content, said, tmp_path):
    file = tmp_path / "own.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=rf"own\.toml: {said}.*\. [A-Z]") as caught:
        load(file)
    assert len(str(caught.value).splitlines()) == 1
