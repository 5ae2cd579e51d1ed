"""Unpack ImageNet's downloads into a folder for each class.

    python tools/dataset_converters/imagenet.py DOWNLOADS --out data/imagenet

DOWNLOADS holds three files from image-net.org: ILSVRC2012_img_train.tar,
ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz, which has the classes
of the validation images. One of the first two may be missing. The output is
train/SYNSET/*.JPEG and val/SYNSET/*.JPEG. Complete folders are skipped, so
that an interrupted run can be repeated.
"""

import argparse
import io
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tqdm import tqdm

from mmldm.apis import run_tool
from mmldm.utils.files import check_folder_to_write

TRAIN = 'ILSVRC2012_img_train.tar'
VAL = 'ILSVRC2012_img_val.tar'
DEVKIT = 'ILSVRC2012_devkit_t12.tar.gz'
NUM_CLASSES = 1000


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('downloads', help='folder with the tar files')
    parser.add_argument(
        '--out', default='data/imagenet', help='folder (default: %(default)s)'
    )
    return parser.parse_args()


def files_in(shard: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """(name without folders, content) of the files in a tar file.

    Links, special files and hidden files, such as '._a.JPEG', are skipped.
    """
    from mmldm.datasets.file_search import is_hidden

    for member in shard:
        name = Path(member.name).name
        if member.isfile() and not is_hidden(name):
            yield name, shard.extractfile(member)


@contextmanager
def opened(path: Path, content: IO[bytes] | None = None) -> Iterator:
    """Open a tar file for reading.

    Args:
        path: Path of the file, or its name in errors if ``content`` is given.
        content: An open file, if it is not on the disk by itself.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        with tarfile.open(path, fileobj=content) as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error) as error:
        cause = str(error).splitlines()[0].rstrip(':')
        raise ValueError(
            f'{path} is damaged ({cause}): download it again'
        ) from error


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    part.write_bytes(content)
    part.replace(path)


def unpack_train(archive: Path, out: Path) -> None:
    """Unpack the training images: a tar file with a tar file a class."""
    with opened(archive) as outer:
        for name, content in tqdm(files_in(outer), total=NUM_CLASSES):
            folder = out / Path(name).stem
            done = folder / '.whole'
            if done.exists():
                continue
            with opened(archive / name, content) as inner:
                for image, pixels in files_in(inner):
                    write(folder / image, pixels.read())
            done.touch()


def validation_synsets(devkit: Path) -> list[str]:
    """The synset of each validation image.

    Raises:
        ValueError: If the archive lacks a file.
    """
    from scipy.io import loadmat

    wanted = 'meta.mat', 'ILSVRC2012_validation_ground_truth.txt'
    with opened(devkit) as archive:
        found = {
            name: content.read()
            for name, content in files_in(archive)
            if name in wanted
        }
    for name in wanted:
        if name not in found:
            raise ValueError(f'{devkit} has no {name}: download it again')
    synsets = loadmat(io.BytesIO(found[wanted[0]]), squeeze_me=True)['synsets']
    names = {int(row['ILSVRC2012_ID']): str(row['WNID']) for row in synsets}
    return [names[int(line)] for line in found[wanted[1]].split()]


def unpack_val(archive: Path, synsets: list[str], out: Path) -> None:
    """Unpack the validation images, whose names end in numbers from 1 on.

    Raises:
        ValueError: If an image has another name.
    """
    with opened(archive) as images:
        for name, pixels in tqdm(files_in(images), total=len(synsets)):
            digits = Path(name).stem.rpartition('_')[2]
            number = int(digits) if digits.isdecimal() else 0
            if not 0 < number <= len(synsets):
                raise ValueError(
                    f'{archive} has {name}, but the devkit has the classes of '
                    f'images 1 to {len(synsets)}: download both again'
                )
            path = out / synsets[number - 1] / name
            if not path.exists():
                write(path, pixels.read())


def main() -> None:
    """Unpack all archives."""
    args = parse_args()
    source, out = Path(args.downloads), Path(args.out)
    check_folder_to_write('--out', args.out)
    there = [name for name in (TRAIN, VAL) if (source / name).is_file()]
    if not there:
        raise FileNotFoundError(
            f'{source} has neither {TRAIN} nor {VAL}: download them from '
            'image-net.org'
        )
    if VAL in there and not (source / DEVKIT).is_file():
        raise FileNotFoundError(
            f'{source} has no {DEVKIT}, which has the classes of {VAL}: '
            'download it from image-net.org'
        )
    if TRAIN in there:
        unpack_train(source / TRAIN, out / 'train')
    if VAL in there:
        synsets = validation_synsets(source / DEVKIT)
        unpack_val(source / VAL, synsets, out / 'val')
    print(f'{" and ".join(there)} unpacked into {out}')


if __name__ == '__main__':
    run_tool(main)
