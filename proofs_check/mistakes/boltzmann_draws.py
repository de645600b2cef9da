"""Mistakes in drawing the units of an RBM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...backends.arrays import Array, array_namespace
from ...reference.boltzmann import annealing, contrastive, rbm
from ...reference.numerics import sigmoid
from . import Wrong, mistake
from .boltzmann import clipped, either_way
from .patterns import instead
from .uniforms import REMEMBERED, Uniforms

Draw = Callable[[Array, Any], Array]


def _hidden(draw: Draw) -> dict[Callable[..., Any], Wrong]:
    return {rbm.draw_hidden: instead(draw)}


def _visible(draw: Draw) -> dict[Callable[..., Any], Wrong]:
    return {rbm.draw_visible: instead(draw)}


def _start(draw: Draw) -> dict[Callable[..., Any], Wrong]:
    """Return the start of annealing drawn so, from the base-rate machine."""

    def start(base: Array, chains: int, stream: Any) -> Array:
        xp = array_namespace(base)
        return draw(xp.broadcast_to(sigmoid(base), (chains, base.shape[0])), stream)

    return {annealing._start: instead(start)}


def _drawing(title: str, draw: Draw) -> None:
    either_way(title, _hidden(draw), _visible(draw), _start(draw))


def _mean(p: Array, stream: Any) -> Array:
    return p


def _shared_by_units(p: Array, stream: Any) -> Array:
    u = Uniforms((p.shape[0], 1), like=p)
    return array_namespace(p).concat([u.below(p[:, i : i + 1], stream) for i in range(p.shape[1])], axis=1)


def _shared_by_rows(p: Array, stream: Any) -> Array:
    u = Uniforms((1, p.shape[1]), like=p)
    return array_namespace(p).concat([u.below(p[r : r + 1, :], stream) for r in range(p.shape[0])])


def _seeded(p: Array, stream: Any) -> Array:
    """Return draws by the numbers that the stream begins with, whatever was drawn before."""
    tape = REMEMBERED.setdefault(stream, Uniforms((0,), like=p))
    size = p.shape[0] * p.shape[1]
    u = tape.first(size)
    x = u.below(array_namespace(p).reshape(p, (size,)), stream)
    tape.put_back(u)
    return array_namespace(p).reshape(x, p.shape)


def _keeping_numbers(p: Array, stream: Any) -> Array:
    REMEMBERED[stream] = u = Uniforms(tuple(p.shape), like=p)
    return u.below(p, stream)


def _using_them_again(p: Array, stream: Any) -> Array:
    kept = REMEMBERED.get(stream)
    if kept is None or kept.low.shape[0] != p.shape[0]:
        return clipped(p, stream)
    u = kept.first(p.shape[1])
    x = u.below(p, stream)
    kept.put_back(u)
    return x


mistake(
    "means-for-samples: Means stand where samples belong: nothing is drawn.",
    _hidden(_mean),
    _visible(_mean),
    _start(_mean),
)
mistake(
    "means-for-hidden-samples: The chain is driven by hidden means where hidden samples belong.",
    _hidden(_mean),
)


def _with_mean(right: Callable[..., Any], *args: Any, **options: Any) -> Any:
    variant = options.pop("variant", contrastive.DOCUMENT)
    return right(*args, variant=variant._replace(negative_visible="mean"), **options)


mistake(
    "means-for-last-visible: "
    "The negative statistics use the mean of the last v where its sample belongs (if meant: declare "
    "negative_visible=mean).",
    dict.fromkeys((contrastive.cd_step, contrastive.pcd_step, contrastive.expected_pcd_step), _with_mean),
)
mistake(
    "means-for-visible-samples: The chain is driven by visible means where visible samples belong.",
    _visible(_mean),
)
_drawing(
    "thresholded: Units are set by p > 1/2 instead of drawn with probability p.",
    lambda p, stream: array_namespace(p).astype(p > 0.5, p.dtype),
)
_drawing(
    "inverted-comparison: "
    "The comparison with the uniform number is inverted: units are one with probability 1 - p.",
    lambda p, stream: clipped(1 - p, stream),
)
_drawing(
    "uniform-shared-by-units: "
    "One uniform number serves all units of a row: they are not independent given the other layer.",
    _shared_by_units,
)
_drawing(
    "uniform-shared-by-rows: The same uniform numbers serve all rows: rows are not independent.",
    _shared_by_rows,
)
mistake(
    "same-uniforms-for-layers: "
    "The generator is seeded anew at every draw: hidden and visible units share the same uniform numbers.",
    _hidden(_seeded),
    _visible(_seeded),
    _start(_seeded),
)
mistake(
    "uniforms-shared-by-layers: "
    "One array of uniform numbers serves both layers: a visible unit is drawn by the number that drew a "
    "hidden one.",
    _hidden(_keeping_numbers),
    _visible(_using_them_again),
)
