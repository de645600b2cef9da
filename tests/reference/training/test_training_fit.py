"""The fit loop: its batches, its stop, and that a resumed run is the uninterrupted one bit for bit."""

import numpy as np
import pytest
from exactgen.backends.arrays import to_numpy
from exactgen.backends.checkpoint import load, save
from exactgen.backends.streams import HostStream
from exactgen.reference.boltzmann.contrastive import cd_step, pcd_step
from exactgen.reference.boltzmann.likelihood import log_likelihood, log_likelihood_grad
from exactgen.reference.boltzmann.rbm import RBM
from exactgen.reference.optimizers import adam, inverse_time, momentum, sgd
from exactgen.reference.training.fit import begin, fit
from exactgen.reference.trees import leaves

ROWS = np.array([[1, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1], [0, 0, 1]]) * 1.0
CHAINS = np.array([[1.0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 1, 0]])


def machine(xp):
    W = np.array([[0.3, -0.2], [0.1, 0.4], [-0.5, 0.2]])
    return RBM(xp(W), xp(np.array([0.1, 0.0, -0.1])), xp(np.array([0.2, -0.3])))


def cd(theta, v, memory, stream):
    return cd_step(theta, v, k=1, rng=stream)[0], memory


def pcd(theta, v, chains, stream):
    direction, info = pcd_step(theta, v, chains, k=2, rng=stream)
    return direction, info.chains


def exact(theta, v, memory, stream):
    return log_likelihood_grad(theta, v), memory


METHODS = {
    "cd": (cd, lambda xp: (), adam(0.05, mean_decay=0.9, square_decay=0.99, epsilon=1e-8)),
    "pcd": (pcd, lambda xp: xp(CHAINS), momentum(inverse_time(0.1, delay=20), decay=0.5)),
    "exact": (exact, lambda xp: (), sgd(0.3)),
}


def assert_identical(a, b):
    """Assert equality of every bit of two nested states."""
    for x, y in zip(leaves(a), leaves(b), strict=True):
        if isinstance(x, (int, float)):
            assert x == y
        else:
            assert to_numpy(x).tobytes() == to_numpy(y).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_resumed_from_a_file_the_run_ends_bit_for_bit_the_same(xp, tmp_path, method):
    step, memory, optimizer = METHODS[method]
    start = begin(machine(xp), optimizer=optimizer, memory=memory(xp))
    options = {"step": step, "optimizer": optimizer, "batch_size": 3, "seed": 4}
    options["score"] = lambda theta: float(xp.namespace.mean(log_likelihood(theta, xp(ROWS))))
    whole = fit(start, xp(ROWS), epochs=6, **options)

    file = tmp_path / "run.npz"
    for epochs in (1, 4, 6):  # three sessions: only the file passes from one to the next
        state = load(file, like=start) if file.exists() else start
        last = fit(state, xp(ROWS), epochs=epochs, callbacks=[lambda s: save(file, s)], **options)
    assert_identical(last, whole)
    assert_identical(load(file, like=start), whole)
    assert type(last.theta) is RBM


def test_interrupted_in_the_middle_of_an_epoch(tmp_path):
    optimizer, file = METHODS["pcd"][2], tmp_path / "run.npz"
    start = begin(machine(np.asarray), optimizer=optimizer, memory=CHAINS)
    data, options = ROWS, {"step": pcd, "optimizer": optimizer, "batch_size": 2, "seed": 9, "epochs": 5}
    whole = fit(start, data, **options)
    calls = []

    def pull_the_plug(done, batches):
        calls.append((done, batches))
        if len(calls) == 10:  # within the third epoch of four batches
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(start, data, callbacks=[lambda s: save(file, s)], progress=pull_the_plug, **options)
    assert calls[:5] == [(1, 4), (2, 4), (3, 4), (4, 4), (1, 4)]
    state = load(file, like=start)
    assert state.epoch == 2
    assert_identical(fit(state, data, **options), whole)


