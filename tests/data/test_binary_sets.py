"""Binary sets: every kind of damage on a small stand-in, then the real files where they are."""

import zipfile

import numpy as np
import pytest
from exactgen.data import BINARY_SETS, MissingDataError, binary_set, binary_sets


def parts():
    bits = np.arange(3 * 6).reshape(6, 3) % 2
    return {"train": bits[:3], "valid": bits[3:4], "test": bits[4:]}


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A set 'tiny' of 3 columns with 3, 1 and 2 rows; returns a writer of its file."""
    entry = binary_sets.BinarySet(3, (3, 1, 2), "made up")
    monkeypatch.setitem(BINARY_SETS, "tiny", entry)

    def write(**arrays):
        np.savez(tmp_path / "tiny.npz", **arrays)
        return tmp_path

    return write


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float32, np.int64])
def test_bits_of_any_plain_type_come_back_as_uint8(tiny, dtype):
    folder = tiny(**{name: array.astype(dtype) for name, array in parts().items()})
    data = binary_set("tiny", data_dir=folder)
    for name, array in parts().items():
        assert getattr(data, name).dtype == np.uint8
        assert np.array_equal(getattr(data, name), array)
    assert data.provenance == ("tiny", "made up", "as supplied", (3, 1, 2))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"valid": None}, "valid is missing, found train, test"),
        ({"test": np.zeros((3, 3))}, r"test has shape \(3, 3\); \(2, 3\) is wanted"),
        ({"train": np.zeros(9)}, r"train has shape \(9,\); \(3, 3\) is wanted"),
        ({"valid": np.array([[0, 2, 1]])}, "valid holds 1 values such as 2"),
        ({"valid": np.array([[0, np.nan, 0.5]])}, "valid holds 2 values such as nan"),
        ({"valid": np.array([["0", "1", "1"]])}, "valid has dtype <U1"),
        ({"valid": np.array([[None, 1, 1]])}, "not a whole NPZ"),
    ],
)
def test_wrong_contents_are_named_with_the_file(tiny, change, words):
    arrays = {name: array for name, array in (parts() | change).items() if array is not None}
    folder = tiny(**arrays)
    with pytest.raises(ValueError, match=words) as caught:
        binary_set("tiny", data_dir=folder)
    assert "tiny.npz" in str(caught.value)


def test_damaged_files_are_named(tiny):
    path = tiny(**parts()) / "tiny.npz"
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[whole.index(b"NUMPY") + 130] ^= 1  # a bit of the first array: its checksum no longer fits
    for raw in (b"", b"PK\x03\x04", b"neither", whole[: len(whole) // 2], bytes(damaged)):
        path.write_bytes(raw)
        with pytest.raises(ValueError, match=r"tiny\.npz: not a whole NPZ"):
            binary_set("tiny", data_dir=path.parent)
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"tiny\.npz: not a whole NPZ"):
        binary_set("tiny", data_dir=path.parent)
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(ValueError, match="train, valid, test is missing, found no arrays"):
        binary_set("tiny", data_dir=path.parent)


def test_unknown_name_and_missing_file(tmp_path):
    with pytest.raises(ValueError, match="name is 'rcv1'; one of adult, binarized_mnist"):
        binary_set("rcv1", data_dir=tmp_path)
    with pytest.raises(MissingDataError) as caught:
        binary_set("nltcs", data_dir=tmp_path)
    for words in ("nltcs.npz", str(tmp_path), "(16181, 16)", "Lowd & Davis"):
        assert words in str(caught.value)


@pytest.mark.parametrize("name", sorted(BINARY_SETS))
def test_real_files_hold_what_the_table_states(name, need):
    need(f"{name}.npz")
    data = binary_set(name)
    assert tuple(len(part) for part in data[:3]) == BINARY_SETS[name].counts
    assert 0 < data.train.mean() < 1
