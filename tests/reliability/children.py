"""Processes that run a tool, watched from outside.

The parent imports torch and mmldm once and forks; a child begins its work
after milliseconds, where a command of the shell takes seconds. The parent
starts no thread, without which a fork would be no copy.
"""

import contextlib
import ctypes
import importlib.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

# Before numpy and torch are imported: they start their threads then.
for _name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
    os.environ[_name] = '1'
for _name in ('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE'):
    os.environ[_name] = '1'

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from mmldm.apis import run_tool  # noqa: E402

# Exit status of a child whose work raised.
RAISED = 70
# What mmldm imports at first use.
TRAINING = (
    *('mmagic', 'mmldm.engine', 'mmldm.evaluation', 'mmldm.visualization'),
    *('matplotlib.pyplot', 'sklearn.datasets', 'skimage.metrics'),
    *('torch_fidelity', 'tensorboard', 'distutils.version'),
)
# And where models and texts of others are read.
READING = (
    *('transformers.models.clip.modeling_clip', 'torchvision.transforms.v2'),
    *('transformers.models.auto.tokenization_auto', 'tokenizers'),
    *('transformers.models.clip.tokenization_clip', 'mmldm.apis.retrieval'),
    *('mmldm.apis.cli.sample_rows', 'mmldm.apis.cli.sample_checks'),
)
POLL = 0.01
PAGE = os.sysconf('SC_PAGE_SIZE')
MEGABYTE = 2**20


class Outcome(NamedTuple):
    """How a child ended.

    Attributes:
        end: ``done``, ``refused`` (one line), ``traceback``, ``hung``,
            ``memory`` or ``killed``.
        seconds: From its start.
        peak: Memory in MB, without what the parent's copy takes.
        log: What it printed.
    """

    end: str
    seconds: float
    peak: float
    log: str


class Child:
    """A process of its own group, and what it prints.

    Args:
        work: What it does; called in the child.
        log: File for what it prints.
        folder: Its current folder.
        environment: Variables to set.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        log: Path,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        assert num_threads() == 1, 'a fork copies no other thread'
        self.start = time.monotonic()
        # Pages of the parent's, which the child begins with.
        self._before = memory(os.getpid())
        self._status: int | None = None
        self._peak = 0.0
        self.pid = os.fork()
        if not self.pid:
            _run(work, log, folder, environment or {})
        # In both processes: neither waits for the other.
        os.setpgid(self.pid, self.pid)

    def poll(self) -> int | None:
        """The status as of ``os.waitstatus_to_exitcode``, once it ended."""
        if self._status is None:
            self._peak = max(self._peak, memory(self.pid) - self._before)
            pid, status, _ = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def kill(self, group: bool = True) -> None:
        """SIGKILL to the process, or to all of its group, and wait."""
        if self._status is None:
            self.signal(signal.SIGKILL, group)
            _, status = os.waitpid(self.pid, 0)
            self._status = os.waitstatus_to_exitcode(status)
        elif group:
            self.signal(signal.SIGKILL, group)

    def signal(self, number: int, group: bool = True) -> None:
        """Send a signal; nothing where no process is left."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def finish(
        self, limit: float, most: float = 1e6, busy: float = 1e6
    ) -> Outcome:
        """Wait for the end; of the whole group.

        Args:
            limit: Seconds after which it counts as hung.
            most: Megabytes above which it is ended.
            busy: Seconds of computing after which it counts as hung.
        """
        end = ''
        while self.poll() is None:
            waited = time.monotonic() - self.start
            if waited > limit or computing(self.pid) > busy:
                end = 'hung'
            elif self._peak > most:
                end = 'memory'
            if end:
                self.kill()
            time.sleep(POLL)
        seconds = time.monotonic() - self.start
        self.kill()  # what it left behind
        text = self.log.read_text(errors='replace')
        end = end or _end(self._status, text)
        return Outcome(end, seconds, self._peak, text)


def _end(status: int, text: str) -> str:
    if status == 0:
        return 'done'
    if status < 0:
        return 'traceback' if -status != signal.SIGKILL else 'killed'
    last = text.rstrip().splitlines()[-2:]
    told = any(line.startswith('error: ') for line in last)
    usage = status == 2 and ': error: ' in text
    clean = 'Traceback (most recent call last)' not in text
    return 'refused' if clean and (told or usage) else 'traceback'


def _run(
    work: Callable[[], Any],
    log: Path,
    folder: Path | None,
    environment: Mapping[str, str],
) -> None:
    """The child's whole life."""
    status = RAISED
    try:
        os.setpgid(0, 0)
        _die_with_parent()
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.environ.update(environment)
        if folder is not None:
            os.chdir(folder)
        work()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _die_with_parent() -> None:
    """An interrupted harness leaves nothing behind."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def memory(pid: int) -> float:
    """What a process holds besides files, in MB; 0 where there is none."""
    try:
        pages = Path(f'/proc/{pid}/statm').read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(pages[1]) - int(pages[2])) * PAGE / MEGABYTE


def computing(pid: int) -> float:
    """Seconds that a process computed, without its children."""
    try:
        text = Path(f'/proc/{pid}/stat').read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    user, system = text.rpartition(')')[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')


def num_threads() -> int:
    """Of this process."""
    return len(os.listdir('/proc/self/task'))


def descriptors(pid: int) -> int:
    """Open files of a process, but for a checkpoint that is being written."""
    return sum('iter_' not in name for name in open_files(pid))


def open_files(pid: int) -> list[str]:
    """The names of a process' open files."""
    names = []
    for entry in os.scandir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):  # just closed
            names.append(os.readlink(entry.path))
    return names


@cache
def load_tool(name: str) -> Any:
    """tools/NAME.py as a module."""
    path = ROOT / 'tools' / f'{name}.py'
    spec = importlib.util.spec_from_file_location(
        f'tool_{name.replace("/", "_")}', path
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tool(name: str, *arguments: Any) -> Callable[[], None]:
    """What ``python tools/NAME.py ARGUMENTS`` does, for a :class:`Child`."""
    main = load_tool(name).main

    def work() -> None:
        sys.argv = [f'{name}.py', *map(str, arguments)]
        run_tool(main)

    return work


def command(script: str, *arguments: Any) -> Callable[[], None]:
    """The command itself: another interpreter, with all of its start."""
    path = ROOT / 'tools' / script
    interpreter = 'bash' if path.suffix == '.sh' else sys.executable

    def work() -> None:
        os.environ.update(PYTHONPATH=str(ROOT), PYTHON=sys.executable)
        os.execvp(interpreter, [interpreter, str(path), *map(str, arguments)])

    return work


def prepare(*modules: str) -> None:
    """Import what every child would import itself.

    Args:
        modules: Besides those that all trainings need.
    """
    torch.set_num_threads(1)
    for module in (*TRAINING, *modules):
        importlib.import_module(module)