def test_every_epoch_visits_every_row_once_the_last_batch_short(xp):
    seen = []

    def spy(theta, rows, memory, stream):
        seen.append(to_numpy(rows)[:, 0].astype(int).tolist())
        return (theta[0] * 0,), memory

    data = xp(np.arange(11.0)[:, None])
    fit(
        begin((xp([0.0]),), optimizer=sgd(1.0)),
        data,
        step=spy,
        optimizer=sgd(1.0),
        batch_size=4,
        epochs=3,
        seed=0,
    )
    assert [len(rows) for rows in seen] == [4, 4, 3] * 3
    epochs = [[row for rows in seen[i : i + 3] for row in rows] for i in (0, 3, 6)]
    assert all(sorted(rows) == list(range(11)) for rows in epochs)
    assert len({tuple(rows) for rows in epochs} | {tuple(range(11))}) == 4


def test_a_host_stream_fits_the_same_on_every_backend(xp):
    step, memory, optimizer = METHODS["pcd"]

    def run(make):
        start = begin(machine(make), optimizer=optimizer, memory=memory(make))
        return fit(
            start,
            make(ROWS),
            step=step,
            optimizer=optimizer,
            batch_size=3,
            epochs=3,
            seed=2,
            stream_of=HostStream,
        )

    here, numpy = run(xp), run(np.asarray)
    np.testing.assert_array_equal(to_numpy(here.memory), numpy.memory)
    np.testing.assert_allclose(to_numpy(here.theta.W), numpy.theta.W, rtol=1e-12)


def test_exact_ascent_learns(xp):
    optimizer = sgd(0.3)
    start = begin(machine(xp), optimizer=optimizer)
    scores = []
    fit(
        start,
        xp(ROWS),
        step=exact,
        optimizer=optimizer,
        batch_size=len(ROWS),
        epochs=20,
        seed=0,
        callbacks=[lambda s: scores.append(float(xp.namespace.mean(log_likelihood(s.theta, xp(ROWS)))))],
    )
    assert np.all(np.diff(scores) > 0)


def climb(theta, rows, memory, stream):
    return (np.ones(1),), memory


def test_early_stopping_keeps_the_best(tmp_path):
    """theta counts epochs; the score peaks at 3, so patience 4 stops after epoch 7 with theta 3 kept."""
    optimizer, start = sgd(1.0), begin((np.zeros(1),), optimizer=sgd(1.0))
    heard = []
    options = {"step": climb, "optimizer": optimizer, "batch_size": 5, "seed": 0, "epochs": 50, "patience": 4}
    options["score"] = lambda theta: -abs(float(theta[0][0]) - 3)
    done = fit(start, np.zeros((5, 1)), callbacks=[lambda s: heard.append(s.epoch)], **options)
    assert (done.epoch, float(done.theta[0][0])) == (7, 7)
    assert (done.best_epoch, float(done.best_theta[0][0]), done.best_score) == (3, 3, 0)
    assert heard == [1, 2, 3, 4, 5, 6, 7]
    # A stopped run stays stopped, also from its file.
    save(tmp_path / "done.npz", done)
    again = fit(load(tmp_path / "done.npz", like=start), np.zeros((5, 1)), **options)
    assert_identical(again, done)


def test_without_a_score_the_best_is_the_latest():
    optimizer = sgd(1.0)
    start = begin((np.zeros(1),), optimizer=optimizer)
    done = fit(start, np.zeros((5, 1)), step=climb, optimizer=optimizer, batch_size=2, epochs=2, seed=0)
    assert (float(done.theta[0][0]), float(done.best_theta[0][0]), done.best_epoch) == (6, 6, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": np.zeros((0, 2))}, r"data must have shape \(n >= 1, \.\.\.\), got \(0, 2\)"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"epochs": -1}, "epochs must be an integer of at least 0"),
        ({"patience": 0, "score": lambda theta: 0.0}, "patience must be an integer of at least 1"),
        ({"patience": 2}, "patience needs a score"),
        ({"score": lambda theta: float("nan")}, "score must be a number, got NaN after epoch 1"),
    ],
)
def test_misuse_is_refused(change, message):
    options = {
        "data": np.zeros((3, 1)),
        "step": climb,
        "optimizer": sgd(1.0),
        "batch_size": 2,
        "epochs": 2,
        "seed": 0,
    }
    options |= change
    with pytest.raises(ValueError, match=message):
        fit(begin((np.zeros(1),), optimizer=sgd(1.0)), options.pop("data"), **options)
