"""Messages about the progress of a long test."""

import time

# Seconds between two messages.
INTERVAL = 10.0


class Progress:
    """Logs how many images are generated, and the time that is left.

    Args:
        runner: The runner; its first process logs, and counts the others
            to be as fast.
        total: Number of images that this process has to generate.
    """

    def __init__(self, runner, total: int) -> None:
        self.runner = runner
        self.total = total
        self.done = 0
        self.start = self.last = time.monotonic()

    def add(self, count: int) -> None:
        """Count images; log if the last message is old."""
        self.done += count
        now = time.monotonic()
        if now - self.last < INTERVAL and self.done < self.total:
            return
        self.last = now
        rate = self.done / max(now - self.start, 1e-9)
        left = duration((self.total - self.done) / rate)
        world = self.runner.world_size
        self.runner.logger.info(
            f'Generated {self.done * world} of {self.total * world} images, '
            f'{rate * world:.3g} images/s, {left} left'
        )


def duration(seconds: float) -> str:
    """A duration in the largest two units, such as 1 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f'{hours} h {minutes} min'
    return f'{minutes} min {rest} s' if minutes else f'{rest} s'
