"""The README's code runs as it stands, and so do the examples of modules that have whole ones."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from exactgen.data.baselines import independent_bernoulli_baseline
from exactgen.data.teapot import tea_split
from exactgen.reference.directed import dbn_training
from exactgen.reference.layerwise import recipes

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def printed(code: str, capsys) -> list[float]:
    exec(compile(code, "README.md", "exec"), {})
    return [float(word) for word in capsys.readouterr().out.split()]


def test_the_code_runs_and_prints_what_it_says(capsys) -> None:
    twenty_lines, bottom_layer = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert printed(twenty_lines, capsys)[0] > 0
    own, best, gap = printed(bottom_layer, capsys)
    said = [float(number) for number in re.findall(r"# for example (-\d+\.\d+)", bottom_layer)]
    # The last bit of a matrix product decides a draw now and then, and with it the path of the training:
    # what is said is what other seeds give too.
    for said_own, said_best in (said, (own, best)):
        assert -50 < said_own < -25
        assert said_own + 5 < said_best < -15
    assert 0 <= gap <= 1e-6


@pytest.mark.parametrize("module", [recipes, dbn_training])
def test_the_example_of_a_module_learns_more_than_independent_bits(module) -> None:
    block = re.search(r" *import numpy.*\n *log_likelihood\(.*?\)(?=  #)", module.__doc__, flags=re.DOTALL)
    assert block is not None
    *lines, last = dedent(block[0]).splitlines()
    bits = tea_split(0).train
    known: dict[str, Any] = {"data": bits.astype(float)}
    exec("\n".join([*lines, f"found = {last}"]), known)
    assert known["found"].mean() > independent_bernoulli_baseline(bits, bits, smoothing=0.0)


def test_its_pictures_exist() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    assert all((Path(__file__).resolve().parents[1] / picture).is_file() for picture in pictures)
