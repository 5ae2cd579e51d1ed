"""Find like images, for retrieval-augmented models.

    python tools/dataset_converters/neighbours.py IMAGES --out NEIGHBOURS
    python tools/dataset_converters/neighbours.py IMAGES --out NEIGHBOURS \\
        --database FOLDER --num 20

For every image below IMAGES an array (num, 768) of the same name: CLIP's
embeddings, of norm 1, of those images of the database that are most like it,
the most alike first; Blattmann et al. 2022 (arXiv:2204.11824). The search is
exact. Without --database an image's neighbours are among the others of
IMAGES. The dataset base configs/_base_/datasets/neighbours_768x768.py reads
them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from mmldm.apis import run_tool
from mmldm.datasets.image_files import SUFFIXES, files_below, read_image
from mmldm.datasets.transforms import Crop
from mmldm.utils import check_count
from mmldm.utils.pixels import bicubic

# Of CLIP's training images, RGB in [0, 1] (Radford et al. 2021).
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
# Rows of similarities that are in memory at a time.
ROWS = 256


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('images', help='folder, searched recursively')
    parser.add_argument('--out', required=True, help='folder of the arrays')
    parser.add_argument(
        '--database', help='folder of the images that are found'
    )
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


def load_encoder(name: str) -> nn.Module:
    """The part of a CLIP model that sees.

    Raises:
        ValueError: If it is not to be had.
    """
    from transformers import CLIPVisionModelWithProjection  # takes seconds

    try:
        return CLIPVisionModelWithProjection.from_pretrained(name).eval()
    except Exception as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(
            f'--encoder {name} is neither a folder with a CLIP model nor the '
            f'name of one that could be downloaded ({reason})'
        ) from error


def read_pixels(path: str, size: int) -> Tensor:
    """(3, size, size), as CLIP saw its training images."""
    image = read_image(path)[..., ::-1]
    sides = image.shape[:2]
    # It cut off a part of a pixel, where ResizeShorterSide rounds.
    image = bicubic(image, *(size * side // min(sides) for side in sides))
    image = Crop(size, random=False)(dict(img=image))['img']
    values = (image / 255 - np.array(MEAN)) / np.array(STD)
    return torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1)


@torch.no_grad()
def embed(
    paths: list[str], encoder: nn.Module, batch_size: int, device: str
) -> Tensor:
    """Of each image, norm 1: (N, C)."""
    encoder, rows = encoder.to(device), []
    size = encoder.config.image_size
    for start in tqdm(range(0, len(paths), batch_size), desc='embedding'):
        batch = paths[start : start + batch_size]
        pixels = torch.stack([read_pixels(path, size) for path in batch])
        embeds = encoder(pixels.to(device)).image_embeds
        rows.append(F.normalize(embeds.float(), dim=-1).cpu())
    return torch.cat(rows)


def nearest(queries: Tensor, database: Tensor, num: int, same: bool) -> Tensor:
    """Indices (N, num) into the database, the most alike first.

    Args:
        queries: Norm 1, (N, C).
        database: Norm 1, (M, C).
        num: How many.
        same: Both are the same images, none of which is its own neighbour.
    """
    found = []
    for start in range(0, len(queries), ROWS):
        likeness = queries[start : start + ROWS] @ database.T
        if same:
            rows = torch.arange(len(likeness))
            likeness[rows, start + rows] = -torch.inf
        found.append(likeness.topk(num).indices)
    return torch.cat(found)


def list_images(folder: str) -> list[str]:
    """Paths of all images, in order.

    Raises:
        ValueError: If there are none.
    """
    paths = sorted(files_below(folder, SUFFIXES))
    if not paths:
        raise ValueError(f'{folder} holds no images')
    return paths


def main() -> None:
    """Embed, search, write."""
    args = parse_args()
    check_count('--num', args.num)
    check_count('--batch-size', args.batch_size)
    images, same = list_images(args.images), args.database is None
    others = images if same else list_images(args.database)
    if args.num > len(others) - same:
        raise ValueError(
            f'--num {args.num}, but an image has {len(others) - same} others '
            'to be like: give a larger --database'
        )
    encoder = load_encoder(args.encoder)
    queries = embed(images, encoder, args.batch_size, args.device)
    database = queries
    if not same:
        database = embed(others, encoder, args.batch_size, args.device)
    indices = nearest(queries, database, args.num, same)
    for path, row in zip(images, indices, strict=True):
        target = Path(args.out) / Path(path).relative_to(args.images)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix('.part')
        with part.open('wb') as file:
            np.save(file, database[row].numpy())
        part.replace(target.with_suffix('.npy'))
    print(f'{len(images)} arrays of {args.num} neighbours in {args.out}')


if __name__ == '__main__':
    run_tool(main)
