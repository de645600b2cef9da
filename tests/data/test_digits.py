"""MNIST and CMNIST on digits made up here, in files as large as the real ones; then on the real ones."""

import gzip
import os
import struct

import numpy as np
import pytest
from exactgen.data import MissingDataError, cmnist, independent_bernoulli_baseline, mnist, sample_bits


def idx(array):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes(), compresslevel=1)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Image i carries i in base 256 at row 9, columns 9-11, and 200 at the window's other three corners."""
    folder = tmp_path_factory.mktemp("mnist")
    number = np.arange(70000)
    images = np.zeros((70000, 28, 28), dtype=np.uint8)
    images[:, 9, 9], images[:, 9, 10], images[:, 9, 11] = number >> 16, number >> 8 & 255, number & 255
    images[:, 8, 9:19] = images[:, 19, 9:19] = images[:, 9:19, 8] = images[:, 9:19, 19] = 77  # just outside
    images[:, [9, 18, 18], [18, 9, 18]] = 200
    labels = (number % 10).astype(np.uint8)
    for stem, part in (("train", slice(60000)), ("t10k", slice(60000, None))):
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(idx(images[part]))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(gzip.decompress(idx(labels[part])))
    return folder


def numbers(grey):
    levels = np.rint(grey * 255).astype(int)
    return levels[:, 0] << 16 | levels[:, 1] << 8 | levels[:, 2]


def test_mnist_keeps_the_order_of_the_files(made_up):
    digits = mnist(data_dir=made_up)
    assert digits.train_images.shape == (60000, 28, 28)
    assert digits.test_images.shape == (10000, 28, 28)
    assert digits.train_labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert digits.test_images[5, 9, 9:12].tolist() == [0, 60005 >> 8 & 255, 60005 & 255]
    assert digits.provenance.counts == (60000, 10000)


def test_cmnist_in_order_is_the_centre_of_the_first_digits(made_up):
    data = cmnist(reading="grey", seed=None, data_dir=made_up)
    assert [part.shape for part in data[:3]] == [(4000, 100)] * 3
    assert np.array_equal(numbers(np.concatenate(data[:3])), np.arange(12000))
    assert np.all(data.train[:, [9, 90, 99]] == 200 / 255)
    assert 77 / 255 not in data.train[:50]  # the frame stays outside


def test_cmnist_with_a_seed_draws_from_both_files_without_repeats(made_up):
    chosen = [
        numbers(np.concatenate(cmnist(reading="grey", seed=s, data_dir=made_up)[:3])) for s in (3, 3, 4)
    ]
    assert len(set(chosen[0].tolist())) == 12000
    assert 1200 < np.sum(chosen[0] >= 60000) < 2300  # 1714 expected, s.d. 35
    assert np.array_equal(chosen[0], chosen[1])
    assert not np.array_equal(chosen[0], chosen[2])


def test_readings_differ_only_in_the_levels(made_up):
    grey, half, nonzero = (
        cmnist(reading=reading, seed=None, data_dir=made_up) for reading in ("grey", "half", "nonzero")
    )
    assert grey.train.dtype == np.float64
    assert half.train.dtype == nonzero.train.dtype == np.uint8
    assert np.array_equal(half.valid, grey.valid >= 0.5)
    assert np.array_equal(nonzero.test, grey.test > 0)
    assert "nonzero" in nonzero.provenance.reading


def test_an_unknown_reading_is_refused_before_any_file_is_read():
    with pytest.raises(ValueError, match="reading is 'mean'; one of grey, half, nonzero is wanted"):
        cmnist(reading="mean", seed=None)


def test_wrong_counts_and_labels_are_refused(made_up, tmp_path):
    for file in made_up.iterdir():
        os.link(file, tmp_path / file.name)
    labels = tmp_path / "t10k-labels-idx1-ubyte"
    labels.unlink()
    labels.write_bytes(idx(np.zeros(9999, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"t10k-labels.*\(9999,\); \(10000,\) is wanted"):
        mnist(data_dir=tmp_path)
    labels.write_bytes(idx(np.full(10000, 10, dtype=np.uint8)))
    with pytest.raises(ValueError, match="a label is 10"):
        mnist(data_dir=tmp_path)
    labels.write_bytes(b"\0\0\x09\x01" + struct.pack(">I", 10000) + bytes(10000))
    with pytest.raises(ValueError, match="int8; uint8 is wanted"):
        mnist(data_dir=tmp_path)


def test_a_missing_file_says_which_where_and_how(made_up, tmp_path, monkeypatch):
    with pytest.raises(MissingDataError) as caught:
        mnist(data_dir=tmp_path)
    for words in ("train-images-idx3-ubyte.gz", str(tmp_path), "data_dir", "EXACTGEN_DATA", "LeCun"):
        assert words in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)
    monkeypatch.delenv("EXACTGEN_DATA", raising=False)
    with pytest.raises(MissingDataError, match="no data folder was named"):
        mnist()
    monkeypatch.setenv("EXACTGEN_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(MissingDataError, match="not a folder"):
        mnist()
    monkeypatch.setenv("EXACTGEN_DATA", str(made_up))
    assert len(mnist().test_labels) == 10000


def test_sampled_bits_follow_their_probabilities():
    p = np.array([0.0, 0.25, 1.0] * 4000).reshape(4000, 3)
    bits = sample_bits(p, seed=2)
    assert bits.dtype == np.uint8
    assert not bits[:, 0].any()
    assert bits[:, 2].all()
    assert 0.2 < bits[:, 1].mean() < 0.3  # seven standard errors; the stream is fixed
    assert np.array_equal(bits, sample_bits(p, seed=2))
    for bad in (np.array([1.5]), np.array([np.nan]), np.array([200])):
        with pytest.raises(ValueError, match="outside"):
            sample_bits(bad, seed=0)


@pytest.mark.usefixtures("real_digits")
class TestRealDigits:
    def test_label_counts_are_the_published_ones(self):
        digits = mnist()
        train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(digits.train_labels).tolist() == train
        assert np.bincount(digits.test_labels).tolist() == [
            980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009
        ]  # fmt: skip
        assert digits.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]

    @pytest.mark.parametrize(
        ("reading", "seed", "found"),
        [("nonzero", None, -67.3810), ("grey", None, -66.4015), ("half", None, -66.5530)],
    )
    def test_baselines_of_the_readings(self, reading, seed, found):
        data = cmnist(reading=reading, seed=seed)
        value = independent_bernoulli_baseline(data.train, data.valid, smoothing=0.0)
        assert value == pytest.approx(found, abs=5e-5)

    def test_only_the_nonzero_reading_of_random_digits_is_near_the_printed_number(self):
        """Random choices have a standard deviation below 0.1; grey levels and halves stay 0.6 away."""
        for seed in range(3):
            for reading, off in (("grey", 1.1), ("half", 1.0), ("nonzero", 0.0)):
                data = cmnist(reading=reading, seed=seed)
                value = independent_bernoulli_baseline(data.train, data.valid, smoothing=0.0)
                assert abs(value - (-67.38 + off)) < 0.4
