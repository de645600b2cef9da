"""IDX files written by hand, byte by byte."""

import gzip

import numpy as np
import pytest
from exactgen.data import read_idx

SMALL = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 250, 251, 252])


@pytest.fixture
def written(tmp_path):
    def write(raw):
        path = tmp_path / "digits-idx"
        path.write_bytes(raw)
        return path

    return write


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_plain_and_gzipped_files_are_told_apart_by_content(written, pack):
    array = read_idx(written(pack(SMALL)), shape=(2, 3))
    assert array.dtype == np.uint8
    assert array.tolist() == [[1, 2, 3], [250, 251, 252]]
    array[0, 0] = 9  # writable


@pytest.mark.parametrize(
    ("code", "data", "dtype", "value"),
    [
        (0x09, [255], np.int8, -1),
        (0x0B, [1, 2], np.int16, 258),
        (0x0C, [255, 255, 255, 254], np.int32, -2),
        (0x0D, [0x3F, 0xC0, 0, 0], np.float32, 1.5),
        (0x0E, [0xC0, 0x04, 0, 0, 0, 0, 0, 0], np.float64, -2.5),
    ],
)
def test_numbers_are_big_endian(written, code, data, dtype, value):
    array = read_idx(written(bytes([0, 0, code, 1, 0, 0, 0, 1, *data])))
    assert array.dtype == np.dtype(dtype)
    assert array.tolist() == [value]


def test_an_empty_array_is_an_array(written):
    assert read_idx(written(bytes([0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 3]))).shape == (0, 3)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "missing"),
        (b"\x00\x00\x08", "00 00 08"),
        (b"\x01" + SMALL[1:], "01 00 08 02"),
        (b"\x00\x00\x07" + SMALL[3:], "00 00 07 02"),
        (b"\x00\x00\x08\x00", "dimensions"),
        (b"\x00\x00\x08\xff" + bytes(1020), "dimensions"),
        (SMALL[:9], "2 dimensions need 12"),
        (SMALL[:-1], r"truncated: sizes \(2, 3\) want 6 bytes, found 5"),
        (SMALL + b"\x00", r"followed by other bytes: sizes \(2, 3\) want 6 bytes, found 7"),
        (b"\x00\x00\x08\x02" + b"\xff" * 8, "truncated"),
        (gzip.compress(SMALL, mtime=0)[:-9], "gzip"),
        (gzip.compress(SMALL, mtime=0)[:5], "gzip"),
        (gzip.compress(SMALL, mtime=0)[:-8] + bytes(8), "gzip"),
        (gzip.compress(SMALL, mtime=0) + b"more", "gzip"),
        (b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 20, "gzip"),
        (gzip.compress(SMALL[:-1], mtime=0), "truncated"),
    ],
)
def test_damage_is_named_with_the_file(written, raw, words):
    with pytest.raises(ValueError, match=words) as caught:
        read_idx(written(raw))
    assert "digits-idx" in str(caught.value)


def test_another_shape_is_refused(written):
    with pytest.raises(ValueError, match=r"shape \(2, 3\); \(3, 2\) is wanted"):
        read_idx(written(SMALL), shape=(3, 2))
