"""Unpack ImageNet's downloads into a folder for each class.

    python tools/dataset_converters/imagenet.py DOWNLOADS --out data/imagenet

DOWNLOADS holds, from image-net.org, ILSVRC2012_img_train.tar,
ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz, which says what the
validation images show; any one of the first two may be missing. Written are
train/SYNSET/*.JPEG and val/SYNSET/*.JPEG. A folder that is whole is skipped:
an interrupted run can be repeated.
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


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar file while it is read.

    Raises:
        ValueError: If it, or a tar file in it, is damaged.
    """
    try:
        with tarfile.open(path) as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(
            f'{path} is no whole tar file ({error}): download it again'
        ) from error


def files_in(shard: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Names, without folders, and contents; links and the like are none."""
    for member in shard:
        if member.isfile():
            yield Path(member.name).name, shard.extractfile(member)


def write(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    part.write_bytes(content)
    part.replace(path)


def unpack_train(archive: Path, out: Path) -> None:
    """A tar file of a tar file for each class."""
    with opened(archive) as outer:
        for name, content in tqdm(files_in(outer), total=NUM_CLASSES):
            folder = out / Path(name).stem
            done = folder / '.whole'
            if done.exists():
                continue
            with tarfile.open(fileobj=content) as inner:
                for image, pixels in files_in(inner):
                    write(folder / image, pixels.read())
            done.touch()


def validation_synsets(devkit: Path) -> list[str]:
    """The synset of each validation image.

    Raises:
        ValueError: If the archive lacks what says it.
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
    """Images, whose names end in their number, from 1 on."""
    with opened(archive) as images:
        for name, pixels in tqdm(files_in(images), total=len(synsets)):
            number = int(Path(name).stem.rpartition('_')[2])
            path = out / synsets[number - 1] / name
            if not path.exists():
                write(path, pixels.read())


def main() -> None:
    """Unpack."""
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
            f'{source} has no {DEVKIT}, which says what the images of {VAL} '
            'show: download it from image-net.org'
        )
    if TRAIN in there:
        unpack_train(source / TRAIN, out / 'train')
    if VAL in there:
        synsets = validation_synsets(source / DEVKIT)
        unpack_val(source / VAL, synsets, out / 'val')
    print(f'{" and ".join(there)} unpacked into {out}')


if __name__ == '__main__':
    run_tool(main)
