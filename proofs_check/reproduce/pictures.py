"""The figures of [AO] section 3, drawn from measured models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...reference.layerwise.selection import pareto_front
from .claims import DEEP
from .judging import Models, Numbers
from .models import KINDS, rows

_COLOURS = {"rbm": "0.45", "srbm": "tab:blue", "ae": "tab:orange", "aeri": "tab:green"}
_WORDS = {
    "train": "training log-likelihood",
    "valid": "validation log-likelihood",
    "bound_train": "training bound",
    "bound_valid": "validation bound",
    "estimate_train": "estimate of the training bound, K = 1",
}
_LOWEST = -80.0  # what is worse is drawn at the edge: a few models would hide all others


class Picture(NamedTuple):
    """What a figure shows: two numbers of each model of some kinds, on one data set."""

    data: str
    kinds: tuple[str, ...]
    x: str
    y: str
    experiment: str
    front: bool = False  # only the Pareto front: dots by the printed rule, a line by the standard one
    beside: tuple[str, ...] = ()  # kinds that its claims compare these with, though it does not show them


_SIZES = ("parameters", "valid")
PICTURES = {
    "AO.fig3": Picture("cmnist", ("rbm", "srbm"), *_SIZES, "AO.exp1"),
    "AO.fig5": Picture("tea", ("rbm", "srbm"), *_SIZES, "AO.exp1"),
    "AO.fig8": Picture("tea", DEEP, *_SIZES, "AO.exp2"),
    "AO.fig9": Picture("cmnist", DEEP, *_SIZES, "AO.exp2"),
    "AO.fig10": Picture("tea", DEEP, *_SIZES, "AO.exp2", front=True),
    "AO.fig11": Picture("cmnist", DEEP, *_SIZES, "AO.exp2", front=True),
    "AO.fig12": Picture("tea", ("srbm",), "train", "bound_train", "AO.exp3"),
    "AO.fig13": Picture("cmnist", ("srbm",), "train", "bound_train", "AO.exp3"),
    "AO.fig14": Picture("tea", ("aeri",), "train", "bound_train", "AO.exp3"),
    "AO.fig15": Picture("cmnist", ("aeri",), "train", "bound_train", "AO.exp3"),
    "AO.fig16": Picture("tea", ("rbm",), "train", "bound_train", "AO.exp4", beside=("srbm",)),
    "AO.fig17": Picture("cmnist", ("rbm",), "train", "bound_train", "AO.exp4", beside=("srbm",)),
    "AO.fig18": Picture("tea", DEEP, "valid", "bound_train", "AO.exp5"),
    "AO.fig19": Picture("cmnist", DEEP, "valid", "bound_train", "AO.exp5"),
    "AO.fig20": Picture("tea", DEEP, "valid", "bound_valid", "AO.exp6"),
    "AO.fig21": Picture("cmnist", DEEP, "valid", "bound_valid", "AO.exp6"),
    "AO.fig22": Picture("tea", DEEP, "bound_train", "estimate_train", "AO.exp7"),
    "AO.fig23": Picture("cmnist", DEEP, "bound_train", "estimate_train", "AO.exp7"),
}
SAMPLES = {"AO.fig2": "cmnist", "AO.fig4": "tea"}
"""The figures that show the first ten rows of a data set."""


def draw(name: str, models: Models, baselines: Mapping[str, float], axes: Any) -> None:
    """Draw a figure of ``PICTURES`` on Matplotlib axes."""
    picture = PICTURES[name]
    for kind in picture.kinds:
        x, y = (np.array([m[key] for m in models[kind]], dtype=np.float64) for key in (picture.x, picture.y))
        style: dict[str, Any] = {"marker": "o", "markersize": 3.5, "linestyle": "", "color": _COLOURS[kind]}
        if picture.front:
            axes.plot(*_front(x, y, "printed"), ".", markersize=3, color=_COLOURS[kind])
            x, y = _front(x, y, "standard")
            style |= {"linestyle": "-", "drawstyle": "steps-post"}
        x, y = (np.maximum(values, _LOWEST) for values in (x, y))
        axes.plot(x, y, label=f"{KINDS[kind]} ({len(models[kind])})", **style)
    if picture.x == "parameters":
        for label, value in baselines.items():
            axes.axhline(value, color="0.7", linewidth=0.8)
            axes.annotate(
                label, (1.0, value), xycoords=("axes fraction", "data"), ha="right", va="bottom", size=7
            )
        axes.set_xlabel("parameters of the generative model")
    else:
        low, high = axes.get_xlim()
        axes.plot([low, high], [low, high], color="0.7", linewidth=0.8, zorder=0)
        axes.set_xlabel(_WORDS[picture.x] + ", nats")
    axes.set_ylabel(_WORDS[picture.y] + ", nats")
    axes.set_title(f"{name.removeprefix('AO.')}: {picture.data}", size=10)
    axes.legend(fontsize=7)


def _front(x: Numbers, y: Numbers, dominance: str) -> tuple[Numbers, Numbers]:
    kept = pareto_front(x, y, dominance=dominance)
    order = np.lexsort((y[kept], x[kept]))
    return x[kept][order], np.maximum(y[kept][order], _LOWEST)


def draw_samples(data: str, split: int, figure: Any) -> None:
    """Draw the first ten training rows as images."""
    for k, row in enumerate(rows(data, split)[0][:10], start=1):
        axes = figure.add_subplot(1, 10, k)
        axes.imshow(row.reshape(10, 10), cmap="gray_r", vmin=0, vmax=1)
        axes.set_axis_off()
