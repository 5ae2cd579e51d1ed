"""Which checkpoint of a work directory was written last."""

import contextlib
import logging
import zipfile
from pathlib import Path

from mmengine.logging import print_log

# Names the checkpoint that a training wrote last, as mmengine has it.
RECORD = 'last_checkpoint'
ZIP_MAGIC = b'PK\x03\x04'
PICKLE_MAGIC = b'\x80'


def checkpoints(work_dir: str | Path) -> list[Path]:
    """Every ``iter_N.pth`` of a work directory, the one written last first.

    First comes what ``last_checkpoint`` names, as a clock may have been set
    back and a copy has new times; then by time. N says nothing: a second,
    shorter training may use the directory.
    """
    found = []
    for path in Path(work_dir).glob('iter_*.pth'):
        number = path.stem.removeprefix('iter_')
        # A training that still runs may remove it in between.
        with contextlib.suppress(FileNotFoundError):
            if number.isdigit():
                found.append((path.stat().st_mtime_ns, int(number), path))
    by_time = [path for *_, path in sorted(found, reverse=True)]
    recorded = _recorded(Path(work_dir))
    return sorted(by_time, key=lambda path: path.name != recorded)


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """The whole ``iter_N.pth`` written last; None without any.

    The log names those that are cut off, and one that is newer by its time
    than the one that ``last_checkpoint`` names.

    Raises:
        ValueError: If there are some, but all are cut off.
    """
    found = checkpoints(work_dir)
    whole = next((path for path in found if not is_cut_off(path)), None)
    if whole is None:
        if not found:
            return None
        if not all(path.exists() for path in found):
            # A training that still runs has written others since.
            return newest_checkpoint(work_dir)
        raise ValueError(
            f'all checkpoints in {work_dir} are cut off '
            f'({", ".join(path.name for path in found)}): copy them again, '
            'or remove them to begin from the start'
        )
    cut_off = [p for p in found[: found.index(whole)] if p.exists()]
    if cut_off:
        names = ', '.join(path.name for path in cut_off)
        _tell(f'{names} in {work_dir}: cut off, {whole.name} is taken')
    elif (newer := _newer(whole, found)) is not None:
        _tell(
            f'{work_dir}: {RECORD} names {whole.name}, which is taken, though '
            f'{newer.name} is newer by its time'
        )
    return whole


def is_cut_off(path: Path) -> bool:
    """Whether a file is the beginning of a checkpoint, or zeros.

    After a power cut a file may have its length and none of its content.
    Files of older versions of torch, which are pickles and no archives, pass.
    """
    try:
        with open(path, 'rb') as file:
            start = file.read(len(ZIP_MAGIC))
        if start and start != ZIP_MAGIC:
            return not start.startswith(PICKLE_MAGIC)
        zipfile.ZipFile(path).close()
    except zipfile.BadZipFile:
        return True
    except FileNotFoundError:  # removed by a training that still runs
        return True
    return False


def _recorded(work_dir: Path) -> str | None:
    """The name that a training noted; None without any."""
    try:
        return Path((work_dir / RECORD).read_text().strip()).name
    except (OSError, ValueError):
        return None


def _newer(path: Path, others: list[Path]) -> Path | None:
    """The newest by time, if it is another one."""
    newest = path
    with contextlib.suppress(FileNotFoundError):
        for other in others:
            if other.stat().st_mtime_ns > newest.stat().st_mtime_ns:
                newest = other
    return None if newest is path else newest


def _tell(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
