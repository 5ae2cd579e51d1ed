"""Numbers of a training that are read without stopping its device."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from mmldm.utils.devices import SideStream

# Receives the numbers once they are read.
Receive = Callable[[dict[str, float]], None]


class LateValues:
    """Numbers on a device that are read later, all in one copy.

    Reading a number makes the CPU wait for everything before it. Numbers are
    therefore collected; :meth:`start` begins to copy what there is, and
    :meth:`read`, called an iteration later, waits for that copy only, while
    the device computes. On a CPU, numbers are handed on at once.
    """

    def __init__(self) -> None:
        self.waiting: list[tuple[tuple[str, ...], Tensor, Receive]] = []
        self.started: list[tuple[tuple[str, ...], Receive]] = []
        self.copy: Tensor | None = None
        self.side: SideStream | None = None

    def add(self, values: Mapping[str, Tensor], receive: Receive) -> None:
        """Collect numbers.

        Args:
            values: Tensors by name; the mean of each is read.
            receive: Is called with the numbers, in the order of the calls.
        """
        if not values:
            return
        row = torch.stack([v.detach().float().mean() for v in values.values()])
        if row.device.type == 'cpu':
            receive(dict(zip(values, row.tolist(), strict=True)))
            return
        if self.side is None:
            self.side = SideStream(row.device)
        self.waiting.append((tuple(values), row, receive))

    def start(self) -> None:
        """Begin to copy all numbers, unless a copy is on its way."""
        if self.waiting and self.copy is None:
            rows = torch.cat([row for _, row, _ in self.waiting])
            self.copy = self.side.download(rows)
            self.started = [(n, receive) for n, _, receive in self.waiting]
            self.waiting = []

    def read(self) -> None:
        """Hand on the numbers whose copy has started, or else all."""
        self.start()
        if self.copy is None:
            return
        numbers = iter(self.side.finish(self.copy).tolist())
        started, self.started, self.copy = self.started, [], None
        for names, receive in started:
            receive({name: next(numbers) for name in names})

    def read_all(self) -> None:
        """Hand on all numbers; the CPU waits for the device."""
        self.read()
        self.read()
