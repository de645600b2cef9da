"""Exact expectations over the randomness of foreign code: every path of its decision tree is run.

A scripted generator stands where the code expects NumPy's (or PyTorch's, or Python's). Its uniforms are
*lazy*: each is an interval that a comparison ``u < p`` cuts in two, and the cut is a branch of the tree.
``enumerate_runs`` re-runs the function depth-first over all branches, so a mean over its paths is an exact
expectation. Because a lazy uniform remembers its interval, a uniform that is used twice, or drawn twice
from the same seed, stays the same number.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

NEGLIGIBLE = 1e-15
"""Branches of smaller probability are not taken: they move no expectation beyond rounding."""


class Unscriptable(Exception):  # noqa: N818 (a limit of the method, not an error of the code)
    """The code uses its random numbers in a way that cannot be enumerated."""


class Script:
    """One path through the decision tree: the branch taken at each choice, and its probability."""

    def __init__(self, prefix: Sequence[int] = ()) -> None:
        self.prefix = tuple(prefix)
        self.trace: list[tuple[int, tuple[float, ...]]] = []
        self.weight = 1.0
        self.intervals: list[tuple[float, float]] = []  # what is known of each uniform so far
        self.tapes: dict[Any, list[int]] = {}  # the uniforms that each seed stands for
        self.draws_are_initial = False  # while an object is built: concrete numbers, no branches

    def choose(self, probabilities: Sequence[float]) -> int:
        """Return the branch to take; negligible ones are left out, and one alone is no choice."""
        open_branches = [i for i, p in enumerate(probabilities) if p > NEGLIGIBLE]
        if len(open_branches) == 1:
            return open_branches[0]
        if not open_branches:
            raise Unscriptable(f"probabilities {tuple(probabilities)} of a choice")
        depth = len(self.trace)
        taken = self.prefix[depth] if depth < len(self.prefix) else 0
        if taken >= len(open_branches):
            raise Unscriptable("the code draws random numbers that are out of reach")
        branch = open_branches[taken]
        self.trace.append((taken, tuple(probabilities[i] for i in open_branches)))
        self.weight *= probabilities[branch]
        return branch

    def locate(self, uniform: int, cuts: Sequence[float]) -> int:
        """Decide how many of the increasing ``cuts`` lie at or below the uniform."""
        low, high = self.intervals[uniform]
        edges = [low, *(min(max(float(cut), low), high) for cut in cuts), high]
        if any(math.isnan(edge) for edge in edges):
            return len(cuts)  # every comparison with NaN is false
        part = self.choose([(b - a) / (high - low) for a, b in itertools.pairwise(edges)])
        self.intervals[uniform] = (edges[part], edges[part + 1])
        return part


_script: Script | None = None


def active_script() -> Script:
    """Return the script of the run in progress.

    Raises: Unscriptable outside of ``enumerate_runs``.
    """
    if _script is None:
        raise Unscriptable("no enumeration is in progress")
    return _script


@contextlib.contextmanager
def initialising() -> Iterator[None]:
    """While an object is built, hand out concrete numbers: its parameters are overwritten afterwards."""
    if _script is None:
        yield
        return
    _script.draws_are_initial = True
    try:
        yield
    finally:
        _script.draws_are_initial = False


def enumerate_runs(run: Callable[[], T], *, limit: int = 5000) -> list[tuple[float, T]]:
    """Return (probability, outcome) of every path of ``run``; randomness is patched while it runs.

    Raises: Unscriptable where the code computes with its uniforms, draws from something that is not patched,
    or has more than ``limit`` paths.
    """
    with _patched() as sources:
        first, outcome = _one_run(run, [], sources)
        # an unpatched source of randomness shows as a run that differs although it made the same choices
        for _ in range(2 if first.trace else 12):
            again, outcome_again = _one_run(run, [], sources)
            if again.trace != first.trace or not _same(outcome, outcome_again):
                raise Unscriptable("two runs that make the same choices differ: it draws out of reach")
        return [(first.weight, outcome), *_other_paths(run, first, sources, limit)]


def paths(run: Callable[[TreeStream], T], *, limit: int = 20000) -> list[tuple[float, T]]:
    """Return (probability, outcome) of every path of ``run``, whose only randomness is the stream.

    Raises: Unscriptable where it has more than ``limit`` paths.
    """
    first, outcome = _one_run(lambda: run(TreeStream()), [], ())
    return [(first.weight, outcome), *_other_paths(lambda: run(TreeStream()), first, (), limit)]


def _other_paths(
    run: Callable[[], T], first: Script, sources: Sequence[_Draws], limit: int
) -> Iterator[tuple[float, T]]:
    path, count = _next_path(first.trace), 1
    while path is not None:
        if count >= limit:
            raise Unscriptable(f"more than {limit:,} paths")
        script, outcome = _one_run(run, path, sources)
        if [taken for taken, _ in script.trace[: len(path)]] != path:
            raise Unscriptable("the same choices led elsewhere: it draws out of reach")
        yield script.weight, outcome
        path, count = _next_path(script.trace), count + 1


class TreeStream:
    """A stream of ``reference`` on the decision tree: what is drawn may depend on outcomes."""

    def bernoulli(self, p: Any) -> Any:
        """Return zeros and ones of p's type."""
        script, p = active_script(), np.asarray(p)
        bits = [script.choose((1 - float(q), float(q))) for q in p.flat]
        return np.asarray(bits, dtype=p.dtype).reshape(p.shape)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Unscriptable("only bits are drawn on the decision tree")

    categorical = normal = geometric = permutation = _refuse


