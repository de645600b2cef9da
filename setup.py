"""The repository root is the package ``exactgen``; every folder below with an ``__init__.py`` is packaged.

All else is said in ``pyproject.toml``, whose discovery cannot give the root a name.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class WithoutScripts(build_py):
    """Leaves this file and ``go.py`` out."""

    def find_package_modules(self, package, package_dir):
        """Return (package, module, file) of each module of a package."""
        found = super().find_package_modules(package, package_dir)
        return [entry for entry in found if package != "exactgen" or entry[1].startswith("__")]


setup(
    package_dir={"exactgen": "."},
    packages=["exactgen", *(f"exactgen.{room}" for room in find_packages())],
    cmdclass={"build_py": WithoutScripts},
)
