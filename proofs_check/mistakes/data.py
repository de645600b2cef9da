"""Mistakes in the documents' data sets, their baselines and the counting of parameters."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ...data import baselines, digits, teapot
from ...reference.layerwise import stacks
from . import mistake
from .patterns import instead, returning, scaled


def _spilt(images: Any) -> Any:
    images = images.copy()
    images[0, 99 - 5 :] = 0
    return images


def _turned(axis: int) -> Any:
    index = tuple(slice(None, None, -1 if k == axis else None) for k in range(3))
    return returning(lambda images: images.reshape(243, 10, 10)[index].reshape(243, 100))


mistake("row-of-tea-missing: One pot is a row short.", {teapot.tea: returning(_spilt)})
mistake(
    "image-twice: One image stands for another.",
    {teapot.tea: returning(lambda images: images[[0, *range(242)]])},
)
mistake("tea-at-the-top: Vessels are filled from the top.", {teapot.tea: _turned(1)})
mistake("pot-and-cups-exchanged: The pot stands on the right.", {teapot.tea: _turned(2)})
mistake(
    "bits-for-nats: The logarithm is to base two: bits where nats belong.",
    {baselines.uniform_baseline: lambda right, pixels: -float(pixels)},
)
mistake(
    "part-for-the-whole: One part of the data is counted as all of it.",
    {baselines.perfect_baseline: lambda right, images: right(images // 3)},
)
mistake(
    "pixels-averaged: The pixels' terms are averaged where they are to be summed.",
    {baselines.independent_bernoulli_baseline: scaled(1 / 100)},
)
mistake(
    "one-probability-for-all: All pixels share one probability.",
    {
        baselines.independent_bernoulli_baseline: lambda right, train, valid, *, smoothing: (
            baselines.shared_bernoulli_baseline(train, valid)
        )
    },
)
mistake(
    "over-smoothed: Forty rows of either kind are added to the counts.",
    {
        baselines.independent_bernoulli_baseline: lambda right, train, valid, *, smoothing: right(
            train, valid, smoothing=smoothing + 40.0
        )
    },
)
mistake(
    "fitted-on-validation: The fit is on the rows that it is evaluated on.",
    {
        baselines.independent_bernoulli_baseline: lambda right, train, valid, *, smoothing: right(
            valid, valid, smoothing=smoothing
        )
    },
)


def _moved(rows: Any) -> Any:
    moved = [np.roll(part.reshape(-1, 10, 10), 1, axis=2).reshape(-1, 100) for part in rows[:3]]
    return rows._replace(train=moved[0], valid=moved[1], test=moved[2])


mistake("window-off: The window of CMNIST is a pixel off.", {digits.cmnist: returning(_moved)})
mistake(
    "thresholded: Grey levels are set to bits at half their range.",
    {digits.cmnist: lambda right, *, reading, seed, **where: right(reading="half", seed=seed, **where)},
)
mistake(
    "biases-not-counted: Only couplings count as parameters.",
    {stacks.parameter_count: instead(lambda net: sum(prod(layer.W.shape) for layer in net))},
)
mistake(
    "lower-hidden-biases-counted: The hidden biases of machines below the top count too.",
    {stacks.parameter_count: lambda right, net: right(net) + sum(layer.W.shape[1] for layer in net[:-1])},
)
