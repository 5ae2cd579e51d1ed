"""Edit an image with a latent diffusion model that was not trained for it.

    python demo/edit_image.py vary CONFIG CHECKPOINT IMAGE --strength 0.6
    python demo/edit_image.py inpaint CONFIG CHECKPOINT IMAGE --mask MASK.png
    python demo/edit_image.py outpaint CONFIG CHECKPOINT IMAGE --right 16
    python demo/edit_image.py invert CONFIG CHECKPOINT IMAGE --to-label 8
    python demo/edit_image.py upscale CONFIG CHECKPOINT IMAGE --factor 4

Writes what was given and what became of it side by side, and every result as
an image of its own. Each edit has its --help.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from mmldm.apis import config_parser, load_config, run_tool
from mmldm.utils import check_choice, check_count, check_range
from mmldm.utils.files import (
    check_checkpoint,
    check_file,
    check_file_to_write,
)
from mmldm.utils.memory import check_images_fit

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor

    from mmldm.models.editors import LatentDiffusion
    from mmldm.structures import LDMDataSample

MOST_PIXELS = 2**15  # a side, as OpenCV writes them
SMALLEST = 256  # pixels that the side-by-side picture is high at least


class Job(NamedTuple):
    """What is edited: copies of one image, each drawn by its sample."""

    model: LatentDiffusion
    images: Tensor
    samples: Sequence[LDMDataSample]
    args: argparse.Namespace


# What was given, (3, H, W) each, and what became of it, (B, 3, H, W).
Panels = tuple[Sequence['Tensor'], 'Tensor']


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    edits = parser.add_subparsers(
        dest='edit', metavar='EDIT', required=True, title='edits'
    )
    for name, (edit, add_arguments) in EDITS.items():
        own = edits.add_parser(
            name,
            parents=[_common_parser(edit)],
            add_help=False,  # the parent has it
            help=edit.__doc__.splitlines()[0],
            description=edit.__doc__.splitlines()[0],
        )
        add_arguments(own)
    return parser.parse_args()


def _common_parser(edit: Callable) -> argparse.ArgumentParser:
    parser = config_parser(None)
    parser.add_argument(
        'checkpoint',
        help='checkpoint file, or a work directory: its newest one',
    )
    parser.add_argument('image', help='PNG, JPEG or WebP of any size')
    parser.add_argument(
        '--size',
        type=int,
        metavar='PIXELS',
        help='scale the image to this shorter side first, such as that of '
        'the images the model was trained on (default: leave it)',
    )
    parser.add_argument(
        '--label', type=int, help='class to draw, of a model with classes'
    )
    parser.add_argument(
        '--negative', type=int, metavar='LABEL', help='class to lead away from'
    )
    if edit is invert:  # draws nothing
        parser.set_defaults(num=1)
    else:
        parser.add_argument(
            '--num', type=int, default=4, help='results to draw (default: 4)'
        )
    parser.add_argument(
        '--out',
        metavar='FILE.png',
        help='where the picture goes; results as FILE_0.png ... beside it '
        '(default: EDIT.png)',
    )
    return parser


def vary(job: Job) -> Panels:
    """Draw images like this one: add noise, and take it away again."""
    return [job.images[0]], job.model.vary(
        job.images, job.samples, job.args.strength
    )


def _vary_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--strength',
        type=float,
        default=0.6,
        help='how much is drawn anew, in (0, 1] (default: 0.6)',
    )


def inpaint(job: Job) -> Panels:
    """Fill a part of the image; the rest stays bit by bit."""
    mask = _read_mask(job.args, job.images.shape[2:]).to(job.images.device)
    mask = mask.expand(len(job.images), -1, -1, -1)
    shown = job.images[0].masked_fill(mask[0], 0)
    return [job.images[0], shown], job.model.inpaint(
        job.images, mask, job.samples
    )


def _inpaint_arguments(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        '--mask',
        metavar='FILE',
        help='image of its size, white where to fill; transparent is black',
    )
    where.add_argument(
        '--box',
        type=int,
        nargs=4,
        metavar=('LEFT', 'TOP', 'RIGHT', 'BOTTOM'),
        help='fill this box, pixels of the (scaled) image',
    )


def _read_mask(args: argparse.Namespace, size: Sequence[int]) -> Tensor:
    """True where to fill, (1, 1, H, W)."""
    import torch

    from mmldm.datasets.image_files import read_image, read_mask

    if args.mask is None:
        left, top, right, bottom = args.box
        mask = torch.zeros(1, 1, *size, dtype=torch.bool)
        mask[..., max(top, 0) : bottom, max(left, 0) : right] = True
        if not mask.any():
            raise ValueError(
                f'--box {args.box} holds no pixel of {size[1]}x{size[0]}'
            )
        return mask
    mask, image = read_mask(args.mask), read_image(args.image)
    if mask.shape != image.shape[:2]:
        raise ValueError(
            f'--mask {args.mask} has {mask.shape[1]}x{mask.shape[0]} pixels, '
            f'but the image {image.shape[1]}x{image.shape[0]}: give a mask '
            'of its size'
        )
    mask = cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST)
    return torch.from_numpy(mask > 0)[None, None]


def outpaint(job: Job) -> Panels:
    """Go on beyond the image's borders; the image stays bit by bit."""
    from torch.nn.functional import pad

    padding = (job.args.left, job.args.right, job.args.top, job.args.bottom)
    height, width = job.images.shape[2:]
    pixels = (height + sum(padding[2:])) * (width + sum(padding[:2]))
    check_images_fit('--num', len(job.images), pixels)
    wide = job.model.outpaint(job.images, padding, job.samples)
    return [pad(job.images[0], padding)], wide


