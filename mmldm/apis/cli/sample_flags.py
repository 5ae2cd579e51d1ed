"""The flags of tools/sample.py, as tables.

They are read before torch is imported: --help answers at once.
"""

import argparse


class Sides(argparse.Action):
    """Pixels, written as a side, as two of them, or as 192x320."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Keep a list of whole numbers."""
        sides = [side for value in values for side in value.split('x')]
        if not all(side.isdecimal() for side in sides):
            parser.error(
                f'argument --size: {" ".join(values)} must be one side, or '
                'height and width, in pixels, such as 192x320'
            )
        setattr(namespace, self.dest, [int(side) for side in sides])


IMAGES = {
    '--num': dict(type=int, help='images of each kind (default: 4)'),
    '--seed': dict(type=int, help='seed of the images (default: 0)'),
    '--out': dict(default='samples', help='output folder (default: samples)'),
    '--batch-size': dict(
        type=int, help='images at a time (default: 8, or on a GPU what fits)'
    ),
    '--exact': dict(
        action='store_true',
        help='bits that do not depend on the batch size: on a CPU, batches '
        'are filled up to eight images, and one thread computes',
    ),
    '--from': dict(
        dest='rows',
        metavar='FILE',
        help='rows of images: .jsonl, .csv or, for prompts, .txt; other '
        'flags are the defaults of each row',
    ),
    '--like-settings': dict(
        metavar='IMAGE.png',
        help='generate an image of this tool again by the settings in it',
    ),
    '--name-by': dict(
        metavar='index|seed|label',
        default='index',
        help='what names of files start with (default: index)',
    ),
    '--show-steps': dict(
        action='store_true',
        help='write the denoising of each image to OUT/steps, as a strip and '
        'an animation',
    ),
    '--interpolate': dict(
        type=int,
        nargs=2,
        metavar='SEED',
        help='images from the noise of one seed to that of another, as a '
        'strip (grid.png) and an animation (frames.webp)',
    ),
    '--frames': dict(
        type=int, help='number of them, both ends included (default: 16)'
    ),
}
CONDITIONS = {
    '--label': dict(
        nargs='+', metavar='CLASS', help='classes, by number or name'
    ),
    '--prompt': dict(nargs='+', metavar='TEXT', help='captions'),
    '--negative': dict(
        metavar='TEXT|CLASS', help='condition to lead away from'
    ),
    '--object': dict(
        nargs=5,
        type=float,
        action='append',
        metavar=('CLASS', 'X', 'Y', 'W', 'H'),
        help='object of a layout, box relative to the image; may be repeated',
    ),
    '--image': dict(
        help='image with a hole to fill, or, with --strength, image to start '
        'from'
    ),
    '--mask': dict(help='mask of its size, white in the hole'),
    '--strength': dict(
        type=float,
        help='how much of --image is generated anew, in (0, 1], by a model '
        'that reads no image',
    ),
    '--low-res': dict(help='image to enlarge'),
    '--map': dict(help='image whose pixel values are classes'),
    '--unconditional': dict(
        action='store_true',
        help='no condition: what a model has learned that was trained with '
        'conditions left out at random',
    ),
    '--like': dict(
        nargs='+',
        metavar='IMAGE',
        help='images to resemble; with --database, one after the other',
    ),
    '--field': dict(
        action='append',
        metavar='NAME=FILE',
        help='another field of data samples: .npy, or an image, (1, H, W) if '
        'grey, else RGB; may be repeated',
    ),
    '--database': dict(
        metavar='INDEX',
        help='index of images by neighbours.py; the images most similar to '
        '--prompt or --like become the condition',
    ),
    '--num-neighbours': dict(
        type=int, help='number of these images (default: 4)'
    ),
    '--encoder': dict(help="the index's CLIP model, if moved"),
    '--size': dict(
        action=Sides,
        nargs='+',
        metavar='PIXELS',
        help='side, or height and width, as 192x320 or 192 320 (default: '
        'those of the given image, or of training)',
    ),
}
SAMPLING = {
    '--steps': dict(type=int, help='number of solver steps'),
    '--solver': dict(metavar='NAME', help='such as DDIM, Heun or DPMSolverPP'),
    '--grid': dict(
        metavar='NAME',
        help='levels that the solver visits, such as TrailingGrid',
    ),
    '--window': dict(
        type=int,
        metavar='PIXELS',
        help='generate large images by overlapping windows of this side, such '
        'as the training size, in the memory of one window',
    ),
    '--scale': dict(
        type=float, help='classifier-free guidance scale; 1 is off'
    ),
    '--rescale': dict(
        type=float,
        help='share of the contrast that guidance adds to remove; 0 is off',
    ),
    '--interval': dict(
        type=float,
        nargs=2,
        metavar=('LOW', 'HIGH'),
        help='noise-to-signal ratios between which guidance acts',
    ),
    '--dtype': dict(
        metavar='NAME',
        help='precision of the denoiser: bfloat16 or float16',
    ),
    '--compile': dict(action='store_true', help='compile the networks'),
}
SAMPLE_FLAGS = {
    '': IMAGES,
    'conditions, as the model needs them': CONDITIONS,
    'sampling (default: as in the config)': SAMPLING,
}
