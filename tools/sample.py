"""Generate images with a trained latent diffusion model.

    python tools/sample.py MODEL --num 16
    python tools/sample.py MODEL --label 207 360 --num 4 --scale 3
    python tools/sample.py MODEL --prompt "a red circle" --num 4
    python tools/sample.py MODEL --image IMAGE.png --mask MASK.png
    python tools/sample.py MODEL --image IMAGE.png --strength 0.6 --label 3
    python tools/sample.py MODEL --low-res SMALL.png
    python tools/sample.py MODEL --map LABELS.png
    python tools/sample.py MODEL --like IMAGE.png
    python tools/sample.py MODEL --database INDEX.safetensors --prompt "a cat"
    python tools/sample.py MODEL --field sketch=SKETCH.png
    python tools/sample.py MODEL --adapter STYLE.safetensors:0.8
    python tools/sample.py MODEL --from ROWS.jsonl --batch-size 16
    python tools/sample.py MODEL --label 3 --interpolate 0 1 --frames 24
    python tools/sample.py MODEL --like-settings IMAGE.png
    python tools/launch.py 2 tools/sample.py MODEL ... --launcher pytorch

MODEL is any source of mmldm.apis.init_model: a folder that a converter wrote,
a published file, a config followed by a checkpoint, a work directory, or a
folder of diffusers. A model with several conditions takes all their flags:
every class is combined with every caption, and --negative is then a caption.
--field sets a field of your own task, see docs/en/new_task.md. Images are
written one by one to OUT/images, with the settings that reproduce them, and
together to OUT/grid.png. The same command again generates only what is
missing. docs/en/inference.md describes the files.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmldm.apis import run_tool
from mmldm.apis.cli import add_flags, add_launcher, add_model
from mmldm.apis.cli.sample_flags import SAMPLE_FLAGS
from mmldm.apis.processes import join_processes

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from mmldm.apis.cli.sample_rows import Asked
    from mmldm.apis.inference.plan import Plan


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    add_flags(parser, SAMPLE_FLAGS)
    add_launcher(parser)
    return parser.parse_args()


def plan_of(asked: Asked, args: argparse.Namespace) -> Plan:
    """The images, of a model that is read now.

    Raises:
        FileNotFoundError, ValueError: Naming the flag, or the line of a file.
    """
    from mmldm.apis import LatentDiffusionInferencer
    from mmldm.apis.cli.sample_rows import in_flags, retrieved
    from mmldm.apis.inference.plan import Plan

    draw = LatentDiffusionInferencer(
        args.model, args.checkpoint, args.device, args.adapter
    )
    try:
        rows = asked.rows
        if args.database is not None:
            search = args.database, args.num_neighbours, args.encoder
            rows, found = retrieved(rows, draw, search, args.prompt, args.like)
            print('\n'.join(found))
        return Plan(draw, rows, asked.ways, asked.num, args.name_by)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(in_flags(str(error))) from error


def main() -> None:
    """Generate the images."""
    args = parse_args()
    from mmengine.dist import all_gather_object

    from mmldm.apis.cli.sample_checks import check_sample_flags
    from mmldm.apis.cli.sample_rows import asked_by
    from mmldm.apis.inference.drawing import write_images
    from mmldm.apis.inference.sample_writer import SampleWriter

    check_sample_flags(vars(args))
    asked = asked_by(vars(args))
    share = join_processes(args.launcher, args.local_rank)
    plan = plan_of(asked, args)
    source = ' + '.join([args.model, *args.adapter])
    writer = SampleWriter(args.out, plan, source)
    if asked.settings is None:
        size = args.batch_size or plan.fitting_batch_size()
        batches = plan.batches(size, args.exact)
    else:
        batches = [plan.again(asked.settings)]
    old = write_images(plan, writer, batches, share, args.show_steps)
    old = sum(all_gather_object(old))  # and all images are written
    if share.rank == 0:
        print('\n'.join(writer.finish(old, asked.settings)))


if __name__ == '__main__':
    run_tool(main)
