"""Draw with a latent diffusion model on a page in the browser.

    python demo/app.py MODEL
    python demo/app.py work_dirs/quickstart/ldm --port 7860
    python demo/app.py MODEL --adapter STYLE.safetensors

The page has a control for everything that the model takes: classes, a prompt,
boxes, a map, an image and a mask. It shows previews while it draws, and the
settings of each image. MODEL is any source of mmldm.apis.init_model.

Only this machine can open the page, unless --host says otherwise. Whoever can
open it can draw with it: put a server with passwords before it. It needs
gradio: pip install mmldm[app].
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from mmldm.apis import run_tool
from mmldm.apis.cli import add_model
from mmldm.utils import check_range

LOOPBACK = '127.0.0.1'


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model(parser)
    parser.add_argument(
        '--title', help='heading of the page (default: the name of MODEL)'
    )
    parser.add_argument(
        '--host',
        default=LOOPBACK,
        help=f'address to listen at (default: {LOOPBACK}, this machine only; '
        '0.0.0.0 lets others in)',
    )
    parser.add_argument(
        '--port', type=int, default=7860, help='port (default: 7860)'
    )
    for name, default, what in (
        ('images', 16, 'images of one request'),
        ('steps', 250, 'steps of sampling'),
        ('side', 1024, 'pixels of a side of an image'),
        ('waiting', 8, 'requests that wait for others'),
    ):
        parser.add_argument(
            f'--most-{name}',
            type=int,
            default=default,
            metavar='NUMBER',
            help=f'most {what} (default: {default})',
        )
    return parser.parse_args()


def main() -> None:
    """Serve the page until it is interrupted."""
    args = parse_args()
    check_range('--port', args.port, 1, 65535)
    if find_spec('gradio') is None:
        raise ValueError("gradio is missing: pip install 'mmldm[app]'")
    from mmldm.apis import LatentDiffusionInferencer
    from mmldm.apis.inference.page import Limits
    from mmldm.apis.inference.page.page import Page

    limits = Limits(
        images=args.most_images,
        steps=args.most_steps,
        side=args.most_side,
        waiting=args.most_waiting,
    )
    generate = LatentDiffusionInferencer(
        args.model, args.checkpoint, args.device, args.adapter
    )
    title = args.title or Path(args.model).stem
    page = Page(generate, limits, title)
    url = page.launch(args.host, args.port)
    print(f'The page is at {url}', flush=True)
    page.wait()


if __name__ == '__main__':
    run_tool(main)
