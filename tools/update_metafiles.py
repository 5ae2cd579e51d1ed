"""Write parameters, batch size and iterations of configs into the metafiles.

    python tools/update_metafiles.py            # what configs/ says
    python tools/update_metafiles.py --check    # only tell what differs
    python tools/update_metafiles.py --add configs/ldm/NAME.py

The metafiles (configs/*/metafile.yml) are for MIM and mmengine's hub.
Results, which are those of papers, are written by hand and kept, as are
comments; model-index.yml gets the list of metafiles.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from mmldm.apis import run_tool

ROOT = Path(__file__).resolve().parents[1]
INDEX = """\
# Read by mmengine.hub, mmengine's inferencers and MIM.
Import:
"""
ENTRY = """\
  - Name: {name}
    In Collection: {collection}
    Config: {config}
    Metadata:
"""


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--check',
        action='store_true',
        help='change nothing; the status is 1 if a file would change',
    )
    parser.add_argument(
        '--add',
        nargs='+',
        default=[],
        metavar='CONFIG',
        help='configs to add to the metafile beside them',
    )
    return parser.parse_args()


def facts(path: Path) -> dict[str, int]:
    """Number of parameters, images of a step and iterations of a config."""
    import torch

    from mmldm.apis.run_config import read_run_config
    from mmldm.models.editors import complete_model
    from mmldm.registry import MODELS

    cfg = read_run_config(str(path))
    model = complete_model(cfg.model.to_dict())
    part = 'denoiser' if 'denoiser' in model else 'autoencoder'
    with torch.device('meta'):
        network = MODELS.build(model[part])
    count = sum(p.numel() for p in network.parameters())
    name = 'Parameters' if part == 'autoencoder' else 'Denoiser Parameters'
    return {
        name: count,
        'Batch Size': cfg.train_dataloader.global_batch_size,
        'Iterations': cfg.train_cfg.max_iters,
    }


def with_facts(text: str, found: dict[str, dict[str, int]]) -> str:
    """A metafile's text with these facts in the models' metadata.

    Args:
        text: The text of a metafile.
        found: Facts by the path of a config in the repository.
    """
    for config, values in found.items():
        lines = ''.join(f'      {k}: {v}\n' for k, v in values.items())
        head = f'    Config: {config}\n    Metadata:\n'
        pattern = rf'{re.escape(head)}(?:      .*\n)*'
        text = re.sub(pattern, head + lines, text)
    return text


def configs_in(text: str) -> list[str]:
    """Paths of the configs that a metafile names."""
    return re.findall(r'^    Config: (\S+)$', text, flags=re.M)


def updated(metafile: Path, added: list[Path]) -> str:
    """The text that a metafile should have."""
    text = metafile.read_text()
    collection = re.search(r'- Name: (.+)', text)[1]
    for path in added:
        config = str(path.resolve().relative_to(ROOT))
        if path.resolve().parent == metafile.parent and (
            config not in configs_in(text)
        ):
            text += ENTRY.format(
                name=path.stem, collection=collection, config=config
            )
    missing = [c for c in configs_in(text) if not (ROOT / c).is_file()]
    if missing:
        raise ValueError(
            f'{metafile} names {missing[0]}, which is missing: remove the '
            'model, or write the config'
        )
    return with_facts(text, {c: facts(ROOT / c) for c in configs_in(text)})


def main() -> None:
    """Update the files, or tell which are not up to date."""
    args = parse_args()
    added = [Path(path) for path in args.add]
    for path in added:
        if not path.with_name('metafile.yml').is_file():
            raise ValueError(
                f'--add {path}: there is no metafile.yml beside it; write its '
                'collection first, as in configs/ldm/metafile.yml'
            )
    metafiles = sorted((ROOT / 'configs').glob('*/metafile.yml'))
    wanted = {path: updated(path, added) for path in metafiles}
    names = (f'  - {path.relative_to(ROOT)}\n' for path in metafiles)
    wanted[ROOT / 'model-index.yml'] = INDEX + ''.join(names)
    stale = [p for p, text in wanted.items() if p.read_text() != text]
    for path in stale:
        print(f'{path.relative_to(ROOT)} differs from the configs')
        if not args.check:
            path.write_text(wanted[path])
    if not stale:
        print(f'{len(wanted)} files are up to date')
    if stale and args.check:
        sys.exit(1)


if __name__ == '__main__':
    run_tool(main)
