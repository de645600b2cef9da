"""Files written whole or not at all."""

import os
from pathlib import Path

import pytest
from exactgen.backends.files import is_writable, write_whole


@pytest.mark.parametrize("content", ["wörter\n", b"\x00\xff"])
def test_what_is_written_is_there(tmp_path, content):
    file = tmp_path / "a"
    file.write_text("old, and longer than what is new")
    write_whole(file, content)
    assert file.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError(28, "no space left")])
def test_a_write_cut_short_leaves_the_old_file(tmp_path, monkeypatch, step, fault):
    file = tmp_path / "a"
    file.write_text("old")

    def cut(*_):
        raise fault

    monkeypatch.setattr(os, step, cut)
    with pytest.raises((KeyboardInterrupt, OSError)):
        write_whole(file, "new")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a", "old")]


def test_a_device_is_written_to_and_not_replaced():
    write_whole(os.devnull, "words")
    assert not Path(os.devnull).is_file()


def test_what_cannot_be_written_is_known_beforehand(tmp_path):
    assert is_writable(tmp_path / "new")
    assert not is_writable(tmp_path)
    assert not is_writable(tmp_path / "nowhere" / "new")
