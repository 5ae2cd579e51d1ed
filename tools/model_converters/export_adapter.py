"""Write an adapter as a file of its own, for mmldm or for diffusers.

    python tools/model_converters/export_adapter.py WORK_DIR OUT
    python tools/model_converters/export_adapter.py WORK_DIR OUT --diffusers

WORK_DIR, or a checkpoint in it, is a training with model.adapter. The result,
OUT.safetensors, has the adapter's weights alone: tools/sample.py --adapter
reads it, and with --diffusers also

    pipeline.load_lora_weights('OUT.safetensors')

where the pipeline is the adapted model as diffusers has it. Give a model and
--adapter to convert files of adapters, or to add up several.
"""

import argparse
from pathlib import Path

from mmldm.apis import run_tool

SUFFIX = '.safetensors'
HELP = (
    'file of an adapter, or work directory of its training; FILE:0.5 takes '
    'half of it; several add up'
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'model',
        help='work directory or checkpoint of a training with model.adapter; '
        'with --adapter any model',
    )
    parser.add_argument('out', help='name of the result, or path and name')
    parser.add_argument('--adapter', nargs='+', default=[], help=HELP)
    parser.add_argument(
        '--diffusers',
        action='store_true',
        help="use diffusers' names for the layers",
    )
    return parser.parse_args()


def main() -> None:
    """Write the adapter."""
    args = parse_args()
    # Not above: --help does not wait for torch.
    from mmldm.apis import init_model, load_adapters, save_adapter

    model = init_model(args.model, device='cpu')
    load_adapters(model, args.adapter)
    path = Path(args.out.removesuffix(SUFFIX) + SUFFIX)
    save_adapter(model, path, args.diffusers)
    print(f'{path} was written, {path.stat().st_size / 2**20:.2f} MB')


if __name__ == '__main__':
    run_tool(main)
