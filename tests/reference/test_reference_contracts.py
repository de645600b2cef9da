"""Contracts: what passes, what a refusal says, who checks and who does not, and what a declaration tells."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
import pytest
from exactgen.backends.arrays import Array, array_namespace
from exactgen.reference.boltzmann import rbm
from exactgen.reference.contracts import (
    Bits,
    Choice,
    Count,
    Floats,
    Indices,
    Law,
    LogWeights,
    NotNegative,
    Number,
    Numbers,
    Own,
    Positive,
    Prob,
    Raw,
    Real,
    Tree,
    checked,
    conform,
    contract,
    unchecked_values,
)


class Pair(NamedTuple):
    W: Real[Array, "V H"]
    b: Real[Array, "V"]


class Square(NamedTuple):
    L: Real[Array, "n n"]

    def relation(self, name: str) -> None:
        xp = array_namespace(self.L)
        if not bool(xp.all(self.L == self.L.T)):
            raise ValueError(f"{name}.L must be symmetric")


class Both(NamedTuple):
    low: Pair
    top: Own[Pair, "top_"]


@checked
def rows(theta: Pair, v: Bits[Array, "n V"], *, weights: Law[Array, "n"] | None = None) -> Real[Array, "n H"]:
    """Return v W.

    Exactness: exact.
    """
    return v @ theta.W


@checked
def kinds(
    *,
    floats: Floats[Array, "*S"] | None = None,
    numbers: Numbers[Array, "..."] | None = None,
    prob: Prob[Array, "n"] | None = None,
    columns: Law[Array, "X n", 0] | None = None,
    table: Law[Array, "*S", None] | None = None,
    log: LogWeights[Array, "... n"] | None = None,
    weight: NotNegative[Array, "n"] | None = None,
    scale: Positive[Array, ""] | None = None,
    raw: Raw[Array, "n ..."] | None = None,
    index: Indices[Array, "_", "2**H"] | None = None,
    states: Law[Array, "2**H"] | None = None,
    bits: Bits[Array, "_ H"] | None = None,
    square: Square | None = None,
    both: Both | None = None,
    several: Sequence[Pair] = (),
    two: tuple[Real[Array, "n"], Real[Array, "n"]] | None = None,
    k: Count[int, 1] = 1,
    rate: Number[float, "[0, 1)"] = 0.0,
    width: Number[float, "(0, inf)"] = 1.0,
    beta: Number[float, "[0, 1]"] = 1.0,
    how: Literal["mean", "sample"] = "mean",
    which: Choice[str, "up", "down"] = "up",
    plain: int = 0,
) -> None:
    """Do nothing."""


@checked
def broadcast(*, x: Bits[Array, "*#S"], y: Real[Array, "*#S"]) -> Real[Array, "*#S"]:
    """Return x y."""
    return x * y


@checked
def each(*laws: Law[Array, "_"]) -> int:
    """Return how many there are."""
    return len(laws)


W, V = np.zeros((3, 2)), np.ones((4, 3))


def test_what_is_right_passes(xp: Any) -> None:
    theta = Pair(xp(W), xp(np.zeros(3)))
    assert tuple(rows(theta, xp(V)).shape) == (4, 2)
    rows(theta, xp(V), weights=xp([0.25] * 4))
    kinds(floats=xp([[math.nan]]), table=xp([[1.0]]), numbers=xp([math.inf]), log=xp([-math.inf, 1.0]))
    kinds(prob=xp([0.0, 1.0]), columns=xp([[1.0, 0.5], [0.0, 0.5]]), weight=xp([0.0, 9.0]), scale=xp(2.0))
    kinds(raw=xp([[1], [2]], "int64"), bits=xp([[1.0, 0.0]]), states=xp([0.25] * 4), index=xp([3], "uint8"))
    kinds(square=Square(xp([[0.0, 1.0], [1.0, 0.0]])), several=(theta, Pair(xp(np.zeros((1, 9))), xp([0.0]))))
    kinds(both=Both(theta, Pair(xp(np.zeros((2, 5))), xp([0.0, 0.0]))), two=(xp([1.0]), xp([2.0])))
    kinds(states=xp(np.asarray([1 / 3] * 3), "float32"), k=np.int64(3), rate=0, how="sample", which="down")
    broadcast(x=xp([[1.0], [0.0]]), y=xp([1.0, 2.0, 3.0]))
    assert each(xp([1.0]), xp([0.5, 0.5])) == 2


REFUSED: list[tuple[Any, str]] = [
    (lambda xp, t: rows(t, xp(V[:, :2])), r"^v must have shape \(n >= 1, 3\), got \(4, 2\)"),
    (lambda xp, t: rows(t, xp(V[:0])), r"^v must have shape \(n >= 1, 3\), got \(0, 3\)"),
    (lambda xp, t: rows(t, xp(V[0])), r"^v must have shape \(n >= 1, 3\), got \(3,\)"),
    (lambda xp, t: rows(t._replace(b=xp([0.0])), xp(V)), r"^theta\.b must have shape \(3\), got \(1,\)"),
    (lambda xp, t: rows(t._replace(W=xp([0.0])), xp(V)), r"theta\.W must have shape \(V >= 1, H >= 1\), got"),
    (lambda xp, t: rows(t, xp(V / 2)), r"^v must hold zeros and ones only .*, got 0\.5 at index \[0, 0\]"),
    (lambda xp, t: rows(t._replace(b=xp([0, math.nan, 0])), xp(V)), r"theta\.b .* got nan at index \[1\]"),
    (lambda xp, t: rows(t, xp(V, "int64")), "v must be a real floating-point array, got dtype .*int64; conv"),
    (lambda xp, t: rows(t, xp(V, "complex128")), "v must be a real floating-point array"),
    (lambda xp, t: rows(t, xp(V, "float32")), "v must have the dtype of the parameters, .*64, got .*32"),
    (lambda xp, t: rows(t, xp(V), weights=xp([0.5] * 4)), "weights must sum to one along axis -1, .* is 1$"),
    (lambda xp, t: rows(t, xp(V), weights=xp([1.0])), r"weights must have shape \(4\), got \(1,\)"),
    (lambda xp, t: kinds(numbers=xp([[math.inf, math.nan]])), r"numbers must hold numbers, .* \[0, 1\]"),
    (lambda xp, t: kinds(prob=xp([1.25])), r"prob must hold probabilities in \[0, 1\], got 1\.25"),
    (lambda xp, t: kinds(prob=xp([math.nan])), "got nan"),
    (lambda xp, t: kinds(columns=xp([[0.5, 1.0], [0.5, 0.5]])), r"columns must sum to one along axis 0"),
    (lambda xp, t: kinds(columns=xp([[1.5], [-0.5]])), r"none negative, got -0\.5 at index \[1, 0\]"),
    (
        lambda xp, t: kinds(table=xp([[0.5, 0.5], [0.5, 0.5]])),
        "table must sum to one over all axes, .* is 1$",
    ),
    (lambda xp, t: kinds(table=xp([0.5, 0.5 + 1e-7])), "largest deviation is 1e-07"),
    (lambda xp, t: kinds(floats=xp([1.0]), table=xp([[1.0]])), r"table must have shape \(1\), got \(1, 1\)"),
    (lambda xp, t: kinds(log=xp([math.inf])), "log must hold finite numbers or minus infinity, got inf"),
    (lambda xp, t: kinds(log=xp(1.0)), r"log must have shape \(\.\.\., n >= 1\), got \(\)"),
    (lambda xp, t: kinds(weight=xp([-1.0])), r"weight must hold finite numbers, none negative, got -1\.0"),
    (lambda xp, t: kinds(scale=xp(0.0)), r"scale must hold positive finite numbers, got 0\.0 at index \[\]"),
    (lambda xp, t: kinds(scale=xp([1.0])), r"scale must have shape \(\), got \(1,\)"),
    (
        lambda xp, t: kinds(bits=xp([[1.0, 0.0]]), states=xp([1.0])),
        r"states must have shape \(4\), got \(1,\)",
    ),
    (lambda xp, t: kinds(bits=xp([[1.0]]), index=xp([2], "int64")), r"indices in 0\.\.1, got 2\.0 at index"),
    (lambda xp, t: kinds(bits=xp([[1.0]]), index=xp([1.0])), "index must hold integers, got dtype"),
    (lambda xp, t: kinds(square=Square(xp(np.zeros((2, 3))))), r"square\.L must have shape \(2, 2\), got"),
    (lambda xp, t: kinds(several=[t, Pair(xp(W), xp([0.0]))]), r"several\[1\]\.b must have shape \(3\)"),
    (lambda xp, t: kinds(both=Both(t, t._replace(b=xp([0.0])))), r"both\.top\.b must have shape \(3\)"),
    (lambda xp, t: kinds(two=(xp([1.0]), xp([1.0, 2.0]))), r"two\[1\] must have shape \(1\)"),
    (lambda xp, t: kinds(k=0), "k must be an integer of at least 1, got 0"),
    (lambda xp, t: kinds(k=True), "got True"),
    (lambda xp, t: kinds(k=1.0), r"got 1\.0"),
    (lambda xp, t: kinds(rate=1.0), r"rate must be a number at least 0 and below 1, got 1\.0"),
    (lambda xp, t: kinds(rate=math.nan), "got nan"),
    (lambda xp, t: kinds(width=0), "width must be a number above 0 and finite, got 0"),
    (lambda xp, t: kinds(width=math.inf), "got inf"),
    (lambda xp, t: kinds(beta=1.5), r"beta must be a number in \[0, 1\], got 1\.5"),
    (lambda xp, t: kinds(how="both"), "how must be one of 'mean', 'sample', got 'both'"),
    (lambda xp, t: kinds(which="left"), "which must be one of 'up', 'down', got 'left'"),
    (
        lambda xp, t: broadcast(x=xp([[0.0, 1.0]]), y=xp([0.0, 1.0, 2.0])),
        r"x, y must have shapes that broadcast, got \[\(1, 2\), \(3,\)\]",
    ),
    (lambda xp, t: each(xp([1.0]), xp([0.5])), r"laws\[1\] must sum to one"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_is_wrong_is_refused(xp: Any, call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(xp, Pair(xp(W), xp(np.zeros(3))))


@pytest.mark.parametrize("thing", [[0.0], 1.0, None, "x"])
def test_what_is_of_another_sort_is_named(thing: Any) -> None:
    theta = Pair(W, np.zeros(3))
    with pytest.raises(TypeError, match=f"v must be an array, got {type(thing).__name__}"):
        rows(theta, thing)
    with pytest.raises(TypeError, match=f"theta must be of type Pair, got {type(thing).__name__}"):
        rows(thing, V)
    with pytest.raises(TypeError, match="several must be a sequence"):
        kinds(several=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="rate must be a number, got str"):
        kinds(rate="much")  # type: ignore[arg-type]


def test_a_mixture_of_backends_names_the_odd_one(xp: Any) -> None:
    if xp.name.startswith("numpy"):
        pytest.skip("the other side of the mixture")
    with pytest.raises(ValueError, match=r"v must be where theta\.W is: arrays of one backend are wanted"):
        rows(Pair(xp(W), xp(np.zeros(3))), V)


# --- who checks ------------------------------------------------------------------------------------------


@checked
def outer(v: Real[Array, "n V"]) -> Any:
    """Return what the inner function makes of half of it."""
    return rows(Pair(W, np.zeros(3)), v / 2)


@checked
def asks(ask: Callable[[Any], Any], v: Real[Array, "n V"]) -> Any:
    """Return what the caller's function makes of it."""
    return ask(v)


