"""Find similar images, for retrieval-augmented models.

    python tools/dataset_converters/neighbours.py IMAGES --out NEIGHBOURS
    python tools/dataset_converters/neighbours.py IMAGES --out NEIGHBOURS \\
        --database FOLDER --num 20
    python tools/dataset_converters/neighbours.py FOLDER \\
        --index INDEX.safetensors

For every image below IMAGES, an array (num, 768) with the image's name is
written. It has the CLIP embeddings, of norm 1, of the images of the database
that are most similar, the most similar first; Blattmann et al. 2022
(arXiv:2204.11824). The search is exact. Without --database, the neighbours are
other images of IMAGES. The dataset base
configs/_base_/datasets/neighbours_768x768.py reads the arrays. --index writes
the embeddings of FOLDER to an index, in which tools/sample.py --database
INDEX.safetensors finds the neighbours of a caption or an image.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmldm.apis import run_tool
from mmldm.utils import check_count
from mmldm.utils.files import check_file_to_write, check_folder_to_write

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('images', help='folder, searched recursively')
    parser.add_argument('--out', help='output folder of the arrays')
    parser.add_argument('--index', help='index to write, NAME.safetensors')
    parser.add_argument('--database', help='folder of the images to search')
    parser.add_argument(
        '--num',
        type=int,
        default=4,
        help='neighbours of an image (default: %(default)s)',
    )
    parser.add_argument(
        '--encoder',
        default='openai/clip-vit-large-patch14',
        help='folder or name of a CLIP model (default: %(default)s)',
    )
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--device', default='cpu')
    return parser.parse_args()


def main() -> None:
    """Embed the images, search and write."""
    args = parse_args()
    from mmldm.utils.devices import available_device

    check_count('--num', args.num)
    check_count('--batch-size', args.batch_size)
    device = available_device(args.device)
    if args.out is not None:
        check_folder_to_write('--out', args.out)
    if args.index is not None:
        check_file_to_write('--index', args.index)
    if args.out is None and args.index is None:
        raise ValueError('give --out, --index or both')
    from mmldm.apis.image_index import write_index
    from mmldm.apis.retrieval import embed_files, list_images, make_index
    from mmldm.models.conditioners import ImageEncoder

    images = list_images(args.images)
    if args.out is not None:
        others = find_others(args, images)
    encoder = ImageEncoder(pretrained=args.encoder).to(device)
    queries = embed_files(images, encoder, args.batch_size)
    if args.index is not None:
        index = make_index(args.images, images, queries, encoder)
        write_index(args.index, index)
        print(f'{len(images)} images in {args.index}')
    if args.out is not None:
        database = queries
        if args.database is not None:
            database = embed_files(others, encoder, args.batch_size)
        write_arrays(args, images, queries, database)


def find_others(args: argparse.Namespace, images: list[str]) -> list[str]:
    """Paths of the images that can be neighbours.

    Raises:
        ValueError: If there are fewer than --num.
    """
    from mmldm.apis.retrieval import list_images

    same = args.database is None
    others = images if same else list_images(args.database)
    if args.num > len(others) - same:
        raise ValueError(
            f'--num {args.num}, but an image has only {len(others) - same} '
            'possible neighbours: give a larger --database'
        )
    return others


def write_arrays(
    args: argparse.Namespace,
    images: list[str],
    queries: Tensor,
    database: Tensor,
) -> None:
    """Write an array of neighbours for each image.

    Raises:
        ValueError: If two images would share an array.
    """
    from mmldm.apis.retrieval import nearest
    from mmldm.datasets.annotations import check_own
    from mmldm.utils.whole_files import written_whole

    targets = [
        Path(args.out)
        / Path(path).relative_to(args.images).with_suffix('.npy')
        for path in images
    ]
    owners: dict[str, str] = {}
    for path, target in zip(images, targets, strict=True):
        check_own(owners, str(target), path)
    same = args.database is None
    indices = nearest(queries, database, args.num, same)
    for target, row in zip(targets, indices, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as file:
            np.save(file, database[row].numpy())
    print(f'{len(images)} arrays of {args.num} neighbours in {args.out}')


if __name__ == '__main__':
    run_tool(main)
