"""A sweep file becomes points, the same each time, or one message with everything that is wrong."""

import json
import tomllib

import msgspec
import pytest

from harness.errors import UserError
from training.config_file import load as load_config
from training.sweep.config import REFUSED, load, settable
from training.sweep.grid import Axis, as_toml, draw, short_names, shown

AXES = [
    Axis(keys=("optim.lr",), values=[(0.1,), (0.2,)]),
    Axis(keys=("lora.r", "lora.alpha"), values=[(8, 16), (16, 32), (32, 64)]),
]


def problems(path):
    with pytest.raises(UserError) as refused:
        load(path)
    return str(refused.value)


@pytest.mark.parametrize("points", [1, 3, 6])
def test_random_points_do_not_repeat_are_of_the_grid_and_the_same_for_a_seed(points):
    found = draw(AXES, "random", points, 7)
    assert len(found) == points and found == draw(AXES, "random", points, 7)
    grid = draw(AXES, "grid", None, 0)
    assert all(values in grid for values in found)
    assert all(values not in found[:place] for place, values in enumerate(found))


def test_more_random_points_begin_with_those_of_fewer_and_another_seed_draws_others():
    assert draw(AXES, "random", 5, 1)[:3] == draw(AXES, "random", 3, 1)
    assert len({json.dumps(draw(AXES, "random", 3, seed)) for seed in range(10)}) > 5


def test_a_few_of_very_many_combinations_are_drawn_at_once():
    axes = [Axis(keys=(f"k{i}",), values=[(n,) for n in range(100)]) for i in range(8)]
    assert len(draw(axes, "random", 20, 0)) == 20


def test_each_point_is_a_whole_configuration_with_its_values_and_a_name(write_sweep, tmp_path):
    plan = load(
        write_sweep(
            'config = "train.toml"\n[vary]\n"optim.lr" = [3e-4, 1e-3]\n"lora.r, lora.alpha" = [[4, 8], [8, 16]]\n'
        )
    )
    assert [(p.number, p.config.optim.lr, p.config.lora.r, p.config.lora.alpha) for p in plan.points] == [
        (1, 3e-4, 4, 8), (2, 3e-4, 8, 16), (3, 1e-3, 4, 8), (4, 1e-3, 8, 16),
    ]  # fmt: skip
    assert [p.config.output.name for p in plan.points] == ["tiny-p01", "tiny-p02", "tiny-p03", "tiny-p04"]
    assert {p.config.output.dir for p in plan.points} == {str(tmp_path / "runs")}
    assert {p.config.train.seed for p in plan.points} == {0} and {p.steps for p in plan.points} == {6}
    for point in plan.points:
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        (tmp_path / "elsewhere" / "p.toml").write_text(as_toml(point.config))
        assert load_config(tmp_path / "elsewhere" / "p.toml") == point.config


def test_a_key_without_quotation_marks_means_the_same(write_sweep):
    plain = load(write_sweep('config = "train.toml"\n[vary]\noptim.lr = [3e-4, 1e-3]\nlora = {r = [4, 8]}\n'))
    quoted = load(write_sweep('config = "train.toml"\n[vary]\n"optim.lr" = [3e-4, 1e-3]\n"lora.r" = [4, 8]\n'))
    assert [p.values for p in plain.points] == [p.values for p in quoted.points]


def test_steps_are_planned_by_point(write_sweep):
    text = (
        'config = "train.toml"\n[vary]\n"train.epochs" = [1, 2]\n"data.rows" = [4, 12]\n"train.rows_per_step" = [5]\n'
    )
    plan = load(write_sweep(text, train__max_steps=None))
    assert [(p.config.train.epochs, p.config.data.rows, p.steps, p.rows_seen) for p in plan.points] == [
        (1, 4, 1, 4), (1, 12, 3, 12), (2, 4, 2, 8), (2, 12, 5, 24),
    ]  # fmt: skip


