"""Print a config as a tool reads it, with its bases and the options merged.

    python tools/analysis_tools/print_config.py CONFIG
    python tools/analysis_tools/print_config.py CONFIG \\
        --cfg-options train_dataloader.batch_size=8
    python tools/analysis_tools/print_config.py CONFIG --key model.denoiser
"""

from __future__ import annotations

import argparse

from mmldm.apis import config_parser, load_config, run_tool


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = config_parser(__doc__)
    parser.add_argument(
        '--key', help='print this part only, such as model.diffusion_scheduler'
    )
    return parser.parse_args()


def main() -> None:
    """Print the config."""
    args = parse_args()
    cfg = load_config(args)
    from mmengine.config import Config

    from mmldm.utils.checks import suggest

    part = cfg.to_dict()
    for key in args.key.split('.') if args.key else ():
        if not isinstance(part, dict) or key not in part:
            known = [*part] if isinstance(part, dict) else []
            raise ValueError(
                f'--key {args.key}: the config has no {key} there'
                f'{suggest(key, known)}'
            )
        part = part[key]
    is_dict = isinstance(part, dict)
    print(Config(part).pretty_text if is_dict else repr(part))


if __name__ == '__main__':
    run_tool(main)
