"""The house: arrows of import point down, the mathematics knows no framework, every room is packaged."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "backends": {"backends"},
    "reference": {"reference", "backends"},
    "data": {"data"},
    "proofs_check": {"proofs_check", "reference", "backends", "data"},
}
FRAMEWORKS = {"numpy", "scipy", "cupy", "torch", "jax", "sklearn", "array_api_strict"}
MODULES = sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported module's full name, and whether it is one of ours."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or "", False
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1]
            names = [node.module] if node.module else [alias.name for alias in node.names]
            for name in names:
                yield ".".join((*above, name)), True


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down_and_are_relative(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    for name, ours in imports(path):
        top = name.split(".")[0]
        assert top != "exactgen", f"{path}: import {name} relatively"
        if ours:
            assert top in MAY_IMPORT[room], f"{path}: {room} must not import {name}"


@pytest.mark.parametrize("path", [p for p in MODULES if "reference" in p.parts], ids=lambda p: p.stem)
def test_the_mathematics_knows_no_framework(path: Path) -> None:
    used = {name.split(".")[0] for name, ours in imports(path) if not ours}
    assert not used & FRAMEWORKS


def test_cupy_lives_in_backends_only() -> None:
    users = {
        path.relative_to(ROOT).parts[0]
        for path in MODULES
        for name, ours in imports(path)
        if not ours and name.split(".")[0] == "cupy"
    }
    assert users <= {"backends"}


def test_nothing_imports_a_framework_that_the_user_has_not_loaded() -> None:
    modules = [
        ".".join(("exactgen", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        for path in MODULES
        if path.relative_to(ROOT).parts[0] in ("backends", "reference")
    ]
    unwanted = sorted(FRAMEWORKS - {"numpy", "scipy"})
    code = "import importlib, sys\n" + "".join(f"importlib.import_module({name!r})\n" for name in modules)
    code += f"print(sorted(set({unwanted!r}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def packaged(root: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the packages that a build of ``root`` holds."""
    said: dict[str, list[str]] = {}
    monkeypatch.setattr("setuptools.setup", lambda **given: said.update(given))
    monkeypatch.chdir(root)
    runpy.run_path(str(ROOT / "setup.py"))
    assert len(said["packages"]) == len(set(said["packages"]))
    return set(said["packages"])


def test_every_room_is_packaged_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert packaged(ROOT, monkeypatch) == {"exactgen"} | {
        ".".join(("exactgen", *path.parent.relative_to(ROOT).parts))
        for room in MAY_IMPORT
        for path in (ROOT / room).rglob("__init__.py")
    }


def test_a_new_folder_is_packaged_without_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("reference", "reference/weighted", "docs", "tests/reference"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("reference", "reference/weighted"):
        (tmp_path / folder / "__init__.py").touch()
    assert packaged(tmp_path, monkeypatch) == {
        "exactgen",
        "exactgen.reference",
        "exactgen.reference.weighted",
    }


def test_every_module_sits_in_a_package() -> None:
    orphans = [path for path in MODULES if not (path.parent / "__init__.py").exists()]
    assert not orphans
