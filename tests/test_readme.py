"""The README's code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def printed(code: str, capsys) -> list[float]:
    exec(compile(code, "README.md", "exec"), {})
    return [float(word) for word in capsys.readouterr().out.split()]


def test_the_code_runs_and_prints_what_it_says(capsys) -> None:
    twenty_lines, bottom_layer = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert printed(twenty_lines, capsys)[0] > 0
    own, best, gap = printed(bottom_layer, capsys)
    said = [float(number) for number in re.findall(r"# (-\d+\.\d+)", bottom_layer)]
    assert [own, best] == pytest.approx(said, abs=0.005)
    assert 0 <= gap <= 1e-6


def test_its_pictures_exist() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((Path(__file__).resolve().parents[1] / picture).is_file() for picture in pictures)
