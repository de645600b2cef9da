"""What the audited code learns by its own training, in exact numbers: its parameters are small enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...reference.boltzmann.likelihood import log_likelihood
from ...reference.boltzmann.partition import log_partition, marginal_hidden, model_statistics
from ...reference.boltzmann.rbm import RBM, data_statistics, mean_visible
from ...reference.states import binary_states
from ...reference.trees import difference
from ..quantity import Ask, load
from . import TargetError
from .engine import Report, audit_at

HIDDEN = 12
BATCH = 10
PER_CALL = 100
PASSES = (1, 10, 30)
VALUES = ("free_energy", "mean_hidden", "mean_visible", "pseudo_log_likelihood")


@dataclass(frozen=True)
class Training:
    """What the code's own training came to."""

    data: str
    rows: int
    visible: int
    hidden: int
    log_partition: float
    train_log_likelihood: float  # nats per row
    valid_log_likelihood: float
    independent_units: float  # valid log-likelihood of what a model without couplings reaches
    last_batch: int  # rows of the last batch that fit makes of them
    # the measured effects of unequal numbers of rows and chains; empty without it
    short_batch: dict[str, float]
    by_calls: dict[str, dict[str, float]]  # train log-likelihood by batch size, after so many passes


def digits(name: str, data_dir: str | None) -> tuple[Any, Any]:
    """Return training and validation rows: scikit-learn's 8 x 8 digits, or the centre of MNIST's, at half.

    Raises: TargetError where the data or scikit-learn are missing.
    """
    try:
        if name == "digits":
            from sklearn.datasets import load_digits

            rows = (load_digits().data >= 8).astype(float)
            rows = rows[np.random.default_rng(0).permutation(len(rows))]
            return rows[:1437], rows[1437:]
        from ...data.digits import cmnist

        data = cmnist(reading="half", seed=None, data_dir=data_dir)
        return data.train.astype(float), data.valid.astype(float)
    except (ImportError, OSError, ValueError) as error:
        raise TargetError(f"--train {name}: {error}") from error


def examine(adapter: Any, report: Report, train: Any, valid: Any, *, data: str, seed: int = 0) -> Training:
    """Train the code by its own ``train``, audit its values at what it learnt, and return the exact numbers.

    Raises: TargetError where it cannot train, or what it learnt is not finite.
    """
    if not callable(getattr(adapter, "train", None)):
        raise TargetError("it offers no training of its own (fit)")
    try:
        theta = RBM(*(np.asarray(x, dtype=float) for x in adapter.train(train, HIDDEN, seed)))
    except (Exception, SystemExit) as error:
        raise TargetError(f"its training raises {type(error).__name__}: {error}") from error
    if not all(np.all(np.isfinite(x)) for x in theta):
        raise TargetError("its trained parameters are not finite")
    for name in VALUES:
        if callable(getattr(adapter, name, None)):
            audit_at(adapter, load()[name], _trained(name, theta, valid), report, trained_on=data)
    p = (train.sum(axis=0) + 1) / (len(train) + 2)
    found = any(finding.name == "chains-weighted-by-rows" for finding in report.findings)
    return Training(
        data=data,
        rows=len(train),
        visible=train.shape[1],
        hidden=HIDDEN,
        log_partition=float(log_partition(theta)),
        train_log_likelihood=float(np.mean(log_likelihood(theta, train))),
        valid_log_likelihood=float(np.mean(log_likelihood(theta, valid))),
        independent_units=float(np.mean(valid @ np.log(p) + (1 - valid) @ np.log1p(-p))),
        last_batch=len(train) % BATCH or BATCH,
        short_batch=short_batch(adapter, theta, train) if found else {},
        by_calls=by_calls(adapter, train) if found and hasattr(adapter, "train_by_calls") else {},
    )


def by_calls(adapter: Any, train: Any) -> dict[str, dict[str, float]]:
    """Return what calls of ``PER_CALL`` rows make of a model with few chains, and of one with as many."""
    learnt: dict[str, dict[str, float]] = {}
    for size in (BATCH, PER_CALL):
        passes = adapter.train_by_calls(train, HIDDEN, 0, per_call=PER_CALL, batch_size=size)
        thetas = dict(zip(range(1, max(PASSES) + 1), passes, strict=False))
        learnt[str(size)] = {str(n): float(np.mean(log_likelihood(thetas[n], train))) for n in PASSES}
    return learnt


def _trained(name: str, theta: RBM, valid: Any) -> Ask:
    given = {"v": valid[:1] if name == "pseudo_log_likelihood" else valid[:50]}
    if name == "mean_visible":
        given = {"h": binary_states(len(theta.c), like=theta.c)[::64]}
    case = f"{len(theta.b)} x {len(theta.c)}, its own trained parameters"
    return Ask(case, {"theta": theta, **given})


def short_batch(adapter: Any, theta: RBM, train: Any, *, runs: int = 2000) -> dict[str, float]:
    """Return how far the mean update of a short batch is off, its chains drawn exactly from the model.

    With such chains a right update is unbiased: its expectation is the exact gradient. The error is measured
    by running the code; unequal weights predict (m/n - 1) times the model's statistics.
    """
    n = len(train) % BATCH or BATCH // 2
    rows, rng = train[len(train) - n :], np.random.default_rng(0)
    data, model = data_statistics(theta, rows), model_statistics(theta)
    gradient = difference(data, model)
    states = binary_states(len(theta.c), like=theta.c)
    law = marginal_hidden(theta)
    adapter.batch_size = BATCH
    adapter.restart()
    total = [np.zeros_like(x) for x in theta]
    for _ in range(runs):
        chains = states[rng.choice(len(states), size=BATCH, p=law / law.sum())]
        if adapter.declares.chain == "visible":
            chains = (rng.random((BATCH, len(theta.b))) < mean_visible(theta, chains)).astype(float)
        update, _ = adapter.pcd_update(
            theta, rows, chains, k=1, rng=np.random.RandomState(rng.integers(2**31))
        )
        total = [t + np.asarray(u) for t, u in zip(total, update, strict=True)]
    error = [t / runs - g for t, g in zip(total, gradient, strict=True)]
    weight = BATCH / n - 1
    return {
        "rows": n,
        "chains": BATCH,
        "runs": runs,
        "norm_exact_gradient": _norm(gradient),
        "norm_measured_error": _norm(error),
        "norm_predicted_error": weight * _norm(model),
        "norm_unexplained": _norm([e + weight * m for e, m in zip(error, model, strict=True)]),
    }


def _norm(arrays: Any) -> float:
    return float(np.sqrt(sum(np.sum(np.square(x)) for x in arrays)))
