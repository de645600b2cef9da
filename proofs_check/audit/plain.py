"""Plain NumPy and PyTorch classes, understood by shapes and usual names.

A class is built with three visible and two hidden units: its array of six numbers are the weights,
whichever way they lie, the arrays of three and of two numbers the biases. Methods go by usual names; where
there are several results the last counts, as in (inputs, means, samples). An update either returns three
arrays or changes the parameters, by learning rate one. What the names do not tell is said by options:
``--option free_energy=F --option lr=eta``.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from ..quantity import load
from . import TargetError
from .protocol import Adapter, Declares
from .scripted import initialising

Array = Any

NAMES: dict[str, tuple[str, ...]] = {
    what: tuple(names.split())
    for what, names in {
        # parameters and state
        "W": "W weights weight w components_ weight_matrix",
        "b": "b bv b_v vb vbias v_bias visible_bias bias_visible bias_v intercept_visible_ a visible_biases",
        "c": "c bh b_h hb hbias h_bias hidden_bias bias_hidden bias_h intercept_hidden_ hidden_biases",
        "chains": "chains chain persistent_chain persistent particles fantasy_particles v_chain h_chain",
        # quantities
        "energy": "energy joint_energy E",
        "free_energy": "free_energy F",
        "mean_hidden": "mean_hidden propup prop_up hidden_probabilities hidden_probs p_h_given_v",
        "mean_visible": "mean_visible propdown prop_down visible_probabilities visible_probs p_v_given_h",
        "sample_hidden": "sample_hidden sample_h sample_h_given_v v_to_h",
        "sample_visible": "sample_visible sample_v sample_v_given_h h_to_v",
        "gibbs_step": "gibbs_step gibbs gibbs_vhv",
        "log_partition": "log_partition log_partition_function log_z logz log_Z",
        "log_likelihood": "log_likelihood log_prob logp",
        "log_likelihood_grad": "log_likelihood_grad exact_gradient gradient",
        "pseudo_log_likelihood": "pseudo_log_likelihood pseudo_likelihood score_samples",
        "cd_update": "cd_update cd cd_step contrastive_divergence train_step train_batch update",
        "pcd_update": "pcd_update pcd pcd_step persistent_cd",
        "ais_log_weights": "ais_log_weights ais_weights",
        "ais_log_partition": "ais_log_partition ais estimate_log_partition",
        "ais_log_likelihood": "ais_log_likelihood",
        "train": "fit train_model",
        # arguments, of the constructor and of methods
        "visible": "n_visible num_visible visible_units n_vis nv n_v visible n_features",
        "hidden": "n_hidden num_hidden hidden_units n_hid nh n_h hidden n_components",
        "batch_size": "batch_size batchsize",
        "lr": "lr learning_rate eta epsilon alpha",
        "k": "k n_steps steps gibbs_steps n_gibbs num_steps",
        "rng": "rng random_state generator",
        "base": "base base_bias",
        "betas": "betas schedule",
        "runs": "runs n_runs n_chains num_chains chains",
    }.items()
}
"""Usual names, tried in this order."""

_OFF = {"momentum": 0.0, "weight_decay": 0.0, "l2": 0.0}
"""What is switched off where a class has it: it is no part of the quantities compared."""


def built(target: type, make: Callable[..., Any], *args: Any) -> Any:
    """Return ``make(*args)``, an object of the class ``target``.

    Raises: TargetError where that raises.
    """
    try:
        return make(*args)
    except (Exception, SystemExit) as error:
        what = f"{type(error).__name__}: {error}"
        raise TargetError(f"{target.__name__} raises while it is built: {what}") from error


class PlainAdapter(Adapter):
    """A class that holds its parameters in attributes and offers methods under usual names."""

    def __init__(self, target: type, *, options: Mapping[str, str], declares: Declares) -> None:
        unknown = set(options) - set(NAMES)
        if unknown:
            raise TargetError(
                f"unknown option {', '.join(sorted(unknown))}; one of {', '.join(NAMES)} is wanted"
            )
        self.target, self.options, self.declares = target, dict(options), declares
        self.methods: dict[str, str] = {}
        self.arguments: dict[tuple[str, str], str | None] = {}
        self.order: tuple[str, ...] = ("W", "b", "c")
        self.accepted = set(inspect.signature(target).parameters)
        self.model = probe = built(target, self._make, 3, 2)
        self.where = {
            name: self._parameter(probe, name, size) for name, size in (("W", 6), ("b", 3), ("c", 2))
        }
        weights = getattr(probe, self.where["W"])
        self.transposed = weights.shape == (2, 3)
        if is_torch(weights) and "float32" in str(weights.dtype):
            self.declares = declares.but(dtype="float32")
        boltzmann = [name for name, q in load().items() if q.group == "boltzmann_quantities"]
        for quantity in (*boltzmann, "train"):
            name = next((n for n in self._names(quantity) if callable(getattr(probe, n, None))), None)
            if name is not None:
                self.methods[quantity] = name
                setattr(self, quantity, getattr(self, f"_{quantity}", self._value(quantity)))
            elif quantity in options:
                raise TargetError(
                    f"{target.__name__} has no method {options[quantity]!r} (--option {quantity})"
                )
        if not set(self.methods) - {"train"}:
            raise TargetError(
                f"{target.__name__} offers nothing under a usual name: say --option QUANTITY=METHOD, "
                "or write an adapter"
            )
        self._understand_updates(probe)

    def restart(self) -> None:
        """Forget the object: the next call builds one."""
        self.model = None

    # --- finding out

    def _names(self, what: str) -> tuple[str, ...]:
        return (self.options[what],) if what in self.options else NAMES[what]

    def _held(self, what: str) -> str | None:
        """Return the attribute of the object that holds ``what``, a number or a chain."""
        return next((n for n in self._names(what) if n in _attributes(self.model)), None)

    def _taken(self, quantity: str, what: str) -> str | None:
        """Return the argument of the quantity's method (or, "", of the constructor) that means ``what``."""
        key = (quantity, what)
        if key not in self.arguments:
            function = getattr(self.target, self.methods[quantity]) if quantity else self.target
            parameters = inspect.signature(function).parameters
            self.arguments[key] = next((n for n in self._names(what) if n in parameters), None)
        return self.arguments[key]

    def _parameter(self, probe: Any, what: str, size: int) -> str:
        fitting = {n: x for n, x in _attributes(probe).items() if _is_array(x) and numpy(x).size == size}
        usual = [n for n in self._names(what) if n in fitting]
        found = usual[:1] or ([] if what in self.options else list(fitting))
        if len(found) != 1:
            candidates = f"several attributes ({', '.join(found)})" if found else "no attribute"
            raise TargetError(
                f"{candidates} of {self.target.__name__} with 3 visible and 2 hidden units could be {what}, "
                f"{size} numbers; say --option {what}=NAME"
            )
        return found[0]

    def _understand_updates(self, probe: Any) -> None:
        """Find out how many steps and rows an update admits, and in which order it returns its arrays."""
        theta = RBM(np.full((3, 2), 0.1), np.zeros(3), np.zeros(2))
        updates = [q for q in ("cd_update", "pcd_update") if q in self.methods]
        if updates and not any(self._taken(q, "k") or self._held("k") for q in updates):
            self.declares = self.declares.but(steps="one")
        if "pcd_update" in updates and not (self._taken("pcd_update", "chains") or self._held("chains")):
            raise TargetError(
                "it has a persistent update, but no attribute for the chains: say --option chains=NAME"
            )
        annealed = [q for q in self.methods if q.startswith("ais_")]
        if annealed and not any(self._taken(q, "base") for q in annealed):
            self.declares = self.declares.but(base="zero")
        for quantity in ("log_likelihood_grad", *updates):
            if quantity not in self.methods:
                continue
            given = {"k": 1, "chains": np.ones((1, 2 if self.declares.chain == "hidden" else 3))}
            self._at(theta)
            try:
                returned = self._call(quantity, theta, np.ones((1, 3)), rng=np.random.default_rng(0), **given)
                if quantity == "pcd_update" and self._taken(quantity, "chains"):
                    returned = returned[0] if len(returned) == 2 else returned[:-1]
            except (Exception, SystemExit):  # it will raise again where it is audited
                continue
            if isinstance(returned, Mapping):
                continue
            if _is_update(returned):
                sizes = {6: "W", 3: "b", 2: "c"}
                order = tuple(sizes.get(numpy(x).size, "") for x in returned)
                self.order = order if sorted(order) == ["W", "b", "c"] else self.order
            elif not (self._taken(quantity, "lr") or self._taken("", "lr") or self._held("lr")):
                raise TargetError(
                    f"{self.methods[quantity]} changes parameters by an unknown rate: say --option lr=NAME"
                )

    # --- building

    def _make(self, visible: int, hidden: int) -> Any:
        known = {"visible": visible, "hidden": hidden, "batch_size": self.batch_size or 1, "lr": 1.0}
        keywords = {name: x for what, x in known.items() if (name := self._taken("", what)) is not None}
        keywords |= {name: x for name, x in _OFF.items() if name in self.accepted}
        sizes = () if self._taken("", "hidden") else (visible, hidden)
        with initialising():
            return self.target(*sizes, **keywords)

    def _at(self, theta: RBM) -> Any:
        if self.model is None or numpy(getattr(self.model, self.where["W"])).size != theta.W.size:
            self.model = self._make(*theta.W.shape)
            settings = {"lr": 1.0, "batch_size": self.batch_size}
            held = {self._held(what): value for what, value in settings.items()}
            for name, value in (held | {n: x for n, x in _OFF.items() if hasattr(self.model, n)}).items():
                if name is not None:
                    setattr(self.model, name, value)
        for field, value in theta._asdict().items():
            name = self.where[field]
            old = getattr(self.model, name)
            new = np.reshape(value.T if field == "W" and self.transposed else value, old.shape)
            if is_torch(old):
                old.data = like(new, old)
            else:
                setattr(self.model, name, like(new, old))
        return self.model

    def _parameters(self) -> RBM:
        return self._as_rbm(getattr(self.model, self.where[field]) for field in ("W", "b", "c"))

    # --- calling

    def _call(self, quantity: str, theta: RBM, *rows: Array, rng: Any = None, **given: Any) -> Any:
        model = self.model
        weights = getattr(model, self.where["W"])
        keywords = {}
        for what, value in {**given, "rng": rng, "lr": 1.0}.items():
            name = self._taken(quantity, what)
            if name is not None:
                keywords[name] = like(value, weights) if isinstance(value, np.ndarray) else value
            elif what == "k" and self._held("k"):
                setattr(model, str(self._held("k")), value)
            elif what == "chains" and self._held("chains"):
                setattr(model, str(self._held("chains")), like(value, weights))
        return getattr(model, self.methods[quantity])(*(like(x, weights) for x in rows), **keywords)

    def _value(self, quantity: str) -> Callable[..., Array]:
        def value(theta: RBM, *rows: Array, chains: Any = None, **given: Any) -> Array:
            self._at(theta)
            returned = self._call(quantity, theta, *rows, runs=chains, **given)
            return numpy(returned[-1] if isinstance(returned, (tuple, list)) else returned)

        return value

    def _log_likelihood_grad(self, theta: RBM, v: Array) -> RBM:
        self._at(theta)
        return self._in_order(self._call("log_likelihood_grad", theta, v))

    def _cd_update(self, theta: RBM, v: Array, k: int, rng: Any) -> RBM:
        self._at(theta)
        before = self._parameters()
        return self._change(before, self._call("cd_update", theta, v, k=k, rng=rng))

    def _pcd_update(self, theta: RBM, v: Array, chains: Array, k: int, rng: Any) -> tuple[RBM, Array]:
        self._at(theta)
        before = self._parameters()
        returned = self._call("pcd_update", theta, v, k=k, rng=rng, chains=chains)
        if self._taken("pcd_update", "chains"):
            *returned, after = returned
            return self._change(before, returned[0] if len(returned) == 1 else returned), numpy(after)
        return self._change(before, returned), numpy(getattr(self.model, str(self._held("chains"))))

    def _change(self, before: RBM, returned: Any) -> RBM:
        """Return the update: what was returned, or else by how much the parameters have changed."""
        if _is_update(returned):
            return self._in_order(returned)
        return RBM(*(new - old for new, old in zip(self._parameters(), before, strict=True)))

    def _in_order(self, returned: Any) -> RBM:
        if isinstance(returned, Mapping):
            plain = {key.removeprefix("d").removeprefix("grad_"): x for key, x in returned.items()}
            return self._as_rbm(
                plain[self.where[f]] if self.where[f] in plain else plain[f] for f in ("W", "b", "c")
            )
        named = dict(zip(self.order, returned, strict=True))
        return self._as_rbm(named[field] for field in ("W", "b", "c"))

    def _as_rbm(self, arrays: Any) -> RBM:
        W, b, c = (numpy(x).astype(float) for x in arrays)
        return RBM(W.T if self.transposed else W, b.reshape(-1), c.reshape(-1))

    def _train(self, rows: Array, hidden: int, seed: int) -> RBM:
        np.random.seed(seed)  # noqa: NPY002 (the code's own draws)
        self.batch_size = 10
        self.model = self._make(rows.shape[1], hidden)
        getattr(self.model, self.methods["train"])(like(rows, getattr(self.model, self.where["W"])))
        return self._parameters()


def _attributes(thing: Any) -> dict[str, Any]:
    return {**vars(thing), **vars(thing).get("_parameters", {}), **vars(thing).get("_buffers", {})}


def is_torch(x: Any) -> bool:
    """Return whether ``x`` is a PyTorch tensor, without importing PyTorch."""
    return "torch" in sys.modules and isinstance(x, sys.modules["torch"].Tensor)


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or is_torch(x)


def _is_update(returned: Any) -> bool:
    return isinstance(returned, (tuple, list, Mapping)) and len(returned) == 3


def numpy(x: Any) -> Array:
    """Return a NumPy copy of an array or tensor."""
    return np.array(x.detach().cpu().numpy() if is_torch(x) else x)


def like(x: Array, other: Any) -> Any:
    """Return a copy of ``x`` as an array of the kind and type of ``other``."""
    if is_torch(other):
        return sys.modules["torch"].as_tensor(np.array(x), dtype=other.dtype)
    return np.array(x, dtype=other.dtype)