def _outpaint_arguments(parser: argparse.ArgumentParser) -> None:
    for side in ('left', 'right', 'top', 'bottom'):
        parser.add_argument(
            f'--{side}',
            type=int,
            default=0,
            metavar='PIXELS',
            help='new pixels on this side (default: 0)',
        )


def invert(job: Job) -> Panels:
    """Find the noise that the image comes from; draw another class of it."""
    start = job.model.invert(job.images, job.samples, job.args.iterations)
    labels = [job.args.label]
    if job.args.to_label is not None:
        labels.append(job.args.to_label)
    wanted = [_sample(job.args, 0, label) for label in labels]
    start = start.expand(len(wanted), -1, -1, -1)
    z = job.model.sample(wanted, start=start)
    after = job.model.autoencoder.decode(z, job.images.shape[2:])
    return [job.images[0]], after


def _invert_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--to-label',
        type=int,
        metavar='LABEL',
        help='class to draw from the noise of an image of class --label, '
        'after the image itself',
    )
    parser.add_argument(
        '--iterations',
        type=int,
        default=1,
        help='evaluations a step (default: 1); more for DDIM to give the '
        'image itself back',
    )


def upscale(job: Job) -> Panels:
    """Draw images that look like this one when they are made small."""
    from torch.nn.functional import avg_pool2d, interpolate

    from mmldm.diffusion import GradientGuidance, image_log_prob

    height, width = (job.args.factor * side for side in job.images.shape[2:])
    check_images_fit('--num', len(job.images), height * width)
    for sample in job.samples:
        sample.set_metainfo(dict(img_shape=(height, width)))

    def decode(z: Tensor) -> Tensor:
        return job.model.autoencoder.decode(z, (height, width))

    log_prob = image_log_prob(
        decode,
        lambda x: avg_pool2d(x, job.args.factor),
        job.images,
    )
    z = job.model.sample(
        job.samples, wrap=GradientGuidance(log_prob, job.args.weight)
    )
    shown = interpolate(job.images[:1], (height, width), mode='nearest')[0]
    return [shown], decode(z)


def _upscale_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--factor', type=int, default=4, help='how much larger (default: 4)'
    )
    parser.add_argument(
        '--weight',
        type=float,
        default=10.0,
        help='how closely to follow the image (default: 10)',
    )