def _next_path(trace: Sequence[tuple[int, tuple[float, ...]]]) -> list[int] | None:
    for depth in range(len(trace) - 1, -1, -1):
        taken, options = trace[depth]
        if taken + 1 < len(options):
            return [before for before, _ in trace[:depth]] + [taken + 1]
    return None


def _one_run(run: Callable[[], T], path: Sequence[int], sources: Sequence[_Draws]) -> tuple[Script, T]:
    global _script
    outer, script = _script, Script(path)
    _script = script
    try:
        for source in sources:
            source.seed()
        return script, run()
    finally:
        _script = outer


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_same, a, b))
    return np.shape(a) == np.shape(b) and bool(np.array_equal(a, b, equal_nan=True))


class Uniforms(np.lib.mixins.NDArrayOperatorsMixin):
    """Uniform numbers that are not decided yet: ``shift + scale * u``, each u known to an interval only."""

    def __init__(self, which: Any, shift: Any = 0.0, scale: float = 1.0, *, torch: bool = False) -> None:
        self.which, self.shift, self.scale, self.torch = np.asarray(which), shift, scale, torch

    shape = property(lambda self: self.which.shape)
    ndim = property(lambda self: self.which.ndim)
    size = property(lambda self: (lambda: self.shape) if self.torch else self.which.size)
    dtype = property(lambda self: np.dtype(np.float64))
    T = property(lambda self: self._moved(lambda a: a.T))

    def _moved(self, move: Callable[[Any], Any]) -> Uniforms:
        shift = np.broadcast_to(_plain(self.shift), self.shape)
        return Uniforms(move(self.which), move(shift), self.scale, torch=self.torch)

    def __getitem__(self, index: Any) -> Uniforms:
        return self._moved(lambda a: a[index])

    def __len__(self) -> int:
        return len(self.which)

    def __iter__(self) -> Iterator[Uniforms]:
        return (self[i] for i in range(len(self)))

    def reshape(self, *shape: Any) -> Uniforms:
        """Return the same numbers in another shape."""
        return self._moved(lambda a: a.reshape(*shape))

    view = reshape

    def astype(self, *_: Any, **__: Any) -> Uniforms:
        """Return the same numbers: a uniform is real, whatever its type."""
        return self

    to = cpu = cuda = float = double = type = contiguous = detach = clone = copy = astype

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise Unscriptable("the code computes with its uniform numbers instead of comparing them")

    __array__ = __float__ = __bool__ = __int__ = __index__ = _refuse

    def decide(self, threshold: Any, *, below: bool) -> Any:
        """Return where the numbers lie below (or above) the threshold: a branch for each that is open."""
        script = active_script()
        cut = (_plain(threshold) - _plain(self.shift)) / self.scale
        which, cuts = np.broadcast_arrays(self.which, cut)
        u_below = below == (self.scale > 0)
        answers = np.array(
            [
                (script.locate(int(u), (c,)) == 0) == u_below and not math.isnan(c)
                for u, c in zip(which.flat, cuts.flat, strict=True)
            ],
            dtype=bool,
        ).reshape(which.shape)
        if self.torch or _is_torch(threshold):
            return sys.modules["torch"].as_tensor(answers)
        return answers if answers.shape else answers[()]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or any(value is not None for value in kwargs.values()):
            return self._refuse()
        return self._apply(ufunc.__name__, inputs)

    @classmethod
    def __torch_function__(cls, func: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        lazy = next(a for a in args if isinstance(a, Uniforms))
        if kwargs:
            return lazy._refuse()
        name = func.__name__.strip("_")
        if name == "rsub" and args[0] is not lazy:
            args = args[::-1]
        return lazy._apply(_TORCH_NAMES.get(name, name), args)

    def _apply(self, name: str, inputs: Any) -> Any:
        if len(inputs) == 1:
            if name == "negative":
                return self * -1.0
            if name == "sign":
                positive = self.decide(0.0, below=False)
                return positive * 2.0 - 1.0
            return self._refuse()
        first, second = inputs
        if isinstance(first, Uniforms) and isinstance(second, Uniforms):
            return self._refuse()
        other, mine_first = (second, True) if first is self else (first, False)
        if name in ("less", "less_equal", "greater", "greater_equal"):
            return self.decide(other, below=name.startswith("less") == mine_first)
        if name in ("add", "subtract"):
            sign = -1.0 if name == "subtract" else 1.0
            mine, others = (1.0, sign) if mine_first else (sign, 1.0)
            shift = mine * _plain(self.shift) + others * _plain(other)
            which, shift = np.broadcast_arrays(self.which, shift)
            return Uniforms(which, shift, mine * self.scale, torch=self.torch)
        if name == "multiply" and np.ndim(other) == 0 and float(other) != 0:
            factor = float(other)
            return Uniforms(self.which, _plain(self.shift) * factor, self.scale * factor, torch=self.torch)
        return self._refuse()


_TORCH_NAMES = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "sub": "subtract", "rsub": "subtract", "mul": "multiply", "rmul": "multiply", "radd": "add",
    "neg": "negative",
}  # fmt: skip


