"""Set everything up and do one job: ``python3 go.py demo``, ``test``, ``lint``, ``package`` or ``bench``.

Needs Python 3.11 or later and nothing else: a virtual environment is made in ``.venv`` on the first call.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
MAIN_JOB_EXTRAS, ALL_EXTRAS, PEERS = "verify,sklearn", "dev,torch", "bench"
ROOMS = ("backends", "reference", "data", "proofs_check")
AUDITED = ("sklearn.neural_network:BernoulliRBM", "--train", "digits")


def python_in(folder: Path) -> str:
    """Return the interpreter of a virtual environment."""
    return str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


def run(*command: str, cwd: Path = ROOT, accept: Sequence[int] = (0,)) -> int:
    """Run a command, show it, and stop this script where its exit status is not accepted."""
    print(f"\n$ {' '.join(command)}", flush=True)
    status = subprocess.run(command, cwd=cwd).returncode
    if status not in accept:
        sys.exit(status)
    return status


def environment(extras: str) -> str:
    """Return the interpreter of ``.venv`` with the package installed; install only what has changed."""
    folder = ROOT / ".venv"
    python = python_in(folder)
    said = ("pyproject.toml", "setup.py", "constraints.txt")
    wanted = extras.encode() + b"".join((ROOT / name).read_bytes() for name in said)
    stamp, digest = folder / f"installed-{extras.replace(',', '-')}", hashlib.sha256(wanted).hexdigest()
    if not (stamp.exists() and stamp.read_text() == digest):
        if not Path(python).exists():
            venv.create(folder, with_pip=True)
        install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*install, "--constraint", "constraints.txt", "--editable", f".[{extras}]")
        stamp.write_text(digest)
    return python


def demo() -> int:
    """Verify every statement, then audit scikit-learn's BernoulliRBM trained on real digits."""
    python = environment(MAIN_JOB_EXTRAS)
    run(python, "-m", "exactgen", "verify")
    # Status 1 says that the audit found something, which is what it is for.
    if run(python, "-m", "exactgen", "audit", *AUDITED, accept=(0, 1)):
        print("\nEvery check passed; the audit has findings (above), so that its exit status is 1.")
    return 0


def test(arguments: Sequence[str]) -> int:
    """Run the tests on all cores; further arguments go to pytest."""
    python = environment(ALL_EXTRAS)
    return run(python, "-m", "pytest", "-n", "auto", *arguments)


def lint() -> int:
    """Check style, formatting and types."""
    python = environment(ALL_EXTRAS)
    run(python, "-m", "ruff", "check", ".")
    run(python, "-m", "ruff", "format", "--check", ".")
    packages = [word for room in ROOMS for word in ("-p", f"exactgen.{room}")]
    return run(python, "-m", "mypy", *packages)


def package() -> int:
    """Build the wheel, install it in a fresh environment outside the checkout, and verify there."""
    python = environment(ALL_EXTRAS)
    with tempfile.TemporaryDirectory() as scratch:
        outside = Path(scratch)
        run(python, "-m", "build", "--wheel", "--outdir", str(outside), str(ROOT))
        (wheel,) = outside.glob("*.whl")
        venv.create(outside / "venv", with_pip=True)
        fresh = python_in(outside / "venv")
        run(fresh, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{wheel}[verify]")
        return run(fresh, "-m", "exactgen", "verify", "--quick", cwd=outside)


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks beside their peers; further arguments go to them."""
    return run(environment(PEERS), "benchmarks", *arguments)


def main() -> int:
    """Do the job that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    jobs = parser.add_subparsers(dest="job", required=True)
    for job in (demo, test, lint, package, bench):
        jobs.add_parser(job.__name__, help=(job.__doc__ or "").splitlines()[0])
    known, further = parser.parse_known_args()
    if known.job in ("test", "bench"):
        return {"test": test, "bench": bench}[known.job](further)
    if further:
        parser.error(f"unknown arguments: {' '.join(further)}")
    return {"demo": demo, "lint": lint, "package": package}[known.job]()


if __name__ == "__main__":
    sys.exit(main())
