"""Draw images with a trained latent diffusion model.

    python tools/sample.py MODEL --num 16
    python tools/sample.py MODEL --label 207 360 --num 4 --scale 3
    python tools/sample.py MODEL --prompt "a red circle" --num 4
    python tools/sample.py MODEL --image IMAGE.png --mask MASK.png
    python tools/sample.py MODEL --low-res SMALL.png
    python tools/sample.py MODEL --map LABELS.png
    python tools/sample.py MODEL --like IMAGE.png
    python tools/sample.py MODEL --database INDEX.safetensors --prompt "a cat"

A model that is told several things takes all their flags: every class is
drawn with every caption, and --negative is then a caption. MODEL is whatever
mmldm.apis.init_model takes: a folder that a converter wrote, a published
file, a config and then a checkpoint, a work directory, a folder of diffusers.
Images appear one by one in --out, all of them in grid.png.
"""

import argparse
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from mmldm.apis import init_model, run_tool
from mmldm.apis.retrieval import Retriever, read_rgb, retrieve
from mmldm.apis.sample_flags import check_flags, image_size
from mmldm.datasets.image_files import read_image, read_label_map
from mmldm.diffusion import ClassifierFreeGuidance, Windows
from mmldm.models.editors import LatentDiffusion
from mmldm.structures import LDMDataSample
from mmldm.utils import check_count, check_divisible
from mmldm.visualization import assemble, write_image

# Pixels a side that are decoded at a time where images are drawn by windows:
# smaller tiles take less memory and several times as long.
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
        help='its weights, where MODEL is a config file: a file, or a work '
        'directory',
    )
    parser.add_argument(
        '--num', type=int, default=4, help='images of each kind (default: 4)'
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='other images for another seed (default: 0)',
    )
    parser.add_argument(
        '--out', default='samples', help='folder (default: samples)'
    )
    parser.add_argument(
        '--batch-size',
        type=int,
        default=4,
        help='images at a time; changes no image (default: 4)',
    )
    parser.add_argument('--device', help='such as cpu or cuda:1')
    _condition_arguments(parser)
    _process_arguments(parser)
    return parser.parse_args()


def _condition_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('what to draw, as the model asks')
    group.add_argument('--label', type=int, nargs='+', help='classes')
    group.add_argument('--prompt', nargs='+', metavar='TEXT', help='captions')
    group.add_argument(
        '--negative', metavar='TEXT|LABEL', help='what to lead away from'
    )
    group.add_argument(
        '--object',
        nargs=5,
        type=float,
        action='append',
        metavar=('CLASS', 'X', 'Y', 'W', 'H'),
        help='one of a layout, its box as parts of the image; repeat it',
    )
    group.add_argument('--image', help='image to fill')
    group.add_argument('--mask', help='image of its size, white where to fill')
    group.add_argument('--low-res', help='image to enlarge')
    group.add_argument('--map', help='image whose pixel values are classes')
    group.add_argument(
        '--like',
        nargs='+',
        metavar='IMAGE',
        help='images to resemble; with --database, one after the other',
    )
    _retrieval_arguments(group)
    group.add_argument(
        '--size',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help='side, or height and width (default: of the given image, or '
        'that of the training)',
    )


def _retrieval_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--database',
        metavar='INDEX',
        help='index of images by neighbours.py; those most like --prompt or '
        '--like are told to the model',
    )
    group.add_argument(
        '--num-neighbours',
        type=int,
        default=4,
        help='how many of them (default: 4)',
    )
    group.add_argument('--encoder', help='its CLIP model, where it was moved')


def _process_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('how to draw (default: as the config)')
    group.add_argument('--steps', type=int, help='steps of the solver')
    group.add_argument(
        '--window',
        type=int,
        metavar='PIXELS',
        help='draw large images by overlapping windows of this side, such as '
        'the size of training, in the memory of one',
    )
    group.add_argument(
        '--scale', type=float, help='of classifier-free guidance; 1 is off'
    )


def read_fields(args: argparse.Namespace) -> dict[str, Any]:
    """What the flags say, as fields of data samples."""
    fields: dict[str, Any] = {}
    if args.image is not None:
        fields['gt_img'] = _read(args.image)
    if args.mask is not None:
        mask = read_image(args.mask).max(axis=2) > 127
        fields['mask'] = torch.from_numpy(mask)[None]
    if args.low_res is not None:
        fields['img_lq'] = _read(args.low_res)
    if args.map is not None:
        classes = read_label_map(args.map)
        fields['gt_sem_seg'] = torch.from_numpy(classes)[None]
    if args.like is not None and args.database is None:
        fields['ref_imgs'] = [_read(path) for path in args.like]
    if args.object is not None:
        fields['layout'] = [(_whole(c), box) for c, *box in args.object]
    return fields