def test_paths_among_the_values_are_relative_to_the_training_configuration(write_sweep, write_rows, tmp_path):
    path = write_sweep(
        'config = "../train.toml"\n[vary]\n"data.train" = [["train.jsonl"], ["train.jsonl", "b.jsonl"]]\n'
    )
    write_rows("b.jsonl", [{"instruction": "b", "output": "b"}])
    (tmp_path / "sweeps").mkdir()
    moved = path.rename(tmp_path / "sweeps" / "sweep.toml")
    first, second = load(moved).points
    assert second.config.data.train == [str(tmp_path / "train.jsonl"), str(tmp_path / "b.jsonl")]
    assert (first.summary, second.summary) == ("data.train = [train.jsonl]", "data.train = [train.jsonl, b.jsonl]")


def test_a_point_file_keeps_every_kind_of_value(write_config, tmp_path):
    config = load_config(write_config(lora__target_modules=["q_proj"], train__share_prefix=False, optim__lr=1e-05))
    text = 'a "test" of\n\\ ü 😀 \x7f'
    lora = msgspec.structs.replace(config.lora, rank_pattern={"q.proj": 2})
    data = msgspec.structs.replace(config.data, allow_contaminated=text)
    config = msgspec.structs.replace(config, lora=lora, data=data)
    tables = tomllib.loads(as_toml(config))
    assert msgspec.convert(tables, type(config)) == config and "peak_tflops" not in tables["train"]


def test_every_problem_of_both_files_is_named_at_once(write_sweep):
    text = """
config = "train.toml"
methd = "grid"
method = "bayes"
seed = "x"
confirm = 1
[vary]
"optim.ler" = [1e-3]
"lora" = [8]
"lora.r, lora.alpha" = [[8, 16], [16]]
"lora.dropout" = 0.1
"train.epochs" = []
"train.patience" = [1, 1]
"lora.rslora, train.patience" = [[true, 2]]
"train.seed" = [0, 1]
"output.name" = ["x"]
"select.metric" = ["x"]
"""
    message = problems(write_sweep(text, lora__r=0, data__train=["absent.jsonl"]))
    expected = [
        "'methd' is unknown; did you mean 'method'?",
        "'method' is 'bayes'",
        "'seed' is 'x'",
        "'confirm' is 1",
        "'vary.optim.ler' is unknown; did you mean 'optim.lr'?",
        "'vary.lora' is unknown; name a key of it: lora.r, lora.alpha",
        "'vary.lora.r, lora.alpha' holds [16]; expected lists of 2 values",
        "'vary.lora.dropout' is 0.1; expected a list of values",
        "'vary.train.epochs' is []; expected a list of values",
        "'vary.train.patience' names 1 twice",
        "'vary.train.patience' is listed twice",
        "'vary.train.seed' cannot be varied: the best of several seeds is luck",
        "'vary.output.name' cannot be varied: it does not affect the result",
        "'vary.select.metric' cannot be varied: points with different metrics could not be compared",
        "train.toml: 'lora.r' is 0",
        "absent.jsonl, which is not a file",
    ]
    assert [text for text in expected if text not in message] == []
    assert f"{len(expected)} problems" in message


