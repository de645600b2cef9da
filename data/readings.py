"""Which reading of [AO] section 3.1 gives its printed baselines? Tables and pictures of ``docs/datasets.md``.

``python -m exactgen.data.readings [--figures FOLDER]`` computes them again; the MNIST files are needed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .baselines import independent_bernoulli_baseline, shared_bernoulli_baseline
from .digits import cmnist, mnist
from .sources import Folder
from .splits import split
from .teapot import TEA_SIZES, tea, tea_levels, tea_split

CMNIST_PRINTED = -67.38
TEA_PRINTED = -49.27
BLOCK = 4000
FITS = [("unsmoothed", 0.0, 0.0), ("add 1/81", 1 / 81, 0.0), ("add 1/2", 0.5, 0.0), ("add 1", 1.0, 0.0)]
FITS += [(f"clip 1e-{k:02d}", 0.0, 10.0**-k) for k in (2, 3, 4, 5, 6, 7, 8, 10)]


class Candidate(NamedTuple):
    """One way to read the document's words on CMNIST, and the baseline that it gives."""

    model: str  # "own": a probability per pixel, as [AO] says; "shared": one for all
    values: str
    window: str
    digits: str
    value: float


class Spread(NamedTuple):
    """How a baseline varies over random splits, beside the printed value."""

    reading: str
    finite: float  # share of splits whose baseline is finite; the rest of the row is about those
    mean: float
    deviation: float
    below: float  # share of splits below the printed value
    within_005: float  # share within 0.05 of it
    within_03: float


Pixels = NDArray[Any]
View = Callable[[Pixels], Pixels]

VALUES: dict[str, View] = {
    "grey/255": lambda x: x / 255.0,
    "grey/256": lambda x: x / 256.0,
    "half": lambda x: (x >= 128).astype(np.uint8),
    "nonzero": lambda x: (x > 0).astype(np.uint8),
}


def cmnist_candidates(*, data_dir: Folder | None = None) -> list[Candidate]:
    """Return the baseline of every combination of model, pixel values, window and ordered choice of digits.

    The choices are deterministic: nothing here depends on a seed. Nearest to the printed -67.38 first.
    """
    digits = mnist(data_dir=data_dir)
    found = []
    for (window, crop), (chosen, train, valid) in product(
        _windows(), _ordered_pairs(digits.train_images, digits.test_images)
    ):
        for values, read in VALUES.items():
            pair = read(crop(train)).reshape(BLOCK, -1), read(crop(valid)).reshape(BLOCK, -1)
            own = independent_bernoulli_baseline(*pair, smoothing=0.0, clip=1e-9)
            found.append(Candidate("own", values, window, chosen, own))
            found.append(Candidate("shared", values, window, chosen, shared_bernoulli_baseline(*pair)))
    return sorted(found, key=lambda candidate: abs(candidate.value - CMNIST_PRINTED))


def cmnist_spreads(*, draws: int = 300, seed: int = 0, data_dir: Folder | None = None) -> list[Spread]:
    """Return how the centred window's baseline varies when the digits are drawn at random from all 70,000."""
    digits = mnist(data_dir=data_dir)
    window = np.concatenate([digits.train_images, digits.test_images])[:, 9:19, 9:19].reshape(-1, 100)
    spreads = []
    for values, read in VALUES.items():
        parts = [split(read(window), (BLOCK, BLOCK, 0), seed + draw) for draw in range(draws)]
        own = [independent_bernoulli_baseline(p.train, p.valid, smoothing=0.0, clip=1e-9) for p in parts]
        shared = [shared_bernoulli_baseline(p.train, p.valid) for p in parts]
        spreads.append(_spread(f"own, {values}", own, CMNIST_PRINTED))
        spreads.append(_spread(f"shared, {values}", shared, CMNIST_PRINTED))
    return spreads


def tea_spreads(*, draws: int = 5000, seed: int = 0) -> list[Spread]:
    """Return how the Tea baseline varies over random splits, for each smoothing of `FITS`."""
    parts = [split(tea(), TEA_SIZES, seed + draw) for draw in range(draws)]
    return [
        _spread(
            name,
            [independent_bernoulli_baseline(p.train, p.valid, smoothing=a, clip=clip) for p in parts],
            TEA_PRINTED,
        )
        for name, a, clip in FITS
    ]


def tea_candidates() -> list[tuple[str, float]]:
    """Return the baseline of splits without a shuffle, nearest to the printed -49.27 first.

    Tried: the images in the order of their cups (first or last cup fastest) or by the pot's level, upwards or
    downwards, cut into thirds or dealt out in turn, each of the three parts against each other one.
    """
    levels, images, found = tea_levels(), tea(), []
    keys = {
        "last cup fastest": levels[:, 1:] @ 3 ** np.arange(4, -1, -1),
        "first cup fastest": levels[:, 1:] @ 3 ** np.arange(5),
        "by pot": levels[:, 0],
    }
    for (key, values), sign, dealt in product(keys.items(), (1, -1), (False, True)):
        at = np.argsort(sign * values, kind="stable")
        parts = [at[i::3] for i in range(3)] if dealt else [at[81 * i : 81 * (i + 1)] for i in range(3)]
        how = f"{key}, {'up' if sign > 0 else 'down'}, {'dealt' if dealt else 'thirds'}"
        for (i, j), (fit, a, clip) in product(permutations(range(3), 2), FITS):
            value = independent_bernoulli_baseline(images[parts[i]], images[parts[j]], smoothing=a, clip=clip)
            found.append((f"{how}, part {i + 1} -> {j + 1}, {fit}", value))
    return sorted(found, key=lambda candidate: abs(candidate[1] - TEA_PRINTED))


