"""Search for the newest checkpoint of a work directory."""

import contextlib
import logging
import zipfile
from pathlib import Path

from mmengine.logging import print_log

# mmengine's file with the name of the checkpoint that was written last.
RECORD = 'last_checkpoint'
ZIP_MAGIC = b'PK\x03\x04'
PICKLE_MAGIC = b'\x80'


def checkpoints(work_dir: str | Path) -> list[Path]:
    """All ``iter_N.pth`` of a work directory, the newest first.

    The checkpoint that ``last_checkpoint`` names comes first, as a clock may
    have been set back and copies have new times. The others follow by time.
    N does not count: a second, shorter training may use the directory.
    """
    found = []
    for path in Path(work_dir).glob('iter_*.pth'):
        number = path.stem.removeprefix('iter_')
        # A running training may remove the file in between.
        with contextlib.suppress(FileNotFoundError):
            if number.isdigit():
                found.append((path.stat().st_mtime_ns, int(number), path))
    by_time = [path for *_, path in sorted(found, reverse=True)]
    recorded = _recorded(Path(work_dir))
    return sorted(by_time, key=lambda path: path.name != recorded)


def newest_checkpoint(work_dir: str | Path) -> Path | None:
    """The newest complete ``iter_N.pth``; None if there is none.

    The log names checkpoints that are cut off, and one whose time is newer
    than that of the checkpoint in ``last_checkpoint``.

    Raises:
        ValueError: If all checkpoints are cut off.
    """
    found = checkpoints(work_dir)
    whole = next((path for path in found if not is_cut_off(path)), None)
    if whole is None:
        if not found:
            return None
        if not all(path.exists() for path in found):
            # A running training has written others since.
            return newest_checkpoint(work_dir)
        raise ValueError(
            f'all checkpoints in {work_dir} are cut off '
            f'({", ".join(path.name for path in found)}): copy them again, '
            'or remove them to start from the beginning'
        )
    cut_off = [p for p in found[: found.index(whole)] if p.exists()]
    if cut_off:
        names = ', '.join(path.name for path in cut_off)
        _tell(f'{names} in {work_dir} cut off: {whole.name} is used')
    elif (newer := _newer(whole, found)) is not None:
        _tell(
            f'{work_dir}: {RECORD} names {whole.name}, which is used, though '
            f'{newer.name} is newer by its time'
        )
    return whole


def is_cut_off(path: Path) -> bool:
    """Whether a file is only the beginning of a checkpoint, or zeros.

    After a power cut, a file may have its length without its content. Files
    of older versions of torch, which are pickles, are not checked.
    """
    try:
        with open(path, 'rb') as file:
            start = file.read(len(ZIP_MAGIC))
        if start and start != ZIP_MAGIC:
            return not start.startswith(PICKLE_MAGIC)
        zipfile.ZipFile(path).close()
    except zipfile.BadZipFile:
        return True
    except FileNotFoundError:  # removed by a running training
        return True
    return False


def _recorded(work_dir: Path) -> str | None:
    """The checkpoint's name in ``last_checkpoint``; None if missing."""
    try:
        return Path((work_dir / RECORD).read_text().strip()).name
    except (OSError, ValueError):
        return None


def _newer(path: Path, others: list[Path]) -> Path | None:
    """The newest checkpoint by time; None if it is ``path``."""
    newest = path
    with contextlib.suppress(FileNotFoundError):
        for other in others:
            if other.stat().st_mtime_ns > newest.stat().st_mtime_ns:
                newest = other
    return None if newest is path else newest


def _tell(text: str) -> None:
    print_log(text, logger='current', level=logging.WARNING)