@pytest.mark.parametrize(("text", "expected"), [
    ("", ["'config' is missing. Name the training", "'vary' is missing. Add a table [vary] with lines such as"]),
    ('config = ""\n[vary]\n', ["'config' is ''; name the training", "'vary' is {}; add lines such as"]),
    ('config = "absent.toml"\n[vary]\n"optim.lr" = [1e-3]\n', ["absent.toml: cannot be read (No such file"]),
    ('config = "train.toml"\nmethod = "random"\n[vary]\n"optim.lr" = [1e-3]\n', ["'points' is missing"]),
    ('config = "train.toml"\nmethod = "random"\npoints = 0\n[vary]\n"lora.r" = [4]\n', ["'points' is 0; set it to 1"]),
    (
        'config = "train.toml"\nmethod = "random"\npoints = 3\n[vary]\n"optim.lr" = [1e-3, 1e-4]\n',
        ["'points' is 3, but [vary] has 2 combinations. Set 2 or less"],
    ),
    ('config = "train.toml"\nmethod = "random"\npoints = 3\n[vary]\n"lora.q" = [1]\n', ["did you mean 'lora.r'?"]),
    ('config = "train.toml"\npoints = 3\n[vary]\n"optim.lr" = [1e-3]\n', ["'points' is for method = \"random\""]),
    ('config = "train.toml"\n[vary]\nbase = ["a", "b"]\n', ["'vary.base' needs [select]"]),
    ('config = "train.toml"\nvary = 3\n', ["'vary' is 3"]),
])  # fmt: skip
def test_a_mistake_in_the_sweep_file_says_what_to_do(write_sweep, text, expected):
    message = problems(write_sweep(text))
    assert [part for part in expected if part not in message] == []
    assert len(message.splitlines()) == (1 if len(expected) == 1 else 1 + len(expected))


def test_points_without_anything_to_choose_by_are_refused(write_sweep):
    message = problems(write_sweep('config = "train.toml"\n[vary]\n"optim.lr" = [1e-3]\n', data__validation=[]))
    assert "has neither [select] nor data.validation, so the points cannot be compared" in message


def test_the_problems_of_all_points_are_named_by_point_before_anything_is_trained(write_sweep, tmp_path):
    text = """
config = "train.toml"
[vary]
"optim.lr" = [1e-3, -1]
"lora.r" = [4, "8"]
"data.max_length" = [100000]
"data.rows" = [13]
"""
    head, *lines = problems(write_sweep(text)).splitlines()
    assert "4 problems" in head
    listed = sorted(line.partition("sweep.toml: ")[2] for line in lines)
    assert [line.partition(". ")[0] for line in listed] == [
        "every point: 'data.max_length' is 100000; the model reads at most 512",
        "every point: 'data.rows' is 13, but there are 12 training rows",
        "points 2, 4: 'lora.r' is '8': expected `int`, got `str`",
        "points 3, 4: 'optim.lr' is -1; set it between 1e-4 and 1e-3",
    ]
    assert not (tmp_path / "runs").exists()


def test_one_bad_point_is_named_with_its_values(write_sweep):
    message = problems(write_sweep('config = "train.toml"\n[vary]\n"optim.lr" = [1e-3, 2]\n"train.epochs" = [1]\n'))
    assert "sweep.toml: point 2 (optim.lr = 2, train.epochs = 1): 'optim.lr' is 2" in message


def test_only_what_changes_the_points_changes_the_digest(write_sweep):
    head = 'config = "train.toml"\nconfirm = {}\nmethod = "random"\npoints = 2\nseed = {}\n'
    text = head + '[vary]\n"optim.lr" = [1e-3, 1e-4]\n'
    first = load(write_sweep(text.format("true", 0))).digest
    assert load(write_sweep(text.format("false", 0))).digest == first
    assert load(write_sweep(text.format("true", 1))).digest != first
    assert load(write_sweep(text.format("true", 0), lora__r=8)).digest != first


def test_what_may_be_varied_is_every_key_but_those_refused():
    assert {"base", "optim.lr", "lora.r", "data.train", "data.rows", "train.epochs", "model.quantise"} <= set(
        settable()
    )
    assert not {key for key in settable() if key in REFUSED or key.partition(".")[0] in REFUSED}


def test_names_are_short_where_they_still_tell_the_keys_apart():
    assert short_names(["optim.lr", "lora.r", "model.r"]) == {
        "optim.lr": "lr",
        "lora.r": "lora.r",
        "model.r": "model.r",
    }
    assert shown("data.train", ["/a/b/rows.jsonl"]) == "[rows.jsonl]"
    assert [shown("x", v) for v in (3e-4, 16, True, "nf4", ["q_proj"])] == ["0.0003", "16", "true", "nf4", "[q_proj]"]
