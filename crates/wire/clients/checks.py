"""Named checks: each is a function, told by one line `ok`, `FAIL` or `SKIPPED`, that the test command counts."""

import sys
import traceback

_CHECKS = []


class Skip(Exception):
    """Why a check cannot be made here."""


def check(name):
    """Registers a function as a check; it gets what `run` is given."""

    def register(function):
        _CHECKS.append((name, function))
        return function

    return register


def run(*arguments):
    """Runs all checks; ends the program with 1 where one failed."""
    failed = False
    for name, function in _CHECKS:
        try:
            function(*arguments)
            print(f"ok   {name}", flush=True)
        except Skip as why:
            print(f"SKIPPED {name}: {why}", flush=True)
        except Exception:
            failed = True
            traceback.print_exc()
            print(f"FAIL {name}", flush=True)
    sys.exit(failed)
