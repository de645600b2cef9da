"""From what the user names to an adapter: its own, scikit-learn's, or one of a plain class."""
# ruff: noqa: D102 (the methods are the protocol's quantities)

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...reference.boltzmann.rbm import RBM
from . import TargetError
from .engine import offered
from .plain import PlainAdapter, built
from .protocol import Adapter, Declares
from .scripted import ScriptedRandomState

Array = Any


def load(target: str) -> type:
    """Return the class that ``package.module:Class`` or ``path/file.py:Class`` names.

    Raises: TargetError where it cannot be imported.
    """
    module_name, _, class_name = target.rpartition(":")
    if not module_name or not class_name:
        raise TargetError(f"{target!r} is no target: package.module:Class or path/file.py:Class is wanted")
    file = Path(module_name) if module_name.endswith(".py") else None
    folder = str(file.parent.resolve() if file else Path.cwd())
    if folder not in sys.path:  # what Python itself does for a script, and for python -m
        sys.path.append(folder)
    try:
        module = _from_file(file) if file else importlib.import_module(module_name)
    except TargetError:
        raise
    except Exception as error:
        raise TargetError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = sorted(
            name for name, x in vars(module).items() if isinstance(x, type) and not name.startswith("_")
        )
        raise TargetError(f"{module_name} has no class {class_name!r}; it has {', '.join(classes) or 'none'}")
    return found


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise TargetError(f"{path} is not a file")
    name = f"exactgen_target_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise TargetError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def adapt(target: type, *, options: Mapping[str, str], declares: Mapping[str, str]) -> Any:
    """Return the adapter for a class: itself if it is one, scikit-learn's, or one found by usual names.

    Raises: TargetError where the class cannot be built or offers nothing.
    """
    try:
        declared = Declares().but(**declares)
    except ValueError as error:
        raise TargetError(str(error)) from None
    if issubclass(target, Adapter):
        if options:
            raise TargetError(f"{target.__name__} is an adapter: it takes no --option")
        adapter = built(target, target)
        if declares:
            adapter.declares = declared
        known, have = offered(adapter)
        if not have:
            raise TargetError(f"{target.__name__} is an adapter without a quantity: {', '.join(known)}")
        return adapter
    sklearn = sys.modules.get("sklearn.neural_network")
    if sklearn is not None and issubclass(target, sklearn.BernoulliRBM):
        return SklearnAdapter(target)
    return PlainAdapter(target, options=options, declares=declared)


class SklearnAdapter(Adapter):
    """``sklearn.neural_network.BernoulliRBM``: persistent CD-1 whose chain carries hidden samples."""

    declares = Declares(chain="hidden", steps="one")
    single_precision = True

    def __init__(self, target: type) -> None:
        self.target = target
        self.model: Any = None

    def restart(self) -> None:
        """Forget the model: the next call builds one."""
        self.model = None

    def _at(self, theta: RBM) -> Any:
        if self.model is None:
            self.model = self.target(
                n_components=len(theta.c), learning_rate=1.0, batch_size=self.batch_size or 1
            )
            self.model.random_state_ = self.model.random_state = np.random.mtrand._rand
        model = self.model
        model.components_ = np.array(theta.W.T)
        model.intercept_visible_, model.intercept_hidden_ = theta.b.copy(), theta.c.copy()
        model.n_features_in_ = len(theta.b)
        return model

    def free_energy(self, theta: RBM, v: Array) -> Array:
        return self._at(theta)._free_energy(v)

    def mean_hidden(self, theta: RBM, v: Array) -> Array:
        return self._at(theta).transform(v)

    def sample_hidden(self, theta: RBM, v: Array, rng: Any) -> Array:
        return self._at(theta)._sample_hiddens(v, rng)

    def sample_visible(self, theta: RBM, h: Array, rng: Any) -> Array:
        return self._at(theta)._sample_visibles(h, rng)

    def gibbs_step(self, theta: RBM, v: Array, rng: Any) -> Array:
        model = self._at(theta)
        model.random_state_ = rng
        return model.gibbs(v)

    def pseudo_log_likelihood(self, theta: RBM, v: Array, rng: Any) -> Array:
        model = self._at(theta)
        model.random_state = ScriptedRandomState() if isinstance(rng, np.random.Generator) else rng
        return model.score_samples(v)

    def pcd_update(self, theta: RBM, v: Array, chains: Array, k: int, rng: Any) -> tuple[RBM, Array]:
        model = self._at(theta)
        model.h_samples_, model.random_state_ = np.array(chains), rng
        model.partial_fit(v)
        return RBM(*(new - old for new, old in zip(_learnt(model), theta, strict=True))), model.h_samples_

    def train(self, rows: Array, hidden: int, seed: int) -> RBM:
        """Return the parameters after ``fit`` with the class's defaults."""
        return _learnt(self.target(n_components=hidden, random_state=seed).fit(rows))

    def train_by_calls(
        self, rows: Array, hidden: int, seed: int, *, per_call: int, batch_size: int
    ) -> Iterator[RBM]:
        """Yield the parameters after each pass over the rows by ``partial_fit``, so many rows a call."""
        model = self.target(n_components=hidden, batch_size=batch_size, random_state=seed)
        while True:
            for start in range(0, len(rows) - per_call + 1, per_call):
                model.partial_fit(rows[start : start + per_call])
            yield _learnt(model)


def _learnt(model: Any) -> RBM:
    arrays = model.components_.T, model.intercept_visible_, model.intercept_hidden_
    return RBM(*(np.array(x) for x in arrays))
