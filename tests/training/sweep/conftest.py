"""Sweep files next to a working training configuration."""

import pytest

GRID = 'config = "train.toml"\n[vary]\n"optim.lr" = [0.01, 0.02]\n"lora.r, lora.alpha" = [[4, 8], [8, 16]]\n'


@pytest.fixture
def write_sweep(tmp_path, write_config):
    """Write a sweep file beside a working configuration; `changes` are those of write_config."""

    def write(text=GRID, **changes):
        write_config(**changes)
        path = tmp_path / "sweep.toml"
        path.write_text(text)
        return path

    return write
