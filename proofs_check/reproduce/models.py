"""One model of the experiments of [AO] section 3: its settings, its training, what is measured of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ...backends.arrays import Array
from ...backends.streams import HostStream
from ...data import cmnist, tea_split
from ...reference.boltzmann.partition import marginal_visible
from ...reference.boltzmann.rbm import RBM, mean_hidden
from ...reference.directed.dbn_training import train_machine
from ...reference.directed.layers import Sigmoid
from ...reference.directed.mixtures import data_law, likelihoods, log_mixture
from ...reference.directed.products import law_of_means
from ...reference.layerwise.criteria import drawn_bound
from ...reference.layerwise.passes import inference_means, reconstruction_step
from ...reference.layerwise.selection import TABLE_1, Lower, draw, epochs
from ...reference.layerwise.stacks import generative_net, initial, parameter_count, untie
from ...reference.optimizers import Optimizer, sgd
from ...reference.training.fit import begin, fit

KINDS = {"rbm": "single RBM", "srbm": "stacked RBMs", "ae": "vanilla AE", "aeri": "AERI"}
DATA = ("tea", "cmnist")
NUMBERS = ("train", "valid", "bound_train", "bound_valid", "estimate_train")

# What the document leaves open; part of every setting, so that a folder of other choices is refused.
# Batches divide the 81 rows and the 4,000, so that no row weighs more.
CHOICES = {
    "tea": {"batch": 27, "deviation_rbm": 0.01, "split": 0},
    "cmnist": {"batch": 20, "deviation_rbm": 0.01, "split": 0},
}


class Trained(NamedTuple):
    """A model of x: its bottom layer, the law of h above it, and the inference that it was trained with."""

    lower: Lower
    law: Array  # (2^H,) of h
    parameters: int


def plan(kind: str, data: str, models: int, *, seed: int, rates: str = "row") -> list[dict[str, Any]]:
    """Return the settings of a random search, priors of [AO] table 1; a longer one begins with a shorter.

    ``rates`` says of what the learning rates are: of each "row", whose directions a batch adds up, or of the
    "mean" over a batch.  The document names no batches, so that its rates are those of a row.
    """
    like, place = np.zeros(1), list(KINDS).index(kind) + len(KINDS) * DATA.index(data)
    stream = HostStream(np.random.default_rng([seed, place]))
    fixed = {"kind": kind, "data": data, **CHOICES[data], "rates": rates}
    return [{**fixed, **draw(TABLE_1[kind], rng=stream, like=like)} for _ in range(models)]


def run(setting: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return the settings of a model and, after its training, its size and ``NUMBERS``."""
    train, valid = rows(setting["data"], setting["split"])
    stream = HostStream(np.random.default_rng(seed))
    model = trained(setting, train, stream)
    drawn = {name: value for name, value in setting.items() if name not in CHOICES[setting["data"]]}
    return {**drawn, "parameters": model.parameters, **measure(model, train, valid, stream)}


def measure(model: Trained, train: Array, valid: Array, stream: HostStream) -> dict[str, float]:
    """Return ``NUMBERS``, nats per row.

    Of ``train`` and ``valid``: the exact log-likelihood, and the bound [AO] eq. 34 with q_D of the same rows;
    of ``train`` also its estimate [AO] eq. 35 with K = 1, as corrected.
    """
    numbers = {}
    for name, x in (("train", train), ("valid", valid)):
        p = likelihoods(model.lower.layer, x)
        own = law_of_means(model.lower.means(x), data_law(len(x), None, like=x))
        numbers[name] = float(np.mean(log_mixture(p, model.law)))
        numbers[f"bound_{name}"] = float(np.mean(log_mixture(p, own)))
    h = stream.bernoulli(model.lower.means(train))
    numbers["estimate_train"] = float(drawn_bound(model.lower.layer, train, h[:, None, :]))
    return {name: numbers[name] for name in NUMBERS}


