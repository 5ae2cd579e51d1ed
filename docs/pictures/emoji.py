"""Draw emoji by their names, and by names that no emoji has.

Usage: python docs/pictures/emoji.py \\
           work_dirs/dit_kl-f4_text_1xb32-14k_emoji-64x64 OUT.png

The model draws the upper rows by names that it was trained with, and the last
row by new combinations of their words.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from mmldm.apis import LatentDiffusionInferencer
from mmldm.structures import LDMDataSample
from mmldm.visualization.conditions import render_sample
from mmldm.visualization.grid import sheet_of_rows

LEARNT = [
    [
        'a red apple',
        'smiling face with sunglasses',
        'green heart',
        'rocket',
        'panda face',
        'umbrella with rain drops',
        'guitar',
        'slice of pizza',
    ],
    [
        'japan flag',
        'sunflower',
        'snowman',
        'octopus',
        'tiger face',
        'alarm clock',
        'hot beverage',
        'rainbow',
    ],
]
NEW = [
    'a blue apple',
    'a red panda',
    'a cat face with sunglasses',
    'a purple rocket',
    'a smiling octopus',
    'a green snowman',
    'an orange book',
    'a tiger face with heart eyes',
]
# The tiles of pictures for a page are larger than this one needs.
SCALE = 0.6


def main() -> None:
    """Draw the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', help='work directory of the model of emoji')
    parser.add_argument('out', type=Path, help='PNG file to write')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    generate = LatentDiffusionInferencer(args.model)
    rows = []
    for prompts in (*LEARNT, NEW):
        images = generate(prompt=prompts, num=1, seed=args.seed)
        rows.append(
            [
                render_sample(np.asarray(image), LDMDataSample(caption=prompt))
                for image, prompt in zip(images, prompts, strict=True)
            ]
        )
    picture = Image.fromarray(sheet_of_rows(rows))
    ImageOps.scale(picture, SCALE, Image.Resampling.LANCZOS).save(
        args.out, optimize=True
    )


if __name__ == '__main__':
    main()
