"""The oracle of the Boltzmann checks, under the name that it had here."""

from ..oracle.boltzmann import *  # noqa: F403
