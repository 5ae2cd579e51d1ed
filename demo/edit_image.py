"""Edit an image with a latent diffusion model that was not trained for it.

    python demo/edit_image.py vary MODEL IMAGE --strength 0.6
    python demo/edit_image.py inpaint MODEL IMAGE --mask MASK.png
    python demo/edit_image.py outpaint MODEL IMAGE --right 16
    python demo/edit_image.py invert MODEL IMAGE --label 3 --to-label 8
    python demo/edit_image.py upscale MODEL IMAGE --factor 4

MODEL is any source of mmldm.apis.init_model: a work directory, a published
file, a folder that a converter wrote, or a config with --checkpoint. Writes
what was given and the results side by side, and every result as an image of
its own. Each edit has its --help.
"""

import argparse
from pathlib import Path

from mmldm.apis import run_tool
from mmldm.apis.cli import add_model
from mmldm.utils import check_choice
from mmldm.utils.files import check_file, check_file_to_write

BOX = ('LEFT', 'TOP', 'RIGHT', 'BOTTOM')
NUMBER, COUNT, NAME = dict(type=float), dict(type=int), {}
# Edit -> help, and its own flags with their types and help.
EDITS = {
    'vary': (
        'images like this one: noise is added and removed again',
        [('strength', NUMBER, 'share generated anew, in (0, 1]; 0.6')],
    ),
    'inpaint': (
        'fill a part of the image; the rest stays bit for bit',
        [
            (
                'mask',
                NAME,
                'image of the same size, white where to fill, black where to '
                'keep; grey is white above 127, transparent is black',
            ),
            (
                'box',
                dict(type=int, nargs=4, metavar=BOX),
                'part to fill instead, pixels of the scaled image',
            ),
            ('passes', COUNT, 'how often to sample; 2'),
        ],
    ),
    'outpaint': (
        'continue the image beyond its borders; it stays bit for bit',
        [
            (side, COUNT, 'new pixels on this side; 0')
            for side in ('left', 'right', 'top', 'bottom')
        ],
    ),
    'upscale': (
        'larger images that look like this one when they are shrunk',
        [
            ('factor', COUNT, "how much larger; the model's, or 4"),
            ('weight', NUMBER, 'how closely to follow the image; 10'),
        ],
    ),
    'invert': (
        'the image from its own noise, then with other conditions',
        [
            ('to-label', dict(nargs='+'), 'classes to generate from it'),
            ('to-prompt', dict(nargs='+'), 'captions to generate from it'),
            ('iterations', COUNT, 'evaluations a step backwards; 1'),
        ],
    ),
}
COMMON = [
    ('size', COUNT, 'scale the image to this shorter side first'),
    ('label', NAME, 'class of the image, by number or name'),
    ('prompt', NAME, 'caption of the image'),
    ('negative', NAME, 'class or caption to lead away from'),
    ('num', COUNT, 'number of results; 4, and not for invert'),
    ('seed', COUNT, 'seed of the noise; 0'),
    ('steps', COUNT, "number of solver steps; the config's"),
    ('solver', NAME, "such as DDIM; the config's"),
    ('guidance-scale', NUMBER, "classifier-free guidance; the config's"),
    ('batch-size', COUNT, 'images at a time, which does not change them'),
]


def parse_args() -> argparse.Namespace:
    """The command line; flags that are not given are left out."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    edits = parser.add_subparsers(dest='edit', metavar='EDIT', required=True)
    for name, (text, flags) in EDITS.items():
        own = edits.add_parser(name, help=text, description=text)
        add_model(own, '--checkpoint')
        own.add_argument('image', help='PNG, JPEG or WebP of any size')
        own.add_argument(
            '--out', metavar='FILE', help='the picture (default: EDIT.png)'
        )
        for flag, kind, about in (*flags, *COMMON):
            own.add_argument(
                f'--{flag}', **kind, default=argparse.SUPPRESS, help=about
            )
    return parser.parse_args()


def main() -> None:
    """Edit."""
    given = vars(parse_args())
    edit, out = given.pop('edit'), given.pop('out')
    names = ('model', 'checkpoint', 'device', 'adapter')
    source = [given.pop(name) for name in names]
    out = Path(out or f'{edit}.png')
    check_file_to_write('--out', out)
    check_choice('--out: extension', out.suffix, ('.png', '.jpg', '.webp'))
    check_file('image', given['image'])
    from mmldm.apis import LatentDiffusionInferencer
    from mmldm.apis.inference.shown import given_panels, write_edit

    before = given_panels(edit, given)
    generate = LatentDiffusionInferencer(*source)
    if edit != 'invert':
        given.setdefault('num', 4)
    write_edit(before, getattr(generate, edit)(**given), out)
    print(f'Pictures in {out}; results {out.stem}_0.png ... beside it')


if __name__ == '__main__':
    run_tool(main)
