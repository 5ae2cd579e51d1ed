"""Generate images with a trained latent diffusion model.

    python tools/sample.py MODEL --num 16
    python tools/sample.py MODEL --label 207 360 --num 4 --scale 3
    python tools/sample.py MODEL --prompt "a red circle" --num 4
    python tools/sample.py MODEL --image IMAGE.png --mask MASK.png
    python tools/sample.py MODEL --low-res SMALL.png
    python tools/sample.py MODEL --map LABELS.png
    python tools/sample.py MODEL --like IMAGE.png
    python tools/sample.py MODEL --database INDEX.safetensors --prompt "a cat"
    python tools/sample.py MODEL --field sketch=SKETCH.png

A model with several conditions takes all their flags: every class is combined
with every caption, and --negative is then a caption. --field sets a field of
your own task, see docs/en/new_task.md. MODEL is any source of
mmldm.apis.init_model: a folder that a converter wrote, a published file, a
config followed by a checkpoint, a work directory, or a folder of diffusers.
Images are written one by one to OUT/images, and all of them to OUT/grid.png.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import groupby, islice, product
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from mmldm.apis import run_tool
from mmldm.utils import check_divisible, check_range
from mmldm.utils.memory import check_images_fit

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import Tensor

    from mmldm.diffusion import Sampling
    from mmldm.models.editors import LatentDiffusion
    from mmldm.structures import LDMDataSample

# Side in pixels of the tiles that are decoded if --window is given: smaller
# tiles need less memory and several times as long.
TILE_SIZE = 256


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help='file or folder of a model')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='the weights, if MODEL is a config file: a file, or a work '
        'directory',
    )
    parser.add_argument(
        '--num', type=int, default=4, help='images of each kind (default: 4)'
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the images (default: 0)',
    )
    parser.add_argument(
        '--out', default='samples', help='output folder (default: samples)'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=4,
        help='images at a time; does not change them (default: 4)',
    )
    parser.add_argument('--device', help='such as cpu or cuda:1')
    _condition_arguments(parser)
    _process_arguments(parser)
    return parser.parse_args()


def _condition_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('conditions, as the model needs them')
    group.add_argument('--label', type=int, nargs='+', help='classes')
    group.add_argument('--prompt', nargs='+', metavar='TEXT', help='captions')
    group.add_argument(
        '--negative', metavar='TEXT|LABEL', help='condition to lead away from'
    )
    group.add_argument(
        '--object',
        nargs=5,
        type=float,
        action='append',
        metavar=('CLASS', 'X', 'Y', 'W', 'H'),
        help='object of a layout, box relative to the image; may be repeated',
    )
    group.add_argument('--image', help='image with a hole to fill')
    group.add_argument('--mask', help='mask of its size, white in the hole')
    group.add_argument('--low-res', help='image to enlarge')
    group.add_argument('--map', help='image whose pixel values are classes')
    group.add_argument(
        '--unconditional',
        action='store_true',
        help='no condition: what a model has learned that was trained with '
        'conditions left out at random',
    )
    group.add_argument(
        '--like',
        nargs='+',
        metavar='IMAGE',
        help='images to resemble; with --database, one after the other',
    )
    group.add_argument(
        '--field',
        action='append',
        metavar='NAME=FILE',
        help='another field of data samples: .npy, or an image, (1, H, W) if '
        'grey, else RGB; may be repeated',
    )
    _retrieval_arguments(group)
    group.add_argument(
        '--size',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help='side, or height and width (default: those of the given image, '
        'or of training)',
    )


def _retrieval_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--database',
        metavar='INDEX',
        help='index of images by neighbours.py; the images most similar to '
        '--prompt or --like become the condition',
    )
    group.add_argument(
        '--num-neighbours',
        type=int,
        help='number of these images (default: 4)',
    )
    group.add_argument('--encoder', help="the index's CLIP model, if moved")


def _process_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('sampling (default: as in the config)')
    group.add_argument('--steps', type=int, help='number of solver steps')
    group.add_argument(
        '--solver', metavar='NAME', help='such as DDIM, Heun or DPMSolverPP'
    )
    group.add_argument(
        '--grid',
        metavar='NAME',
        help='levels that the solver visits, such as TrailingGrid',
    )
    group.add_argument(
        '--window',
        type=int,
        metavar='PIXELS',
        help='generate large images by overlapping windows of this side, such '
        'as the training size, in the memory of one window',
    )
    group.add_argument(
        '--scale', type=float, help='classifier-free guidance scale; 1 is off'
    )


def kinds_of(
    args: argparse.Namespace, found: list[Tensor] | None
) -> list[dict[str, Any]]:
    """The conditions of each kind of image, field to value."""
    if found is not None:
        return [dict(features=features) for features in found]
    labels = [dict(gt_label=label) for label in args.label or []]
    captions = [dict(caption=caption) for caption in args.prompt or []]
    return [a | b for a, b in product(labels or [{}], captions or [{}])]


def wishes(
    args: argparse.Namespace,
    fields: dict[str, Any],
    size: tuple[int, int],
    kinds: list[dict[str, Any]],
    negative: dict[str, Any],
) -> Iterator[LDMDataSample]:
    """A data sample for every image, kind after kind."""
    from mmldm.apis.inference.requests import Request

    for number in range(len(kinds) * args.num):
        # The noise of an image does not depend on its kind.
        kind, place = divmod(number, args.num)
        shown = fields | kinds[kind]
        request = Request(shown, size, args.seed, place, negative)
        yield request.data_sample()


def prepare(args: argparse.Namespace, model: LatentDiffusion) -> Sampling:
    """How the flags ask to sample.

    Raises:
        ValueError: If a flag does not suit the model; names the flag.
    """
    from mmldm.diffusion import Sampling, Windows

    if args.steps is not None:
        most = model.diffusion_scheduler.noise_schedule.num_timesteps
        check_range('--steps', args.steps, 1, most)
    parts = {}
    if args.window is not None:
        factor = model.autoencoder.factor
        check_divisible(
            '--window', args.window, 'the factor of the first stage', factor
        )
        windows = Windows(args.window // factor)
        parts = dict(windows=windows, tile_size=TILE_SIZE)
    parts['unconditional'] = args.unconditional
    return Sampling.of(args.solver, args.grid, args.steps, args.scale, **parts)


def main() -> None:
    """Generate the images."""
    args = parse_args()
    from mmldm.apis import init_model
    from mmldm.apis.sample_fields import read_fields
    from mmldm.apis.sample_flags import (
        check_args,
        check_classes,
        check_flags,
        image_size,
        negative_of,
    )
    from mmldm.models.editors import LatentDiffusion

    check_args(args)
    fields = read_fields(args)
    model = init_model(args.model, args.checkpoint, args.device)
    if not isinstance(model, LatentDiffusion):
        raise ValueError(
            f'{args.model} is a {type(model).__name__}, expected a '
            'LatentDiffusion: give another model'
        )
    told = 'caption' if args.database is None else 'features'
    given = {'gt_label': args.label, told: args.prompt or args.database}
    given |= fields
    names = {name for name, v in given.items() if v is not None}
    check_flags(model, names, args.unconditional)
    negative = negative_of(model, args.negative)
    check_classes(model, given, negative)
    model = model.sampling_by(prepare(args, model))
    size = image_size(args.size, fields, model)
    kinds = kinds_of(args, neighbours(args, model))
    total = len(kinds) * args.num
    at_a_time = min(total, args.batch_size)
    check_images_fit('--batch-size', at_a_time, size[0] * size[1])
    draw(model, wishes(args, fields, size, kinds, negative), total, args)


def neighbours(
    args: argparse.Namespace, model: LatentDiffusion
) -> list[Tensor] | None:
    """Features from --database; None without it."""
    if args.database is None:
        return None
    from mmldm.apis.retrieval import Retriever, retrieve

    retriever = Retriever(
        args.database,
        args.num_neighbours or 4,
        model.conditioner.dim('tokens'),
        args.encoder,
        next(model.parameters()).device,
    )
    return retrieve(retriever, args.prompt, args.like)


def draw(
    model: LatentDiffusion,
    samples: Iterator[LDMDataSample],
    total: int,
    args: argparse.Namespace,
) -> None:
    """Generate and write every image, then a grid of those that fit."""
    from mmldm.visualization import (
        assemble,
        image_path,
        most_tiles,
        other_images,
        write_image,
    )

    out, number, shown = Path(args.out), 0, []
    with tqdm(total=total, unit='image') as progress:
        while batch := [*islice(samples, args.batch_size)]:
            for sample in model.predict(None, batch):
                image = sample.pred_img.permute(1, 2, 0).cpu().numpy()
                write_image(image, image_path(out, number))
                row, column = divmod(number, args.num)
                height, width = map(most_tiles, image.shape[:2])
                if row < height and column < width:
                    shown.append((row, image))
                number += 1
                progress.update()
    rows = [
        [image for _, image in row]
        for _, row in groupby(shown, key=itemgetter(0))
    ]
    write_image(assemble(rows), out / 'grid.png')
    folder = image_path(out, 0).parent
    what = 'all of them' if len(shown) == number else f'{len(shown)} of them'
    print(f'{number} images in {folder}, {what} in {out}/grid.png')
    if warning := other_images(out, number):
        print(f'Note: {warning}')


if __name__ == '__main__':
    run_tool(main)