def _read(path: str) -> Tensor:
    """uint8 RGB (3, H, W)."""
    return torch.from_numpy(read_rgb(path).copy()).permute(2, 0, 1)


def _whole(label: float) -> int:
    if label != int(label):
        raise ValueError(f'--object {label}: the class must be whole')
    return int(label)


def kinds_of(
    args: argparse.Namespace, found: list[Tensor] | None
) -> list[dict[str, Any]]:
    """What is told of each kind of image, by field of a data sample."""
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
) -> Iterator[LDMDataSample]:
    """A data sample for every image, kind after kind."""
    for number in range(len(kinds) * args.num):
        # The noise of an image does not depend on its kind.
        place = dict(img_shape=size, address=(args.seed, number % args.num))
        sample = LDMDataSample(metainfo=place)
        _tell(sample, fields | kinds[number // args.num])
        if args.negative is not None:
            sample.negative = LDMDataSample()
            field = 'gt_label' if args.prompt is None else 'caption'
            _tell(sample.negative, {field: args.negative})
        yield sample


def _tell(sample: LDMDataSample, fields: dict[str, Any]) -> None:
    """Write fields into a sample."""
    for field, value in fields.items():
        if field != 'gt_label':
            sample.set_field(value, field)
            continue
        try:
            sample.set_gt_label(int(value))
        except ValueError as error:
            raise ValueError(f'--negative {value} is no class') from error


def prepare(args: argparse.Namespace, model: LatentDiffusion) -> None:
    """Set how the model samples."""
    if args.steps is not None:
        model.diffusion_scheduler.num_steps = args.steps
    if args.window is not None:
        factor = model.autoencoder.factor
        check_divisible(
            '--window', args.window, 'the factor of the first stage', factor
        )
        model.windows = Windows(args.window // factor)
        model.autoencoder.tile_size = TILE_SIZE
    if args.scale is not None:
        model.guidance = ClassifierFreeGuidance(args.scale)
        model.check_guidance()


def main() -> None:
    """Draw."""
    args = parse_args()
    check_count('--num', args.num)
    check_count('--batch-size', args.batch_size)
    check_database(args)
    fields = read_fields(args)
    model = init_model(args.model, args.checkpoint, args.device)
    if not isinstance(model, LatentDiffusion):
        raise ValueError(
            f'{args.model} is a {type(model).__name__}, which draws nothing: '
            'give a LatentDiffusion'
        )
    told = 'caption' if args.database is None else 'features'
    given = {'gt_label': args.label, told: args.prompt or args.database}
    given |= fields
    check_flags(model, {name for name, v in given.items() if v is not None})
    prepare(args, model)
    size = image_size(args.size, fields, model)
    found = None
    if args.database is not None:
        retriever = Retriever(
            args.database,
            args.num_neighbours,
            model.conditioner.dim('tokens'),
            args.encoder,
            next(model.parameters()).device,
        )
        found = retrieve(retriever, args.prompt, args.like)
    samples = [*wishes(args, fields, size, kinds_of(args, found))]
    draw(model, samples, args)


def check_database(args: argparse.Namespace) -> None:
    """Raise unless it is clear what is looked for in a database."""
    if args.database is None:
        return
    if (args.prompt is None) == (args.like is None):
        raise ValueError('--database: give one of --prompt and --like')
    if args.negative is not None:
        raise ValueError(
            '--negative says nothing with --database: guidance leads away '
            'from no neighbours at all'
        )


def draw(
    model: LatentDiffusion,
    samples: list[LDMDataSample],
    args: argparse.Namespace,
) -> None:
    """Write every image as it is drawn, then all of them."""
    out, images = Path(args.out), []
    with tqdm(total=len(samples), unit='image') as progress:
        for start in range(0, len(samples), args.batch_size):
            batch = samples[start : start + args.batch_size]
            for sample in model.predict(None, batch):
                image = sample.pred_img.permute(1, 2, 0).cpu().numpy()
                write_image(image, out / f'{len(images):06}.png')
                images.append(image)
                progress.update()
    rows = [images[i : i + args.num] for i in range(0, len(images), args.num)]
    write_image(assemble(rows), out / 'grid.png')
    print(f'{len(images)} images in {out}, all of them in {out}/grid.png')


if __name__ == '__main__':
    run_tool(main)
