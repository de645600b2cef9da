"""[AO] 3: the points and pictures of the figures: kept models trained again, what is drawn, what is shown."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

from ...data import cmnist, tea_split
from ..check import Implementation, agree, check, ensure, reproduced, to_tolerance
from ..figures import Figure, figure
from ..reproduce import kept, models, pictures
from ..reproduce.command import QUICK, SEED
from ..reproduce.models import NUMBERS
from ..sweeps import job_seed
from .ao_experiments import PRINTED

# --- the trainings ----------------------------------------------------------------------------------------


def trained_again(impl: Implementation, data: str, kind: str) -> None:
    """Raise Disagreement unless the kept model that is the cheapest to train comes out again."""
    found = kept.kept_models(data, kind)
    number = min(range(QUICK), key=lambda k: found[k]["hidden"] * (1 + found[k].get("inference", 0)))
    setting = models.plan(kind, data, QUICK, seed=SEED)[number]
    again = impl.run(setting, job_seed(SEED, number))
    for name in ("parameters", *NUMBERS):
        agree(again[name], found[number][name], f"{name} of {data} {kind} {number}", rtol=1e-6)


WRONG_TRAININGS: dict[str, dict[str, Any]] = {
    "draws of another seed": {"run": lambda setting, seed: models.run(setting, seed + 1)},
    "a rate of means, not of rows": {
        "run": lambda setting, seed: models.run({**setting, "rates": "mean"}, seed)
    },
}
again = partial(
    check,
    of=(models,),
    evidence=to_tolerance("six digits: other processors round otherwise, which hardly ever moves a draw"),
    mutants=WRONG_TRAININGS,
)


@again("AO.fig5", "AO.fig8", cases=list(models.KINDS))
def points_of_tea_are_trained_again(impl: Implementation, case: str) -> None:
    """A kept model of each class, trained anew from its settings, has the size and numbers kept."""
    trained_again(impl, "tea", case)


@again("AO.fig3", "AO.fig9", cases=["srbm", "ae"], needs_data="MNIST")
def points_of_cmnist_are_trained_again(impl: Implementation, case: str) -> None:
    """A kept stack and a kept auto-encoder, trained anew, have the size and numbers kept."""
    trained_again(impl, "cmnist", case)


# --- the example images -----------------------------------------------------------------------------------


def ten_images(impl: Implementation, data: str) -> Any:
    """Return the ten images that are drawn, as rows, once they are drawn as images are."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas()
    impl.draw_samples(data, 0, canvas)
    agree(len(canvas.axes), 10, "images drawn")
    rows = []
    for axes in canvas.axes:
        (image,) = axes.images
        agree(image.get_clim(), (0.0, 1.0), "white and black")
        shown = np.asarray(image.get_array())
        agree(shown.shape, (10, 10), "pixels")
        rows.append(shown.reshape(100))
    places = [axes.get_position().x0 for axes in canvas.axes]
    ensure(places == sorted(set(places)), "images from left to right")
    return np.array(rows)


def drawn_of(change: Any) -> dict[str, Any]:
    """Return the drawing of rows that were changed."""

    def draw_samples(data: str, split: int, canvas: Any) -> None:
        train, valid = models.rows(data, split)
        with patch.object(pictures, "rows", lambda *_: change(train, valid)):
            pictures.draw_samples(data, split, canvas)

    return {"draw_samples": draw_samples}


WRONG_IMAGES = {
    "images of the validation set": drawn_of(lambda train, valid: (valid, train)),
    "rows and columns exchanged": drawn_of(
        lambda train, valid: (train.reshape(-1, 10, 10).transpose(0, 2, 1).reshape(-1, 100), valid)
    ),
    "the last images": drawn_of(lambda train, valid: (train[::-1], valid)),
    "nine of them": drawn_of(lambda train, valid: (train[:9], valid)),
}


@check(
    "AO.fig4",
    of=(pictures,),
    cases=[None],
    evidence=reproduced(
        "in part: ten images of a training part of Tea, each as the text describes them; which ten the "
        "document shows, of which split, it does not tell\nfigure: docs/reproduction/AO.fig4.png"
    ),
    mutants=WRONG_IMAGES,
)
def ten_images_of_tea(impl: Implementation, case: None) -> None:
    """10x10, 50 ones each, tea at the bottom of a pot on the left, five cups on the right, all distinct."""
    rows = ten_images(impl, "tea")
    agree(rows, tea_split(0).train[:10].astype(float), "the first ten training rows")
    agree(rows.sum(axis=1), np.full(10, 50.0), "ones of each image")
    agree(len({row.tobytes() for row in rows}), 10, "distinct images")
    halves = rows.reshape(10, 10, 2, 5)
    ensure((halves == halves[..., :1]).all(), "rows of a vessel are full or empty")
    ensure((np.diff(halves[:, :, 0, 0], axis=1) >= 0).all(), "tea lies at the bottom of the pot")
    ensure((np.diff(halves[:, :, 1, 0].reshape(10, 5, 2), axis=2) >= 0).all(), "and of the cups")


@check(
    "AO.fig2",
    of=(pictures,),
    cases=[None],
    evidence=reproduced(
        "in part: the centres of the first ten training digits of MNIST, non-zero pixels black; the document "
        "does not tell its order of the digits\nfigure: docs/reproduction/AO.fig2.png"
    ),
    needs_data="MNIST",
    mutants=WRONG_IMAGES,
)
def ten_images_of_cmnist(impl: Implementation, case: None) -> None:
    """Ten binary images of 10x10 pixels: the first training rows in the reading of AO.sec3.1d."""
    rows = ten_images(impl, "cmnist")
    agree(rows, cmnist(reading="nonzero", seed=None).train[:10].astype(float), "the first ten training rows")
    ensure(np.isin(rows, (0, 1)).all(), "pixels are zeros and ones")
    agree(len({row.tobytes() for row in rows}), 10, "distinct images")


def drawing(name: str) -> Figure:
    """Return what draws a figure of the kept models."""
    picture = pictures.PICTURES[name]

    def draw(axes: Any) -> None:
        these = {kind: kept.kept_models(picture.data, kind) for kind in picture.kinds}
        pictures.draw(name, these, PRINTED[picture.data], axes)

    draw.__name__ = name
    return draw


for _name in pictures.PICTURES:
    figure(_name)(drawing(_name))