def test_only_the_outermost_call_checks() -> None:
    assert outer(V).shape == (4, 2)
    with pytest.raises(ValueError, match="v must hold zeros"):
        rows(Pair(W, np.zeros(3)), V / 2)
    with pytest.raises(ValueError, match="v must hold finite"):
        outer(V * math.nan)
    with pytest.raises(ValueError, match="v must hold zeros"):  # after an error, too
        rows(Pair(W, np.zeros(3)), V / 2)


def test_functions_of_the_caller_are_called_as_from_outside() -> None:
    theta = Pair(W, np.zeros(3))
    with pytest.raises(ValueError, match="v must hold zeros"):
        asks(lambda v: rows(theta, v / 2), V)

    @checked
    def around(v: Real[Array, "n V"]) -> Any:
        asks(lambda v: v, v)
        return rows(theta, v / 2)  # inside again

    assert around(V).shape == (4, 2)
    assert contract(asks).calls_back
    assert not contract(around).calls_back


def test_threads_do_not_switch_each_other_off() -> None:
    entered, leave, refused = threading.Event(), threading.Event(), []

    @checked
    def waits(v: Real[Array, "n V"]) -> Any:
        entered.set()
        assert leave.wait(10)
        return v

    slow = threading.Thread(target=waits, args=(V,))
    slow.start()
    assert entered.wait(10)
    try:
        with pytest.raises(ValueError, match="v must hold zeros"):
            rows(Pair(W, np.zeros(3)), V / 2)
        refused.append(True)
    finally:
        leave.set()
        slow.join()
    with unchecked_values():
        rows(Pair(W, np.zeros(3)), V / 2)

        def other() -> None:
            with pytest.raises(ValueError, match="v must hold zeros"):
                rows(Pair(W, np.zeros(3)), V / 2)
            refused.append(True)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True, True]


