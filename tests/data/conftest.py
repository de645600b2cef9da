"""Real files: a test of one skips where that file is missing, and says what to supply."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from exactgen.data import MissingDataError, mnist
from exactgen.data.sources import data_file


@pytest.fixture
def need() -> Callable[[str], None]:
    """Return what skips the test unless a file of this name is in the data folder."""

    def need(name: str) -> None:
        try:
            data_file(name, data_dir=None, supply="")
        except MissingDataError as missing:
            pytest.skip(str(missing))

    return need


@pytest.fixture(scope="session")
def real_digits() -> None:
    """Skip the test unless MNIST is in the data folder, whole."""
    try:
        mnist()
    except MissingDataError as missing:
        pytest.skip(str(missing))
