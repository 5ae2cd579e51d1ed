"""What a run shows on the screen; its log file has everything."""

import logging
from logging import FileHandler, LogRecord

from mmengine.logging import MMLogger

# Beginnings of mmengine's messages that the log file alone gets.
FOR_THE_FILE = (
    # The environment with all build flags of torch, the config, the hooks.
    '\n------------------------------------------------------------\nSystem',
    'Config:\n',
    'Hooks will be executed in the following order:',
    # Said of every model, also of those without batch norms.
    'Distributed training is not used, all SyncBatchNorm',
    # mmengine warns of its own calls.
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias of',
    # Our metrics have names of their own.
    'The prefix is not set in metric class',
    # In the names of the files.
    'Exp name: ',
    # The summary of the run says where it writes.
    'Checkpoints will be saved to ',
)


class ForTheScreen(logging.Filter):
    """Lets pass what somebody who waits for a run wants to know."""

    def filter(self, record: LogRecord) -> bool:
        """Whether a message is shown; errors always are."""
        return (
            record.levelno >= logging.ERROR
            or not record.getMessage().startswith(FOR_THE_FILE)
        )


def quiet_screen(logger: MMLogger) -> MMLogger:
    """The logger, whose screen leaves out what only its file needs.

    Without a log file nothing is left out.
    """
    if log_file(logger) is None:
        return logger
    for handler in logger.handlers:
        to_file = isinstance(handler, FileHandler)
        # One logger may be built again under its name.
        quiet = any(isinstance(f, ForTheScreen) for f in handler.filters)
        if not (to_file or quiet):
            handler.addFilter(ForTheScreen())
    return logger


def log_file(logger: MMLogger) -> str | None:
    """Path of the file that a logger writes, if there is one."""
    for handler in logger.handlers:
        if isinstance(handler, FileHandler):
            return handler.baseFilename
    return None