def test_values_unchecked_leave_shapes_checked() -> None:
    theta = Pair(W, np.zeros(3))
    with unchecked_values():
        assert rows(theta, V / 2).shape == (4, 2)
        kinds(rate=7, square=Square(np.triu(np.ones((2, 2)))))
        with pytest.raises(ValueError, match="v must have shape"):
            rows(theta, V[:, :2])
        with pytest.raises(ValueError, match="the dtype of the parameters"):
            rows(theta, V.astype("float32"))
    with pytest.raises(ValueError, match="v must hold zeros"):
        rows(theta, V / 2)


# --- what a declaration tells ----------------------------------------------------------------------------


def test_the_docstring_has_the_shapes() -> None:
    assert rows.__doc__ is not None
    line = "    Shapes: v (n, V) binary, weights (n,) summing to one -> (n, H).\n    Exactness: exact.\n"
    assert line in rows.__doc__
    assert broadcast.__doc__ == "Return x y.\n\n    Shapes: x (...) binary, y (...) -> (...).\n"
    assert kinds.__doc__ is not None
    assert "index (_,) indices below 2^H, states (2^H,) summing to one" in kinds.__doc__


def test_a_contract_tells_names_kinds_and_lengths() -> None:
    said = contract(rows)
    assert list(said.arguments) == ["theta", "v", "weights"]
    assert [part.name for part in said.arguments["theta"].walk()] == ["theta", "theta.W", "theta.b"]
    v: Any = said.arguments["v"]
    assert (v.kind.name, v.shape) == ("Bits", "n V")
    result: Any = said.returns
    assert (result.kind.name, result.shape) == ("Real", "n H")
    said.check_result((Pair(W, np.zeros(3)), V), {}, V[:, :2])
    with pytest.raises(ValueError, match=r"the result must have shape \(4, 2\), got \(4, 3\)"):
        said.check_result((Pair(W, np.zeros(3)), V), {}, V)
    with pytest.raises(TypeError, match="declares no contract"):
        contract(len)


