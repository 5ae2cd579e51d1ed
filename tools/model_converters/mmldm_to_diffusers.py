"""Write a model as a folder that plain diffusers reads.

    python tools/model_converters/mmldm_to_diffusers.py \\
        CONFIG CHECKPOINT OUT_DIR
    python tools/model_converters/mmldm_to_diffusers.py MODEL OUT_DIR

CONFIG and CHECKPOINT are of a training; MODEL is a folder that a converter
wrote, a published file, or whatever else mmldm.apis.init_model takes alone.
A latent diffusion model becomes an LDMPipeline, LDMTextToImagePipeline,
LDMSuperResolutionPipeline or StableDiffusionPipeline,

    diffusers.DiffusionPipeline.from_pretrained(OUT_DIR)

or, under conditions that diffusers has no pipeline for, the folders of its
parts; a first stage becomes an AutoencoderKL or VQModel. What diffusers does
otherwise is said; what it has not at all is refused, and nothing is written.
"""

import argparse

from mmldm.apis import run_tool
from mmldm.utils import check_count
from mmldm.utils.files import check_folder_to_write


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help='config file, or file or folder')
    parser.add_argument(
        'checkpoint', nargs='?', help='its weights, where it is a config file'
    )
    parser.add_argument('out_dir', help='where the folder is written')
    parser.add_argument(
        '--image-size',
        type=int,
        help='side in pixels of the images that the pipeline draws unless it '
        'is told (default: that of the model, or of its training data)',
    )
    return parser.parse_args()


def main() -> None:
    """Convert."""
    args = parse_args()
    # Not above: --help does not wait for torch.
    from mmldm.apis import init_model
    from mmldm.converters import whole_model, write_diffusers

    check_folder_to_write('OUT_DIR', args.out_dir)
    if args.image_size is not None:
        check_count('--image-size', args.image_size)
    model = init_model(args.model, args.checkpoint, device='cpu')
    weights, config = whole_model(model)
    if args.image_size is not None:
        config['image_size'] = args.image_size
    written, *notes = write_diffusers(weights, config, args.out_dir)
    for note in notes:
        print(f'Note: {note}')
    print(f'{written}, in {args.out_dir}')


if __name__ == '__main__':
    run_tool(main)