def _is_torch(x: Any) -> bool:
    return "torch" in sys.modules and isinstance(x, sys.modules["torch"].Tensor)


def _plain(x: Any) -> Any:
    return np.asarray(x.detach().cpu().numpy() if _is_torch(x) else x, dtype=np.float64)


class _Draws:
    """The draws that NumPy's two generators, and the streams of ``reference``, have in common."""

    _key: Any = None
    _position = 0

    def _attach(self, seed: Any) -> None:
        self._key = ("seed", seed) if isinstance(seed, (int, np.integer)) else object()
        self._position = 0

    def seed(self, seed: Any = None) -> None:
        """Start again at the beginning of the numbers that ``seed`` stands for."""
        self._attach(seed)

    def _take(self, shape: tuple[int, ...]) -> Any:
        script = active_script()
        tape = script.tapes.setdefault(self._key, [])
        count = math.prod(shape)
        while len(tape) < self._position + count:
            tape.append(len(script.intervals))
            script.intervals.append((0.0, 1.0))
        taken = np.array(tape[self._position : self._position + count], dtype=np.int64).reshape(shape)
        self._position += count
        return taken

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:
        shape = _shape(size)
        if active_script().draws_are_initial:
            return np.random.Generator(np.random.PCG64(1)).random(shape if shape else None)
        return Uniforms(self._take(shape))

    random_sample = ranf = sample = random

    def rand(self, *shape: int) -> Any:
        return self.random(shape or None)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        if np.ndim(low) or np.ndim(high):
            raise Unscriptable("uniform numbers of several ranges at once")
        u = self.random(size)
        return u if (low, high) == (0, 1) else u * float(high - low) + float(low)

    def bernoulli(self, p: Any) -> Any:
        """Return zeros and ones of p's type: the streams of ``reference``."""
        return np.asarray(Uniforms(self._take(np.shape(p))).decide(p, below=True)).astype(np.asarray(p).dtype)

    def binomial(self, n: Any, p: Any, size: Any = None) -> Any:
        if np.any(np.asarray(n) != 1):
            raise Unscriptable("binomial numbers of more than one trial")
        shape = np.shape(p) if size is None else _shape(size)
        drawn = np.asarray(Uniforms(self._take(shape)).decide(p, below=True)).astype(np.int64)
        return drawn if shape else int(drawn)

    def integers(self, low: int, high: int | None = None, size: Any = None, *_: Any, **__: Any) -> Any:
        low, high = (0, low) if high is None else (low, high)
        count = int(high) - int(low)
        drawn = low + self._located(_shape(size), [(i + 1) / count for i in range(count - 1)])
        return drawn if np.ndim(drawn) else int(drawn)

    randint = integers

    def choice(self, a: Any, size: Any = None, replace: bool = True, p: Any = None) -> Any:
        if not replace and _shape(size) not in ((), (1,)):
            raise Unscriptable("choice without replacement")
        values = np.arange(a) if np.ndim(a) == 0 else np.asarray(a)
        law = np.full(len(values), 1 / len(values)) if p is None else np.asarray(p)
        return values[self._located(_shape(size), np.cumsum(law)[:-1])]

    def permutation(self, x: Any) -> Any:
        values = np.arange(x) if np.ndim(x) == 0 else np.array(x)
        order, left = [], list(range(len(values)))
        while left:
            cuts = [(i + 1) / len(left) for i in range(len(left) - 1)]
            order.append(left.pop(int(self._located((), cuts))))
        return values[order]

    def shuffle(self, x: Any) -> None:
        x[...] = self.permutation(x)

    def _located(self, shape: tuple[int, ...], cuts: Any) -> Any:
        script = active_script()
        which = self._take(shape)
        return np.array([script.locate(int(u), cuts) for u in which.flat], dtype=np.int64).reshape(shape)

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        if not active_script().draws_are_initial:
            raise Unscriptable("the code draws normal numbers")
        return loc + scale * np.random.Generator(np.random.PCG64(1)).standard_normal(_shape(size))

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        return self.normal(size=size)

    def randn(self, *shape: int) -> Any:
        return self.normal(size=shape)