def test_python_says_what_is_missing() -> None:
    for wrong in (lambda: rows(), lambda: rows(Pair(W, np.zeros(3)), V, V), lambda: kinds(nothing=1)):
        with pytest.raises(TypeError, match=r"missing|positional|unexpected"):
            wrong()


# --- declarations that depend on an argument ----------------------------------------------------------------


B = np.zeros(3)
T = TypeVar("T", bound=Tree[tuple, "tree"])


class Called:
    __called_back__: ClassVar[bool] = True

    def __call__(self, v: Any) -> Any:
        return rows(Pair(W, B), v)


@checked
def trees(tree: T, *, net: Sequence[Called] = ()) -> T:
    for called in net:
        called(np.ones(2))
    return tree


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ((Pair(W, B), (Pair(W, B[:-1]),)), r"tree\[1\]\[0\].b must have shape"),
        ((Pair(W, B), np.full(2, np.nan)), r"tree\[1\] must hold finite numbers"),
        (Pair(W, B.astype("float32")), r"tree.b must have the dtype of the parameters"),
        (Square(np.triu(np.ones((2, 2)))), r"tree.L must be symmetric"),
    ],
)
def test_a_tree_is_taken_apart_as_its_own_fields_declare(tree: Any, words: str) -> None:
    trees((Pair(W, B), Pair(W[:2], B[:2]), ()))
    with pytest.raises(ValueError, match=words):
        trees(tree)


