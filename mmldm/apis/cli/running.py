"""The end of a command-line tool: what an error looks like."""

import os
import sys
from collections.abc import Callable

from mmldm.utils.remote_files import RemoteError

DEBUG = 'MMLDM_DEBUG'
# Errors of the user, which get one line; our own keep their traceback.
USER_ERRORS = (ValueError, OSError, FloatingPointError, RemoteError)
# Characters; a longer message, as from a long value, is cut.
LONGEST_LINE = 2000


def run_tool(main: Callable[[], None]) -> None:
    """Run a tool; an error of the user ends in one line and status 1.

    An error while something is built from a config counts as the user's, too;
    any other is ours, and keeps its traceback. MMLDM_DEBUG=1 shows every
    traceback.
    """
    try:
        main()
        if 'torch' in sys.modules:
            from mmldm.utils.distributed import leave_process_group

            leave_process_group()
    except BrokenPipeError:
        # The reader, such as head, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit('interrupted; --resume goes on from the newest checkpoint')
    except Exception as error:
        line = _line_about(error)
        if line is None or os.environ.get(DEBUG):
            raise
        sys.exit(f'error: {line}\n({DEBUG}=1 shows where it was raised)')


def _line_about(error: Exception) -> str | None:
    """The message about an error of the user; None for our own errors."""
    built = None
    if 'torch' in sys.modules:  # else nothing can have been built
        from ..config.building import describe_building_error

        built = describe_building_error(error)
    if isinstance(error, USER_ERRORS):
        text = str(error) or type(error).__name__
        return _one_line(text if built is None else built, error)
    if built is not None:
        return _one_line(built, error)
    # The last phrase is torch's, about a GPU.
    if isinstance(error, MemoryError) or any(
        words in str(error)
        for words in ('not enough memory', "can't allocate", 'out of memory')
    ):
        text = _one_line(str(error).split('\n')[0], error)
        return (
            f'out of memory ({text}): lower the batch size or the size of '
            'the images, or raise optim_wrapper.accumulative_counts'
        )
    return None


def _one_line(text: str, error: Exception) -> str:
    """A message without line breaks and other control characters."""
    if text.startswith('Caught '):  # a loader worker's, after its traceback
        text = text.rpartition(f'{type(error).__name__}: ')[-1]
    # A file may supply names, and a terminal obeys control characters.
    line = ''.join(
        c if c.isprintable() else ascii(c)[1:-1]
        for c in ' '.join(text.split())
    )
    return f'{line[:LONGEST_LINE]} ...' if len(line) > LONGEST_LINE else line
