"""Convert a folder that diffusers saved.

    python tools/model_converters/diffusers_to_mmldm.py DIR OUT_DIR

DIR is a folder of an LDMPipeline, LDMTextToImagePipeline,
LDMSuperResolutionPipeline or StableDiffusionPipeline (1 and 2), or of a single
AutoencoderKL or VQModel. safetensors, .bin, variants such as fp16, and shards
are read. diffusers itself is not needed. OUT_DIR gets model.safetensors, from
which mmldm.apis.init_model builds the model; model.json, a readable copy of
its config; config.py, to train, test and change the model; and the tokenizer,
if there is one.

Nothing in DIR is executed. Features that mmldm lacks are refused by name.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.utils.files import check_folder_to_write

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from mmldm.converters import FromDiffusers

TOKENIZER = 'tokenizer'


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('dir', help='folder that diffusers saved')
    parser.add_argument(
        'out_dir', help='folder for model.safetensors and config.py'
    )
    return parser.parse_args()


def report(out_dir: str, found: FromDiffusers) -> None:
    """Print what was written, and the differences from diffusers."""
    for note in found.notes:
        print(f'Note: {note}')
    count = sum(weight.numel() for weight in found.weights.values())
    print(
        f'{found.config["type"]} with {len(found.weights)} tensors, '
        f'{count / 1e6:.3f} M numbers, in {out_dir}'
    )


def main() -> None:
    """Convert the folder."""
    args = parse_args()
    from mmldm.apis import write_converted
    from mmldm.apis.tokenizer_folders import check_files, copy_tokenizer
    from mmldm.converters import read_diffusers

    folder, out_dir = Path(args.dir), Path(args.out_dir)
    check_folder_to_write('OUT_DIR', args.out_dir)
    tokenizer = folder / TOKENIZER
    if tokenizer.is_dir():
        check_files(tokenizer, folder)
    found = read_diffusers(folder, TOKENIZER)
    source = folder.resolve().name
    training = write_converted(out_dir, found.config, found.weights, source)
    if tokenizer.is_dir():
        left_out = copy_tokenizer(tokenizer, out_dir / TOKENIZER)
        if left_out:
            print(f'Left out of {TOKENIZER}: {", ".join(left_out)}')
    report(args.out_dir, found)
    print(training)


if __name__ == '__main__':
    run_tool(main)