@checked
def either(parts: Sequence[Pair | Square]) -> None:
    pass


def test_each_in_a_sequence_has_lengths_of_its_own_also_where_there_is_a_choice() -> None:
    either([Pair(W, B), Square(np.eye(2)), Pair(W[:2], B[:2])])
    with pytest.raises(ValueError, match=r"parts\[1\].b must have shape \(3\)"):
        either([Square(np.eye(2)), Pair(W, B[:2])])


def test_objects_that_are_called_back_check_what_they_are_given() -> None:
    with pytest.raises(ValueError, match="v must have shape"):
        trees((), net=[Called()])


def test_a_declaration_can_depend_on_a_value() -> None:
    conform(("theta", Pair, Pair(W, B)), ("v", Bits[Array, "n V"], V))
    with pytest.raises(ValueError, match=r"v must have shape \(n >= 1, 3\)"):
        conform(("theta", Pair, Pair(W, B)), ("v", Bits[Array, "n V"], V[:, :2]))
    with pytest.raises(ValueError, match=r"v must have shape \(n >= 1, 7\)"):
        conform(("v", Raw[Array, "n V"], V), V=7)


# --- other transformations -------------------------------------------------------------------------------


def test_torch_func_runs_through() -> None:
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    theta = rbm.RBM(*(torch.asarray(draw.normal(size=shape)) for shape in ((3, 2), 3, 2)))
    v = torch.asarray(V)
    with unchecked_values():
        gradient = torch.func.grad(lambda theta: -rbm.free_energy(theta, v).mean())(theta)
        rowwise = torch.func.vmap(lambda row: rbm.free_energy(theta, row[None, :])[0])(v)
    for ours, theirs in zip(rbm.data_statistics(theta, v), gradient, strict=True):
        torch.testing.assert_close(theirs, ours)
    torch.testing.assert_close(rowwise, rbm.free_energy(theta, v))


def test_jax_runs_through() -> None:
    jax = pytest.importorskip("jax")
    draw = np.random.default_rng(0)
    theta = rbm.RBM(*(jax.numpy.asarray(draw.normal(size=shape)) for shape in ((3, 2), 3, 2)))
    v = jax.numpy.asarray(V)
    with unchecked_values():
        gradient = jax.jit(jax.grad(lambda theta: -rbm.free_energy(theta, v).mean()))(theta)
        rowwise = jax.vmap(lambda row: rbm.free_energy(theta, row[None, :])[0])(v)
    for ours, theirs in zip(rbm.data_statistics(theta, v), gradient, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(rowwise, rbm.free_energy(theta, v), rtol=1e-5)
