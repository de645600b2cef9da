"""[AO] 3.1: the depth test of a data set, in loops, and its comparison at equal size."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import numpy as np

from ...backends.streams import HostStream
from ...reference.layerwise import stacks
from ..check import EXACTLY, Implementation, agree, check, ensure
from ..reproduce import judging, models
from .ao_experiments_recipes import (
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
    wrong,
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


def coarse(name: str) -> Any:
    """Return a judgement that does not look at sizes."""

    def judge(*arguments: Any) -> Any:
        with patch.object(judging, "_BINS", np.array([0.0, 1e9])):
            return getattr(judging, name)(*arguments)

    return judge


def instead(name: str, other: str) -> dict[str, Any]:
    """Return measures of which one stands for another."""

    def measure(*arguments: Any) -> Any:
        found = models.measure(*arguments)
        return {**found, name: found[other]}

    return {"measure": measure}


@check(
    "AO.alg2",
    of=(models, judging),
    cases=SEEDS,
    evidence=EXACTLY,
    mutants={
        **OF_CD,
        "size ignored": {name: coarse(name) for name in ("best_is_better", "typical_is_better")},
        "the bound for the log-likelihood": instead("valid", "bound_valid"),
        "training rows for validation rows": instead("valid", "train"),
        "hidden biases of a stack's lower machine counted": wrong(
            parameter_count=lambda net: stacks.parameter_count(net) + 3 * (len(net) - 1)
        ),
        "shallow is deep": {
            "best_is_better": lambda found, a, b: judging.best_is_better(found, b, a),
        },
    },
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