@cache
def rows(data: str, split: int) -> tuple[Array, Array]:
    """Return training and validation rows; of CMNIST in the reading that gives the printed baseline."""
    found = tea_split(split) if data == "tea" else cmnist(reading="nonzero", seed=None)
    return found.train.astype(np.float64), found.valid.astype(np.float64)


# --- training ---------------------------------------------------------------------------------------------


def trained(setting: Mapping[str, Any], train: Array, stream: HostStream) -> Trained:
    """Return the model of these settings after its training by the recipe of its kind.      [AO] 3.1, 3.2"""
    trainers = {"rbm": _rbm, "srbm": _srbm, "ae": _auto_encoder, "aeri": _auto_encoder}
    return trainers[setting["kind"]](setting, train, stream)


def _rbm(setting: Mapping[str, Any], train: Array, stream: HostStream) -> Trained:
    machine = _machine(setting, train, setting["hidden"], stream)
    upside_down = RBM(machine.W.T, machine.c, machine.b)
    lower = Lower(Sigmoid(machine.W, machine.b), lambda x: mean_hidden(machine, x))
    return Trained(lower, marginal_visible(upside_down), parameter_count((machine,)))


def _srbm(setting: Mapping[str, Any], train: Array, stream: HostStream) -> Trained:
    machine = _machine(setting, train, setting["hidden"], stream)
    return _with_top(
        setting, train, Lower(Sigmoid(machine.W, machine.b), lambda x: mean_hidden(machine, x)), stream
    )


def _auto_encoder(setting: Mapping[str, Any], train: Array, stream: HostStream) -> Trained:
    """An AERI where the settings have a size of its inference layer, else a vanilla AE of tied weights."""
    V, H, deviation = train.shape[1], setting["hidden"], setting["deviation"]
    if setting["kind"] == "aeri":
        sizes = (V, setting["inference"], H)
        start: Any = initial(sizes, (H, V), deviation=deviation, like=train, rng=stream)
    else:
        start = RBM(deviation * stream.normal((V, H), like=train), np.zeros(V), np.zeros(H))
    optimizer = _sgd(setting, "bp_rate")
    theta = fit(
        begin(start, optimizer=optimizer),
        train,
        step=reconstruction_step("mean"),
        optimizer=optimizer,
        batch_size=setting["batch"],
        epochs=epochs(len(train)),
        seed=_seed(stream),
    ).theta
    encoder = untie(theta) if isinstance(theta, RBM) else theta
    (layer,) = generative_net(encoder)
    return _with_top(setting, train, Lower(layer, lambda x: inference_means(encoder, x)), stream)


def _with_top(setting: Mapping[str, Any], train: Array, lower: Lower, stream: HostStream) -> Trained:
    """Put an RBM on a lower layer, trained on draws from q, fresh at each visit of a row.      [AO] eq. 12"""
    top = _machine(setting, lower.means(train), setting["hidden2"], stream)
    return Trained(lower, marginal_visible(top), parameter_count((lower.layer, top)))


def _machine(setting: Mapping[str, Any], data: Array, hidden: int, stream: HostStream) -> RBM:
    """Return an RBM trained by CD-1 on rows that are bits, or the probabilities of bits."""
    visible = data.shape[1]
    W = setting["deviation_rbm"] * stream.normal((visible, hidden), like=data)
    return train_machine(
        RBM(W, np.zeros(visible), np.zeros(hidden)),
        data,
        k=1,
        optimizer=_sgd(setting, "cd_rate"),
        batch_size=setting["batch"],
        epochs=epochs(len(data)),
        seed=_seed(stream),
    )


def _sgd(setting: Mapping[str, Any], rate: str) -> Optimizer:
    return sgd(setting[rate] * (setting["batch"] if setting["rates"] == "row" else 1))


def _seed(stream: HostStream) -> int:
    return int(stream.generator.integers(2**62))
