"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``exactgen`` and return its exit status."""
    parser = argparse.ArgumentParser(prog="exactgen")
    commands = parser.add_subparsers(required=True)
    verify = commands.add_parser("verify")
    verify.add_argument("ids", nargs="*")
    verify.add_argument("--teeth", action="store_true")
    args = parser.parse_args(argv)
    from .checks import load_checks
    from .runner import Options, run_check

    bad = 0
    for check in load_checks().values():
        if not args.ids or any(s.startswith(i) for s in check.statements for i in args.ids):
            outcome = run_check(check, Options(teeth=args.teeth))
            bad += outcome.result not in ("passed", "skipped")
            print(outcome)
    return 1 if bad else 0
