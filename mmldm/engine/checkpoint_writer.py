"""Writing of checkpoints while the training goes on."""

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from mmengine.logging import MMLogger

from mmldm.utils.checkpoint import write_checkpoint


class CheckpointWriter:
    """Writes checkpoints in a thread, one at a time.

    As a context, it is left once nothing is being written. The interpreter
    does not end before either, as the thread is no daemon.

    Args:
        logger: Receives the failure of a writing if the training has failed
            for another reason.
    """

    def __init__(self, logger: MMLogger) -> None:
        self.logger = logger
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def begin(
        self,
        checkpoint: Mapping[str, Any],
        path: Path,
        then: Callable[[], None],
    ) -> None:
        """Begin to write a checkpoint, after the one before.

        Args:
            checkpoint: Plain values and tensors that nobody changes anymore.
            path: File of the checkpoint.
            then: Is called in the thread once the file is on the disk.

        Raises:
            OSError: If the one before could not be written.
        """
        self.finish()
        self._thread = Thread(
            target=self._write,
            args=(checkpoint, path, then),
            name=f'writing {path.name}',
        )
        self._thread.start()

    def finish(self) -> None:
        """Wait until nothing is being written.

        Raises:
            OSError: If the last checkpoint could not be written.
        """
        self.wait()
        self.check()

    def wait(self) -> None:
        """Wait until nothing is being written, whether it succeeds or not."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def check(self) -> None:
        """Raise the error of a writing that has failed; do not wait.

        Raises:
            OSError: If a checkpoint could not be written.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _write(
        self,
        checkpoint: Mapping[str, Any],
        path: Path,
        then: Callable[[], None],
    ) -> None:
        try:
            write_checkpoint(checkpoint, path)
            then()
        except Exception as error:
            self._error = error

    def __enter__(self) -> 'CheckpointWriter':
        return self

    def __exit__(self, kind: type | None, error: object, trace: Any) -> None:
        self.wait()
        if kind is None:
            self.check()
        elif self._error is not None:
            self.logger.error(f'{self._error}')
            self._error = None
