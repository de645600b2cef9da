"""[AO] 3.1: the depth test of a data set, in loops, and its comparison at equal size."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends.streams import HostStream
from ..check import EXACTLY, Implementation, agree, check, ensure
from ..reproduce import judging, models
from .recipes import (
    GENERATIVE,
    OF_CD,
    SEEDS,
    SIZES,
    V,
    law_of_visible,
    machine,
    rows,
    squash,
    states,
    training,
)


def at_sizes(lift: float, larger: str) -> dict[str, Any]:
    """Return models of which stacks are better by ``lift`` at any size; the ``larger`` kind is larger."""
    found: dict[str, Any] = {"srbm": [], "rbm": []}
    for kind, models_ in found.items():
        for k in range(60):
            size = 210 + 25 * k + (250 if kind == larger else 0)
            score = size / 20 + (k * 7 % 11) / 11 + (lift if kind == "srbm" else 0.0)
            models_.append({"parameters": size, "valid": score, "train": -score})
    return found


@check(
    "AO.alg2",
    of=(models, judging),
    cases=SEEDS,
    evidence=EXACTLY,
    rejects=(
        *OF_CD,
        "size-ignored",
        "bound-for-likelihood",
        "training-rows-for-validation",
        "lower-hidden-biases-counted",
        "worse-is-better",
    ),
)
def depth_test_by_the_recipe(impl: Implementation, case: int) -> None:
    """Single machines and stacks by CD-1, exact log-likelihoods of other rows, compared at equal size.

    The likelihoods are summed over all states here.  "Consistently outperform" are two statistics: the best
    of each size, and pairs of a size; stacks that are better only because they are larger do not count.
    """
    train, valid = rows(case)
    h = states(SIZES["hidden"])
    for kind in ("rbm", "srbm"):
        model, tape = training(impl, kind, case)
        W, b, c = machine(tape, train, SIZES["hidden"])
        if kind == "rbm":
            law = law_of_visible(W.T, c, b)
            agree(model.parameters, V * 3 + V + 3, "parameters of a single machine")
        else:
            law = law_of_visible(*machine(tape, squash(train @ W + c), SIZES["hidden2"]))
            agree(model.parameters, GENERATIVE, "parameters of a stack")
        p = squash(h @ W.T + b)
        found = impl.measure(model, train, valid, HostStream(0))
        for name, x in (("train", train), ("valid", valid)):
            bits = np.where(x[:, None] == 1, p, 1 - p)  # row, state of h, pixel
            likelihood = np.prod(bits, axis=2) @ law
            agree(found[name], np.mean(np.log(likelihood)), f"log-likelihood, {name}, of {kind}", rtol=1e-9)
    for judge in (impl.best_is_better, impl.typical_is_better):
        for larger, lift, verdict in (("rbm", 5.0, "confirmed"), ("srbm", -5.0, "contradicted")):
            said = judge(at_sizes(lift, larger), "srbm", "rbm")[0]
            ensure(said == verdict, f"stacks better by {lift} at a size", expected=verdict, actual=said)
