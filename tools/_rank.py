"""Run a script as one of the processes of tools/launch.py.

    python tools/_rank.py SCRIPT [arguments]

If the script fails, nothing is printed here. The error is written to a file,
and the launcher shows the one that counts.
"""

import argparse
import atexit
import ctypes
import json
import os
import runpy
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

# Time for the exit functions of a failed process.
SECONDS_TO_END = 20


def _usage_error(parser: argparse.ArgumentParser, message: str) -> None:
    """Replace ``ArgumentParser.error``; attach the text to the exception."""
    error = SystemExit(2)
    error.text = f'{parser.format_usage()}{parser.prog}: error: {message}'
    raise error


def _lost_connection(error: BaseException) -> bool:
    """Whether an error only means that another process is gone or slow."""
    if not isinstance(error, RuntimeError):
        return False
    from torch.distributed import DistError

    return isinstance(error, DistError) or 'gloo/transport' in str(error)


def report_of(error: BaseException) -> dict:
    """The launcher's report about an error.

    Returns:
        ``kind`` ('mistake' of the user, 'bug', 'lost' connection, or 'exit'
        without a message), ``text`` to show, and ``time`` in seconds.
    """
    if isinstance(error, SystemExit):
        text = getattr(error, 'text', None)
        if isinstance(error.code, str):
            text = error.code
        return dict(
            kind='exit' if text is None else 'mistake',
            text=text or '',
            time=time.time(),
        )
    lost = _lost_connection(error)
    return dict(
        kind='lost' if lost else 'bug',
        text=str(error) if lost else _own_traceback(error),
        time=time.time(),
    )


def _own_traceback(error: BaseException) -> str:
    """The traceback from the script on, without the frames that run it."""
    tb = error.__traceback__
    while tb.tb_next and tb.tb_frame.f_code.co_filename in (
        __file__,
        runpy.__file__,
        '<frozen runpy>',
    ):
        tb = tb.tb_next
    return ''.join(traceback.format_exception(type(error), error, tb)).rstrip()


def write_report(report: dict) -> None:
    """Write a rank's report, whole or not at all."""
    path = Path(os.environ['MMLDM_RANK_REPORTS'], os.environ['RANK'])
    path.write_text(json.dumps(report))
    path.rename(path.with_suffix('.json'))


def die_with_launcher() -> None:
    """On Linux, end this process when the launcher ends, even by SIGKILL.

    Otherwise, it would continue to write checkpoints beside those of a resumed
    run, or connect to that run's port, so that both hang.
    """
    if sys.platform != 'linux':
        return
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    # The kernel does not report an end before this call.
    if os.getppid() != int(os.environ['MMLDM_LAUNCHER_PID']):
        sys.exit(1)


def main() -> None:
    """Run the script, and report its error."""
    die_with_launcher()
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    sys.path[0] = str(Path(script).resolve().parent)
    argparse.ArgumentParser.error = _usage_error
    try:
        runpy.run_path(script, run_name='__main__')
    except BaseException as error:
        if not isinstance(error, SystemExit) or error.code:
            write_report(report_of(error))
            code = error.code if isinstance(error, SystemExit) else 1
            leave(code if isinstance(code, int) else 1, SECONDS_TO_END)
    leave(0)


def leave(status: int, seconds: int = 0) -> None:
    """Run the exit functions and end, without Python's own shutdown.

    The destructor of a process group may wait for other processes, or abort,
    even after all work is done.

    Args:
        status: The exit status.
        seconds: Time for threads and exit functions to end; 0 is no limit.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == '__main__':
    main()
