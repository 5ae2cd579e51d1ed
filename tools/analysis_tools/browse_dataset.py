"""Write pictures of a model's actual input, with its conditions.

    python tools/analysis_tools/browse_dataset.py CONFIG --out FOLDER --num 16
    python tools/analysis_tools/browse_dataset.py CONFIG --phase val

Every sample goes through the pipeline of the config. For training, the samples
are those that a run with this seed sees first. Boxes are drawn on the image.
Beside it are the class map laid over the image, the image with its hole, the
hole, the low-resolution image, the reference images, and the maps that
extra_maps names. Below it are class, caption and file. grid.png shows all
pictures together; if batches of a training differ in size, each begins a row.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mmengine.config import Config

from mmldm.apis import config_parser, load_config, run_tool
from mmldm.utils import check_count
from mmldm.utils.files import check_folder_to_write

# Pictures in a row of a batch.
IN_ROW = 16

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from mmengine.dataset import BaseDataset


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = config_parser(__doc__)
    parser.add_argument(
        '--phase',
        choices=['train', 'val', 'test'],
        default='train',
        help='phase whose data is shown (default: train)',
    )
    parser.add_argument(
        '--num', type=int, default=16, help='number of samples (default: 16)'
    )
    parser.add_argument(
        '--out', default='browsed', help='output folder (default: browsed)'
    )
    return parser.parse_args()


def build_dataset(cfg: Config, phase: str) -> BaseDataset:
    """The data set of a phase.

    Raises:
        ValueError: If the config has no such data set.
    """
    from mmldm.registry import DATASETS

    loader = cfg.get(f'{phase}_dataloader')
    if not loader or 'dataset' not in loader:
        raise ValueError(
            f'the config has no {phase}_dataloader with a dataset: choose '
            'another --phase'
        )
    return DATASETS.build(loader.dataset)


def batch_size_of(cfg: Config, dataset: BaseDataset) -> int | None:
    """Samples of a batch of one size; None if all samples have one size."""
    from mmldm.utils.several_sizes import sizes_of

    loader = cfg.train_dataloader
    if sizes_of(dataset).size_numbers() is None:
        return None
    return loader.get('global_batch_size') or loader.get('batch_size', 1)


def indices(
    dataset: BaseDataset,
    args: argparse.Namespace,
    seed: int,
    batch_size: int | None = None,
) -> list:
    """The first samples of training, or samples spread over the data set."""
    from mmldm.datasets import AddressedSampler

    sampler = AddressedSampler(dataset, seed=seed)
    if args.phase == 'train':
        sampler.batch_size = batch_size or 1
        return [*islice(sampler, min(args.num, len(dataset)))]
    return [int(index) for index in sampler.spread(args.num)]


def picture(packed: dict, dataset: BaseDataset) -> np.ndarray:
    """The picture of a sample, uint8 RGB (H, W, 3)."""
    from mmldm.visualization import render_sample

    if 'data_samples' not in packed:
        raise ValueError(
            'the data set gives no data_samples: end its pipeline with '
            "dict(type='PackInputs')"
        )
    image = packed.get('inputs')
    if image is not None:
        image = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    classes = dataset.metainfo.get('classes')
    return render_sample(image, packed['data_samples'], classes)


def sheet(images: list[np.ndarray], batch_size: int | None) -> np.ndarray:
    """All pictures together, uint8 RGB (H, W, 3)."""
    from mmldm.visualization import contact_sheet, sheet_of_rows

    if batch_size is None:
        return contact_sheet(images)
    rows = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size]
        rows += [batch[i : i + IN_ROW] for i in range(0, len(batch), IN_ROW)]
    return sheet_of_rows(rows)


def main() -> None:
    """Write the pictures."""
    args = parse_args()
    check_count('--num', args.num)
    check_folder_to_write('--out', args.out)
    from mmldm.visualization import write_image
    from mmldm.visualization.grid import LONGEST

    cfg = load_config(args)
    dataset = build_dataset(cfg, args.phase)
    seed = cfg.get('randomness', {}).get('seed') or 0
    shown, number, pixels, out = [], 0, 0, Path(args.out)
    batch_size = None
    if args.phase == 'train':
        batch_size = batch_size_of(cfg, dataset)
    for index in indices(dataset, args, seed, batch_size):
        image = picture(dataset[index], dataset)
        write_image(image, out / f'{number:06}.png')
        number += 1
        pixels += image.shape[0] * image.shape[1]
        if pixels < LONGEST**2 or not shown:
            shown.append(image)
    write_image(sheet(shown, batch_size), out / 'grid.png')
    what = 'all of them' if len(shown) == number else f'{len(shown)} of them'
    print(f'{number} pictures in {out}, {what} in {out}/grid.png')


if __name__ == '__main__':
    run_tool(main)
