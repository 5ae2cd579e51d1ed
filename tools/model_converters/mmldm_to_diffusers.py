"""Write a model as a folder of diffusers.

    python tools/model_converters/mmldm_to_diffusers.py \\
        CONFIG CHECKPOINT OUT_DIR
    python tools/model_converters/mmldm_to_diffusers.py MODEL OUT_DIR

CONFIG and CHECKPOINT come from a training; MODEL is a folder that a converter
wrote, a published file, or any other single source of mmldm.apis.init_model.
A latent diffusion model becomes an LDMPipeline, LDMTextToImagePipeline,
LDMSuperResolutionPipeline or StableDiffusionPipeline,

    diffusers.DiffusionPipeline.from_pretrained(OUT_DIR)

or, for conditions without a pipeline in diffusers, the folders of its parts. A
first stage becomes an AutoencoderKL or VQModel. Differences in diffusers'
behaviour are printed. If diffusers lacks a feature, the tool refuses the model
and writes nothing.
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
    parser.add_argument('model', help='config file, model file or folder')
    parser.add_argument(
        'checkpoint', nargs='?', help='the weights, with a config file'
    )
    parser.add_argument('out_dir', help='folder to write')
    parser.add_argument(
        '--image-size',
        type=int,
        help='default side, in pixels, of the images that the pipeline '
        'generates (default: that of the model, or of its training data)',
    )
    parser.add_argument(
        '--adapter',
        nargs='+',
        default=[],
        help='adapters to merge into the weights; FILE:0.5 takes half of one. '
        'export_adapter.py writes an adapter apart',
    )
    return parser.parse_args()


def main() -> None:
    """Convert the model."""
    args = parse_args()
    # Not above: --help does not wait for torch.
    from mmldm.apis import init_model, load_adapters
    from mmldm.converters import whole_model, write_diffusers

    check_folder_to_write('OUT_DIR', args.out_dir)
    if args.image_size is not None:
        check_count('--image-size', args.image_size)
    model = init_model(args.model, args.checkpoint, device='cpu')
    load_adapters(model, args.adapter)
    weights, config = whole_model(model)
    if args.image_size is not None:
        config['image_size'] = args.image_size
    written, *notes = write_diffusers(weights, config, args.out_dir)
    for note in notes:
        print(f'Note: {note}')
    print(f'{written}, in {args.out_dir}')


if __name__ == '__main__':
    run_tool(main)
