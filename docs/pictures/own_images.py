"""Draw the pictures of docs/en/own_images.md with your training.

Usage: python docs/pictures/own_images.py LDM_DIR OUT_DIR

LDM_DIR is the work directory of ldm_kl-f4_1xb32-2k_images-64x64, whose
checkpoints are all kept
(``default_hooks.checkpoint.max_keep_ckpts=-1``).
"""

import argparse
import re
from pathlib import Path

import numpy as np
import torch
from strips import draw_strips, to_pixels

from mmldm.apis import LatentDiffusionInferencer
from mmldm.structures import LDMDataSample

COLUMNS = 8


def main() -> None:
    """Draw samples of every checkpoint, and badly scaled ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('ldm', type=Path, help='work directory')
    parser.add_argument('out', type=Path, help='folder of the pictures')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for path in sorted(args.ldm.glob('iter_*.pth'), key=iteration):
        generate = LatentDiffusionInferencer(path)
        images = generate(num=COLUMNS, seed=0)
        rows[f'iteration {iteration(path)}'] = [np.asarray(i) for i in images]
    draw_strips(rows, args.out / 'samples.png')
    draw_wrong_scale(generate.model, args.out / 'wrong_scale.png')


def iteration(path: Path) -> int:
    """The number in the name of a checkpoint."""
    return int(re.search(r'\d+', path.name)[0])


@torch.inference_mode()
def draw_wrong_scale(model, path: Path) -> None:
    """Samples decoded with latents that are too small and too large."""
    side = model.image_size
    samples = [
        LDMDataSample(metainfo=dict(address=(0, i), img_shape=side))
        for i in range(COLUMNS)
    ]
    z = model.sample(samples)
    rows = {}
    for factor in (0.25, 0.5, 1.0, 2.0, 4.0):
        decoded = model.autoencoder.decode(z * factor)
        rows[f'latents x {factor:g}'] = to_pixels(decoded)
    draw_strips(rows, path)


if __name__ == '__main__':
    main()
