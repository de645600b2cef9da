"""Checkpoints: what is saved comes back bit for bit, whole or not at all."""

import os
from typing import NamedTuple

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.checkpoint import load, save


class State(NamedTuple):
    x: object
    parts: tuple
    count: int
    score: float


def state(xp):
    return State(xp([[0.1, -0.0], [1e-310, 3.0]]), (xp([1.5], "float32"), ()), 7, -float("inf"))


def test_every_bit_comes_back(xp, tmp_path):
    save(tmp_path / "a.npz", state(xp))
    like = State(xp(np.ones((2, 2))), (xp([0.0], "float32"), ()), 0, 0.0)
    back = load(tmp_path / "a.npz", like=like)
    assert type(back) is State
    assert type(back.x) is type(like.x)
    assert to_numpy(back.x).tobytes() == to_numpy(state(xp).x).tobytes()
    assert to_numpy(back.parts[0]).tolist() == [1.5]
    assert back.parts[0].dtype == like.parts[0].dtype
    assert (back.parts[1], back.count, back.score) == ((), 7, -float("inf"))
    assert type(back.count) is int


def test_an_interrupted_write_leaves_the_last_whole_file(tmp_path, monkeypatch):
    file = tmp_path / "a.npz"
    save(file, state(np.asarray))

    def torn(target, **entries):
        target.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", torn)
    with pytest.raises(KeyboardInterrupt):
        save(file, state(np.asarray)._replace(count=8))
    assert load(file, like=state(np.asarray)).count == 7
    assert os.listdir(tmp_path) == ["a.npz"]


@pytest.mark.parametrize("keep", [0, 1, 40, -1])
def test_a_truncated_file_is_refused_by_name(tmp_path, keep):
    file = tmp_path / "a.npz"
    save(file, state(np.asarray))
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"a\.npz is no readable checkpoint"):
        load(file, like=state(np.asarray))


def test_a_file_with_a_flipped_bit_is_refused(tmp_path):
    file = tmp_path / "a.npz"
    save(file, state(np.asarray))
    content = bytearray(file.read_bytes())
    place = content.index(np.array([0.1]).tobytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="no readable checkpoint"):
        load(file, like=state(np.asarray))


def test_another_form_is_refused(tmp_path):
    file, saved = tmp_path / "a.npz", state(np.asarray)
    save(file, saved)
    with pytest.raises(ValueError, match=r"missing \['parts\.1'\], unexpected \[\]"):
        load(file, like=saved._replace(parts=(saved.parts[0], np.zeros(1))))
    with pytest.raises(ValueError, match=r"holds x as \(2, 2\) float64, \(2, 3\) float64 is wanted"):
        load(file, like=saved._replace(x=np.zeros((2, 3))))
    with pytest.raises(ValueError, match=r"holds x as \(2, 2\) float64, \(2, 2\) float32 is wanted"):
        load(file, like=saved._replace(x=np.zeros((2, 2), "float32")))
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.npz", like=saved)


def test_what_cannot_be_saved_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="count must be an array, an int or a float to be saved, got str"):
        save(tmp_path / "a.npz", state(np.asarray)._replace(count="seven"))
    assert os.listdir(tmp_path) == []