def draw_figures(folder: Path, *, data_dir: Folder | None = None) -> None:
    """Write ``tea.png`` and ``cmnist.png``: ten examples of each, as in the document's figures 4 and 2."""
    first = cmnist(reading="grey", seed=None, data_dir=data_dir).train[:10]
    _draw(folder / "tea.png", {"in order": tea()[:10], "seed 0": tea_split(0).train[:10]})
    _draw(folder / "cmnist.png", {"grey": first, "half": first >= 0.5, "nonzero": first > 0})


def _square(r: int, c: int) -> View:
    return lambda x: x[:, r : r + 10, c : c + 10]


def _windows() -> Iterator[tuple[str, View]]:
    for r, c in product((9, 8, 10), repeat=2):
        yield f"rows {r}-{r + 9}, columns {c}-{c + 9}", _square(r, c)
    yield "every 2nd of 4-23", lambda x: x[:, 4:24:2, 4:24:2]
    yield "every 3rd of 0-27", lambda x: x[:, ::3, ::3]
    yield "2 x 2 means of 4-23", lambda x: x[:, 4:24, 4:24].reshape(-1, 10, 2, 10, 2).mean(axis=(2, 4))
    ends = np.minimum.outer(2.8 * np.arange(1, 11), np.arange(1, 29))
    starts = np.maximum.outer(2.8 * np.arange(10), np.arange(28))
    cover = np.maximum(ends - starts, 0) / 2.8  # (10, 28): the share of each new row that an old row fills
    yield "28 to 10 by area", lambda x: np.minimum(cover @ x.astype(np.float64) @ cover.T, 255)


def _ordered_pairs(
    train: NDArray[np.uint8], test: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.uint8]]]:
    twelve = {
        "train file, first 12,000": train[:12000],
        "train file, last 12,000": train[-12000:],
        "test file, then train file": np.concatenate([test, train[:2000]]),
        "end of train file, then test file": np.concatenate([train[-2000:], test]),
        "every 5th of train file": train[::5],
    }
    for name, images in twelve.items():
        for i, j in permutations(range(3), 2):
            pair = images[BLOCK * i : BLOCK * (i + 1)], images[BLOCK * j : BLOCK * (j + 1)]
            yield f"{name}: block {i + 1} -> {j + 1}", *pair
        yield f"{name}: every 3rd", images[::3], images[1::3]
    yield "first of train file -> from 50,000 on", train[:BLOCK], train[50000 : 50000 + BLOCK]
    yield "first of train file -> first of test file", train[:BLOCK], test[:BLOCK]


def _spread(reading: str, values: list[float], printed: float) -> Spread:
    finite = np.array([value for value in values if np.isfinite(value)])
    off = finite - printed
    shares = (float(np.mean(share)) for share in (off < 0, abs(off) < 0.05, abs(off) < 0.3))
    return Spread(
        reading, len(finite) / len(values), float(finite.mean()), float(finite.std(ddof=1)), *shares
    )


def _draw(path: Path, strips: dict[str, NDArray[Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.15 * len(strips) + 0.1), layout="constrained")
    axes = figure.subplots(len(strips), 10, squeeze=False)
    for line, (label, images) in zip(axes, strips.items(), strict=True):
        line[0].set_ylabel(label)
        for axis, image in zip(line, images, strict=True):
            axis.imshow(image.reshape(10, 10), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=80)


def main() -> None:
    """Print the tables; with ``--figures``, write the two pictures too."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data-dir", help="folder of the MNIST files; without it, EXACTGEN_DATA names it")
    parser.add_argument("--figures", type=Path, help="folder to write tea.png and cmnist.png to")
    options = parser.parse_args()
    if options.figures:
        draw_figures(options.figures, data_dir=options.data_dir)
    candidates = cmnist_candidates(data_dir=options.data_dir)
    off = np.array([abs(candidate.value - CMNIST_PRINTED) for candidate in candidates])
    near = ", ".join(f"{np.sum(off < e)} within {e}" for e in (0.005, 0.01, 0.05, 0.3))
    print(f"CMNIST, {len(candidates)} ordered readings: {near} of {CMNIST_PRINTED}")
    for candidate in candidates[: int(np.sum(off < 0.01))]:
        print(f"  {candidate.value:9.4f}  " + " | ".join(candidate[:4]))
    for title, spreads in (
        (f"CMNIST, random digits, printed {CMNIST_PRINTED}", cmnist_spreads(data_dir=options.data_dir)),
        (f"Tea, random splits, printed {TEA_PRINTED}", tea_spreads()),
    ):
        print(f"{title}\n  {'reading':18} finite      mean    s.d.   below  +-.05   +-.3")
        for s in spreads:
            print(f"  {s.reading:18} {s.finite:6.3f} {s.mean:9.3f} {s.deviation:7.3f} ", end="")
            print(f"{s.below:6.3f} {s.within_005:6.3f} {s.within_03:6.3f}")
    unshuffled = tea_candidates()
    print(f"Tea, {len(unshuffled)} splits and fits without a shuffle, the nearest to {TEA_PRINTED}:")
    for reading, value in unshuffled[:4]:
        print(f"  {value:9.4f}  {reading}")


if __name__ == "__main__":
    main()
