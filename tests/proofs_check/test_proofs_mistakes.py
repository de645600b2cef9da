"""A mistake is made everywhere at once, and undone; what is no title, and no piece, is refused."""

from __future__ import annotations

import numpy as np
import pytest
from exactgen.proofs_check import mistakes
from exactgen.proofs_check.checks import load_checks
from exactgen.proofs_check.implementation import Implementation
from exactgen.proofs_check.mistakes import CATALOGUE, called, family_of, mistake
from exactgen.reference import numerics
from exactgen.reference.boltzmann import rbm

THETA = rbm.RBM(np.array([[0.5, -1.0]]), np.array([0.2]), np.array([0.3, 0.1]))
ROWS = np.array([[1.0], [0.0]])


@pytest.fixture
def catalogue(monkeypatch):
    monkeypatch.setattr(mistakes, "CATALOGUE", [])
    return mistakes.CATALOGUE


def test_while_it_is_made_everybody_makes_it(catalogue):
    right = rbm.free_energy(THETA, ROWS)
    wrong = mistake("relu-for-softplus: Maximised.", {numerics.softplus: lambda right, x: np.maximum(x, 0)})
    impl = Implementation.of(rbm)
    with wrong.made():
        x = ROWS @ THETA.W + THETA.c
        np.testing.assert_allclose(impl.free_energy(THETA, ROWS), -0.2 * ROWS[:, 0] - np.maximum(x, 0).sum(1))
    np.testing.assert_array_equal(impl.free_energy(THETA, ROWS), right)


def test_it_is_undone_where_the_wrong_piece_raises(catalogue):
    before = numerics.softplus
    wrong = mistake("broken: Raises.", {numerics.softplus: lambda right, x: 1 / 0})
    with pytest.raises(ZeroDivisionError), wrong.made():
        rbm.free_energy(THETA, ROWS)
    assert numerics.softplus is before is rbm.softplus


def test_the_right_piece_comes_first(catalogue):
    doubled = mistake("doubled: Twice.", {rbm.hidden_input: lambda right, theta, v: 2 * right(theta, v)})
    with doubled.made():
        assert rbm.hidden_input(THETA, ROWS)[0, 0] == 2 * 0.8


@pytest.mark.parametrize(
    ("title", "pieces", "words"),
    [
        ("no words", {rbm.energy: abs}, "is wanted, got 'no words'"),
        ("has spaces: Words.", {rbm.energy: abs}, "is wanted"),
        ("nothing: Words.", {}, "replaces no piece"),
        ("elsewhere: Words.", {np.linalg.norm: abs}, "no module of the reference holds"),
    ],
)
def test_a_mistake_of_nothing_is_refused(catalogue, title, pieces, words):
    with pytest.raises(ValueError, match=words):
        mistake(title, pieces)


def test_names_are_taken_once_and_told_apart_by_variants(catalogue):
    piece = {rbm.energy: lambda right, *args: 0 * right(*args)}
    mistake("idle: Nothing.", piece)
    mistake("idle (on the way up only): Nothing.", piece)
    with pytest.raises(ValueError, match="two mistakes in test are called 'idle'"):
        mistake("idle: Nothing.", piece)
    assert [m.label for m in called("idle", family="test")] == ["idle", "idle (on the way up only)"]
    assert [m.variant for m in called("test:idle (on the way up only)", family="laws")] == [
        "on the way up only"
    ]
    with pytest.raises(KeyError, match="no mistake 'idel' in the family test; it has idle"):
        called("idel", family="test")


def test_the_family_is_the_first_word_of_a_file():
    assert family_of("exactgen.proofs_check.checks.boltzmann_machine") == "boltzmann"
    assert family_of("exactgen.proofs_check.mistakes.laws") == "laws"


def test_every_mistake_of_the_catalogue_has_words_that_end():
    for found in mistakes.load():
        assert found.words.endswith((".", ").")), found.label
    assert len({(m.family, m.label) for m in CATALOGUE}) == len(CATALOGUE)


def test_every_mistake_of_the_catalogue_is_named_by_a_check_and_every_name_is_in_the_catalogue():
    named = {mistake for check in load_checks().values() for mistake in check.mistakes()}
    assert [m.label for m in mistakes.load() if m not in named] == []
