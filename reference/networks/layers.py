r"""Kinds of layers, each a row of four verbs that can be read off its derivation.      [AL] 1.2, [SH] 2.2

    values         y = f(theta, x)
    pullback       (d theta, d x) from d y: the transposed derivative, summed over rows; backpropagation
    pushforward    d y from (d theta, d x): the derivative along a direction
    squared_norms  of the gradients of each row's own loss, an array of each field of theta; [AL] 7.3.3

Rows are samples and the last axis is units (channels, of an image).  A kind is told by its class and its
options; its parameters are a NamedTuple, which its gradient is too, or ``()`` where it has none.

    class Tanh(Elementwise):                    a new kind
        def values(self, theta, x): ...
        def slope(self, x, y): return 1 - y * y

and ``nets.TABLE`` gets its row, an instance and the shapes that it takes, on which the tests differentiate
it.  Verbs are contracts of themselves: what they declare of their arguments is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, NamedTuple, TypeAlias

from ...backends.arrays import Array, array_namespace
from ..contracts import LogWeights, Real, checked
from ..distributions import log_softmax
from ..numerics import sigmoid, softplus


@dataclass(frozen=True)
class Layer:
    """A kind of layer with its options."""

    has_parameters: ClassVar[bool] = False
    __called_back__: ClassVar[bool] = True  # a function of its user's: contracts check what it is given

    def __init_subclass__(cls) -> None:
        for verb in ("values", "pullback", "pushforward", "squared_norms"):
            if verb in vars(cls):
                setattr(cls, verb, checked(vars(cls)[verb]))

    def mixes_rows(self) -> bool:
        """Whether a row's output depends on other rows: then no row has a gradient of its own."""
        return False

    def values(self, theta: Any, x: Array) -> Array:
        """Return y, a row for each row of x."""
        raise NotImplementedError

    def pullback(self, theta: Any, x: Array, y: Array, dy: Array) -> tuple[Any, Array]:
        """Return the gradients of sum(dy * y) by the parameters and by x; dy has the shape of y."""
        raise NotImplementedError

    def pushforward(self, theta: Any, x: Array, y: Array, dtheta: Any, dx: Array) -> Array:
        """Return the derivative of y along (dtheta, dx), which have the shapes of theta and x."""
        raise NotImplementedError

    def squared_norms(self, theta: Any, x: Array, y: Array, dy: Array) -> Any:
        """Return, of each row, the squared norm of its share of the parameters' gradient: (n,) each."""
        return ()


# --- the fully connected layer ----------------------------------------------------------------------------


class Dense(NamedTuple):
    """The parameters of a fully connected layer; its gradient is a Dense too."""

    W: Real[Array, "inputs outputs"]
    b: Real[Array, "outputs"]


In: TypeAlias = Real[Array, "n inputs"]
Out: TypeAlias = Real[Array, "n outputs"]


@dataclass(frozen=True)
class FullyConnected(Layer):
    r""":math:`y = x W + b`.      [AL] 1.2.2; [SH] 2.2 transposes W"""

    has_parameters = True

    def values(self, theta: Dense, x: In) -> Out:
        return x @ theta.W + theta.b

    def pullback(self, theta: Dense, x: In, y: Out, dy: Out) -> tuple[Dense, In]:
        xp = array_namespace(x)
        return Dense(x.T @ dy, xp.sum(dy, axis=0)), dy @ theta.W.T

    def pushforward(self, theta: Dense, x: In, y: Out, dtheta: Dense, dx: In) -> Out:
        return dx @ theta.W + x @ dtheta.W + dtheta.b

    def squared_norms(self, theta: Dense, x: In, y: Out, dy: Out) -> Dense:
        r""":math:`\|x_n\|^2 \|dy_n\|^2` and :math:`\|dy_n\|^2`.      [AL] proposition 3 of chapter 7"""
        square = array_namespace(x).sum(dy * dy, axis=1)
        return Dense(array_namespace(x).sum(x * x, axis=1) * square, square)


# --- activations ------------------------------------------------------------------------------------------

Same: TypeAlias = Real[Array, "*S"]
"""Arrays of one shape."""


@dataclass(frozen=True)
class Elementwise(Layer):
    """y = s(x), entry by entry: its derivative is ``slope``."""

    def slope(self, x: Array, y: Array) -> Array:
        """Return s'(x), where y = s(x)."""
        raise NotImplementedError

    def pullback(self, theta: Any, x: Same, y: Same, dy: Same) -> tuple[Any, Same]:
        return (), dy * self.slope(x, y)

    def pushforward(self, theta: Any, x: Same, y: Same, dtheta: Any, dx: Same) -> Same:
        return dx * self.slope(x, y)


