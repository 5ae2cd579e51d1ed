"""Draw how samples become, as in docs/en/own_images.md.

Usage: python docs/pictures/own_images.py LDM_DIR OUT_DIR

LDM_DIR is the work directory of ldm_kl-f4_1xb32-2k_images-64x64, whose
checkpoints are all kept
(``default_hooks.checkpoint.max_keep_ckpts=-1``).
"""

import argparse
import re
from pathlib import Path

import numpy as np
from strips import draw_strips

from mmldm.apis import LatentDiffusionInferencer

COLUMNS = 6


def main() -> None:
    """Draw the same samples by every checkpoint."""
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


def iteration(path: Path) -> int:
    """The number in the name of a checkpoint."""
    return int(re.search(r'\d+', path.name)[0])


if __name__ == '__main__':
    main()
