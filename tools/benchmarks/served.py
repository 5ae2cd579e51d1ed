"""Contestants that each have a process of their own.

One does not change another's memory allocator, threads or compiled code.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from interleaved import clock_of
from peak_memory import forget_peak, peak_memory

Build = Callable[[argparse.Namespace], Callable[[], Any]]


class Served:
    """A process that makes a run whenever it is called.

    Args:
        build: Makes the run, in the process; a function of a module.
        args: Argument of ``build``, with ``device`` and ``wall``.
    """

    def __init__(self, build: Build, args: argparse.Namespace) -> None:
        context = get_context('spawn')
        self.pipe, there = context.Pipe()
        context.Process(
            target=_serve, args=(build, args, there), daemon=True
        ).start()

    def __call__(self) -> float:
        """Seconds of the next run."""
        return self.ask('seconds')

    def ask(self, what: str) -> Any:
        """The answer to one of three words.

        Args:
            what: 'seconds' makes a run and times it. 'memory' is its peak in
                MiB since 'forget', which is what is in use then.
        """
        self.pipe.send(what)
        try:
            return self.pipe.recv()
        except EOFError:
            raise ValueError('a process of the benchmark failed') from None

    def close(self) -> None:
        """End the process."""
        self.pipe.send(None)


def _serve(build: Build, args: argparse.Namespace, pipe: Connection) -> None:
    """Main function of a process."""
    warnings.filterwarnings('ignore')
    run, clock = build(args), clock_of(args)
    with suppress(EOFError):  # the benchmark has ended
        while (what := pipe.recv()) is not None:
            if what != 'seconds':
                ask = peak_memory if what == 'memory' else forget_peak
                pipe.send(ask(args.device))
                continue
            start = clock()
            run()
            pipe.send(clock() - start)