def _shape(size: Any) -> tuple[int, ...]:
    return () if size is None else (int(size),) if np.ndim(size) == 0 else tuple(int(n) for n in size)


def _out_of_reach(name: str) -> Callable[..., Any]:
    def draw(*_: Any, **__: Any) -> Any:
        raise Unscriptable(f"the code draws by {name}, which is not enumerated")

    return draw


def _scripted_kind(base: type) -> type:
    """Return a subclass of one of NumPy's generators: its draws are scripted, or refused."""
    refused = {
        name: _out_of_reach(name)
        for name in dir(base)
        if not name.startswith("_") and not hasattr(_Draws, name) and callable(getattr(base, name))
    }
    return type(f"Scripted{base.__name__}", (_Draws, base), refused)


class ScriptedGenerator(_scripted_kind(np.random.Generator)):  # type: ignore[misc]
    """Stands where code expects ``numpy.random.Generator`` or a stream of ``reference``."""

    def __init__(self, seed: Any = None) -> None:
        super().__init__(np.random.PCG64(0))
        self._attach(seed)


class ScriptedRandomState(_scripted_kind(np.random.RandomState)):  # type: ignore[misc]
    """Stands where code expects ``numpy.random.RandomState``."""

    def __init__(self, seed: Any = None) -> None:
        super().__init__(0)
        self._attach(seed)