EDITS = {
    'vary': (vary, _vary_arguments),
    'inpaint': (inpaint, _inpaint_arguments),
    'outpaint': (outpaint, _outpaint_arguments),
    'invert': (invert, _invert_arguments),
    'upscale': (upscale, _upscale_arguments),
}


def _read(path: str, size: int | None) -> Tensor:
    """An image as networks take it, (1, 3, H, W) in [-1, 1]."""
    import torch

    from mmldm.datasets.image_files import read_image
    from mmldm.datasets.transforms import ResizeShorterSide
    from mmldm.utils.pixels import to_unit_range

    image = read_image(path)
    if size is not None:
        image = ResizeShorterSide(size).transform(dict(img=image))['img']
    return to_unit_range(torch.from_numpy(image).permute(2, 0, 1)[None])


def _sample(
    args: argparse.Namespace, index: int, label: int | None
) -> LDMDataSample:
    """What to draw as the result of this index."""
    from mmldm.structures import LDMDataSample

    sample = LDMDataSample(metainfo=dict(address=(args.seed or 0, index)))
    if label is not None:
        sample.set_gt_label(label)
    if args.negative is not None:
        sample.negative = LDMDataSample().set_gt_label(args.negative)
    return sample


def _write(shown: Sequence[Tensor], results: Tensor, out: Path) -> None:
    """The side-by-side picture, and every result."""
    import torch

    from mmldm.models.data_preprocessors.ldm_data_preprocessor import (
        to_images,
    )
    from mmldm.visualization import assemble, write_image

    before, after = (
        [image.permute(1, 2, 0).cpu().numpy() for image in to_images(images)]
        for images in (torch.stack([*shown]), results)
    )
    for i, image in enumerate(after):
        write_image(image, out.with_name(f'{out.stem}_{i}.png'))
    strip = assemble([[*before, *after]])
    zoom = -(-SMALLEST // strip.shape[0])
    write_image(np.kron(strip, np.ones((zoom, zoom, 1), np.uint8)), out)
    print(f'Pictures in {out}; results {out.stem}_0.png ... beside it')


def check_args(args: argparse.Namespace) -> None:
    """Raise where flags make no sense, whatever the model.

    Raises:
        FileNotFoundError, ValueError: Naming the flag.
    """
    for name in ('num', 'size', 'factor', 'iterations'):
        value = getattr(args, name, None)
        if value is not None:
            check_count(f'--{name}', value)
            check_range(f'--{name}', value, 1, MOST_PIXELS)
    for name in ('left', 'right', 'top', 'bottom'):
        check_range(f'--{name}', getattr(args, name, 0), 0, MOST_PIXELS)
    if hasattr(args, 'weight'):
        check_range('--weight', args.weight, 0, math.inf)
    check_checkpoint('checkpoint', args.checkpoint)
    check_file('image', args.image)
    if getattr(args, 'mask', None) is not None:
        check_file('--mask', args.mask)


def main() -> None:
    """Edit."""
    args = parse_args()
    check_args(args)
    from mmldm.apis import build_model
    from mmldm.models.editors import LatentDiffusion

    out = Path(args.out or f'{args.edit}.png')
    check_file_to_write('--out', out)
    check_choice('--out: extension', out.suffix, ('.png', '.jpg', '.webp'))
    image = _read(args.image, args.size)
    model = build_model(load_config(args), args.checkpoint)
    if not isinstance(model, LatentDiffusion):
        raise ValueError(
            f'{args.config} has a {type(model).__name__}: give config and '
            'checkpoint of a LatentDiffusion'
        )
    if model.conditioner.slots and args.label is None:
        raise ValueError('the field gt_label is missing: give --label')
    samples = [_sample(args, i, args.label) for i in range(args.num)]
    device = next(model.parameters()).device
    check_images_fit('--num', args.num, image.shape[2] * image.shape[3])
    images = image.to(device).expand(args.num, -1, -1, -1)
    edit, _ = EDITS[args.edit]
    shown, results = edit(Job(model, images, samples, args))
    _write(shown, results, out)


if __name__ == '__main__':
    run_tool(main)
