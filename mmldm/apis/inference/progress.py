"""A progress bar of images and steps."""

from collections.abc import Sequence
from types import TracebackType

from tqdm import tqdm


class ImageBar:
    """A bar that says images, steps and the time that is left.

    Args:
        total: Number of images.
        steps: The step of each evaluation of the network, from 1.
        show: Whether to show it.
    """

    def __init__(
        self, total: int, steps: Sequence[int], show: bool = True
    ) -> None:
        self.total, self.steps = total, steps
        self.done = 0
        self.bar = tqdm(
            total=total,
            smoothing=0,  # the average: skipped images take no time
            bar_format='{desc} {percentage:3.0f}%|{bar}| '
            '{elapsed}, {remaining} left',
            disable=not show,
        )
        self._move(0)

    def __enter__(self) -> 'ImageBar':
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.refresh()
        self.bar.close()

    def step(self, evaluation: int, wanted: int) -> None:
        """Count an evaluation.

        Args:
            evaluation: Its number in the batch, from 1.
            wanted: Images of the batch that will be written.
        """
        place = min(evaluation, len(self.steps)) - 1
        share = (place + 1) / len(self.steps)
        step = f', step {self.steps[place]} of {self.steps[-1]}'
        self._move(self.done + share * wanted, step)

    def finished(self, number: int, old: bool = False) -> None:
        """Count images that are written.

        Args:
            number: How many.
            old: Whether they were written before, in no time.
        """
        self.done += number
        if old:
            self.bar.initial += number
        self._move(self.done)

    def _move(self, place: float, step: str = '') -> None:
        """Set the position; it never goes back."""
        text = f'{self.done} of {self.total} images{step}'
        self.bar.set_description_str(text, refresh=False)
        # A batch may have more images than are wanted of it.
        self.bar.update(max(0, min(place, self.total) - self.bar.n))