class _Torch:
    """PyTorch's draws, by the same tape."""

    def __init__(self) -> None:
        self.draws = ScriptedGenerator()

    def rand(self, *size: Any, **_: Any) -> Any:
        shape = tuple(size[0]) if len(size) == 1 and np.ndim(size[0]) else tuple(size)
        if active_script().draws_are_initial:
            return sys.modules["torch"].full(shape, 0.5)
        return Uniforms(self.draws._take(shape), torch=True)

    def rand_like(self, x: Any, **_: Any) -> Any:
        return self.rand(*x.shape)

    def bernoulli(self, x: Any, p: Any = None, **_: Any) -> Any:
        prob = x if p is None else sys.modules["torch"].full_like(x, float(p))
        return Uniforms(self.draws._take(tuple(prob.shape)), torch=True).decide(prob, below=True).to(x.dtype)

    def bernoulli_(self, x: Any, p: Any = 0.5, **_: Any) -> Any:
        torch = sys.modules["torch"]
        return x.copy_(self.bernoulli(torch.as_tensor(p, dtype=torch.float64).expand(x.shape)))

    def randint(self, low: int, high: Any, size: Any = None, **_: Any) -> Any:
        low, high, size = (0, low, high) if size is None else (low, high, size)
        return sys.modules["torch"].as_tensor(self.draws.integers(low, high, tuple(size)))

    def manual_seed(self, seed: int) -> None:
        self.draws.seed(seed)

    def refuse(self, draw: Callable[..., Any]) -> Callable[..., Any]:
        def in_place(*args: Any, **kwargs: Any) -> Any:
            if active_script().draws_are_initial:
                return draw(*args, **kwargs)
            raise Unscriptable("the code draws numbers in place or from a law that is not enumerated")

        return in_place


# fmt: off
_MODULE_DRAWS = (
    "rand", "random", "random_sample", "ranf", "sample", "uniform", "binomial", "randint", "choice",
    "permutation", "shuffle", "randn", "normal", "standard_normal", "seed",
)
# fmt: on


def _replacements() -> tuple[list[_Draws], list[tuple[Any, str, Any]]]:
    state, python = ScriptedRandomState(), ScriptedGenerator()
    sources: list[_Draws] = [state, python]
    swaps: list[tuple[Any, str, Any]] = [(np.random, name, getattr(state, name)) for name in _MODULE_DRAWS]
    swaps.append((np.random, "RandomState", ScriptedRandomState))
    swaps.append((np.random, "default_rng", _default_rng))
    swaps += [(random, name, getattr(python, name)) for name in ("random", "uniform", "seed")]
    if "torch" in sys.modules:
        torch, draws = sys.modules["torch"], _Torch()
        sources.append(draws.draws)
        for name in ("rand", "rand_like", "bernoulli", "randint", "manual_seed"):
            swaps.append((torch, name, getattr(draws, name)))
        swaps.append((torch.Tensor, "bernoulli", lambda x, p=None, **_: draws.bernoulli(x, p)))
        swaps.append((torch.Tensor, "bernoulli_", lambda x, p=0.5, **_: draws.bernoulli_(x, p)))
        swaps.append((torch.Tensor, "uniform_", draws.refuse(torch.Tensor.uniform_)))
        swaps.append((torch, "multinomial", draws.refuse(torch.multinomial)))
    return sources, swaps


def _default_rng(seed: Any = None) -> Any:
    return seed if isinstance(seed, _Draws) else ScriptedGenerator(seed)


@contextlib.contextmanager
def _patched() -> Iterator[list[_Draws]]:
    absent = object()
    kept = []
    sources, swaps = _replacements()
    for owner, name, new in swaps:
        kept.append((owner, name, vars(owner).get(name, absent)))
        setattr(owner, name, new)
    try:
        yield sources
    finally:
        for owner, name, old in reversed(kept):
            if old is absent:
                delattr(owner, name)
            else:
                setattr(owner, name, old)
