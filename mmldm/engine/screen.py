"""A filter for messages on the screen; the log file receives all."""

import logging
from logging import FileHandler, LogRecord

from mmengine.logging import MMLogger

# Beginnings of mmengine's messages that only the log file receives.
FOR_THE_FILE = (
    # The environment with all build flags of torch, the config, the hooks.
    '\n------------------------------------------------------------\nSystem',
    'Config:\n',
    'Hooks will be executed in the following order:',
    # Logged for every model, even without batch norms.
    'Distributed training is not used, all SyncBatchNorm',
    # mmengine warns of its own calls.
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias of',
    # Our metrics have their own names.
    'The prefix is not set in metric class',
    # The names of the files have it.
    'Exp name: ',
    # The summary of the run names the folder.
    'Checkpoints will be saved to ',
)


class ForTheScreen(logging.Filter):
    """Passes the messages that a user who waits for a run needs."""

    def filter(self, record: LogRecord) -> bool:
        """Whether a message is shown; errors are always shown."""
        return (
            record.levelno >= logging.ERROR
            or not record.getMessage().startswith(FOR_THE_FILE)
        )


def quiet_screen(logger: MMLogger) -> MMLogger:
    """Add the filter to the logger's screen, and return the logger.

    Without a log file, all messages are shown.
    """
    if log_file(logger) is None:
        return logger
    for handler in logger.handlers:
        to_file = isinstance(handler, FileHandler)
        # A logger of the same name may be built again.
        quiet = any(isinstance(f, ForTheScreen) for f in handler.filters)
        if not (to_file or quiet):
            handler.addFilter(ForTheScreen())
    return logger


def log_file(logger: MMLogger) -> str | None:
    """Path of the logger's file; None if it has none."""
    for handler in logger.handlers:
        if isinstance(handler, FileHandler):
            return handler.baseFilename
    return None
