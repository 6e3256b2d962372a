"""`blueox.timer`."""

from ..context import timeit

__all__ = ["Timer", "timeit"]

Timer = timeit