@dataclass(frozen=True)
class Identity(Elementwise):
    """y = x."""

    def values(self, theta: Any, x: Same) -> Same:
        return x

    def slope(self, x: Array, y: Array) -> Array:
        return array_namespace(x).ones_like(x)


@dataclass(frozen=True)
class Logistic(Elementwise):
    r""":math:`y = \sigma(x)`, the sigmoid."""

    def values(self, theta: Any, x: Same) -> Same:
        return sigmoid(x)

    def slope(self, x: Array, y: Array) -> Array:
        return y * (1 - y)


@dataclass(frozen=True)
class Tanh(Elementwise):
    r""":math:`y = \tanh x`."""

    def values(self, theta: Any, x: Same) -> Same:
        return array_namespace(x).tanh(x)

    def slope(self, x: Array, y: Array) -> Array:
        return 1 - y * y


@dataclass(frozen=True)
class Rectifier(Elementwise):
    r""":math:`y = \max(x, 0)`; 0 is the derivative at its kink."""

    def values(self, theta: Any, x: Same) -> Same:
        xp = array_namespace(x)
        return xp.maximum(x, xp.zeros_like(x))

    def slope(self, x: Array, y: Array) -> Array:
        return array_namespace(x).astype(x > 0, x.dtype)


@dataclass(frozen=True)
class LeakyRectifier(Elementwise):
    """y = x above zero, leak x below; leak is the derivative at its kink."""

    leak: float

    def values(self, theta: Any, x: Same) -> Same:
        return x * self.slope(x, x)

    def slope(self, x: Array, y: Array) -> Array:
        xp = array_namespace(x)
        return xp.where(x > 0, xp.ones_like(x), xp.full_like(x, self.leak))


@dataclass(frozen=True)
class Softplus(Elementwise):
    r""":math:`y = \log(1 + e^x)`."""

    def values(self, theta: Any, x: Same) -> Same:
        return softplus(x)

    def slope(self, x: Array, y: Array) -> Array:
        return sigmoid(x)


@dataclass(frozen=True)
class Softmax(Layer):
    r""":math:`y = e^{x} / \sum_k e^{x_k}` over the last axis.      [AL] 1.2.2"""

    def values(self, theta: Any, x: Same) -> Same:
        return softmax(x)

    def pullback(self, theta: Any, x: Same, y: Same, dy: Same) -> tuple[Any, Same]:
        return (), self.pushforward((), x, y, (), dy)  # diag(y) - y y^T is symmetric

    def pushforward(self, theta: Any, x: Same, y: Same, dtheta: Any, dx: Same) -> Same:
        return y * (dx - array_namespace(x).sum(y * dx, axis=-1, keepdims=True))


@checked
def softmax(logits: LogWeights[Array, "... K"]) -> Real[Array, "... K"]:
    r"""Return :math:`e^{v_i} / \sum_j e^{v_j}` over the last axis.      [AL] 1.2.2

    Exactness: exact, for logits of any size, minus infinity included.
    Raises: ValueError where the largest logit of a row is not finite.
    """
    return array_namespace(logits).exp(log_softmax(logits))


ACTIVATIONS = {
    "identity": Identity(),
    "sigmoid": Logistic(),
    "tanh": Tanh(),
    "relu": Rectifier(),
    "softplus": Softplus(),
}
"""Activations by the names that experiments call them."""


# --- shapes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reshape(Layer):
    """Each row in another shape, in row-major order: ``Reshape((-1,))`` flattens images."""

    shape: tuple[int, ...]

    def values(self, theta: Any, x: Real[Array, "n ..."]) -> Array:
        if -1 not in self.shape and prod(self.shape) != prod(x.shape[1:]):
            raise ValueError(f"x must have rows of {prod(self.shape)} numbers, got shape {tuple(x.shape)}")
        return array_namespace(x).reshape(x, (x.shape[0], *self.shape))

    def pullback(
        self, theta: Any, x: Real[Array, "*S"], y: Real[Array, "*T"], dy: Real[Array, "*T"]
    ) -> tuple[Any, Array]:
        return (), array_namespace(x).reshape(dy, x.shape)

    def pushforward(
        self, theta: Any, x: Real[Array, "*S"], y: Real[Array, "*T"], dtheta: Any, dx: Real[Array, "*S"]
    ) -> Array:
        return array_namespace(x).reshape(dx, y.shape)
