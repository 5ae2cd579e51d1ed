"""Training steps from cached latents against those from images.

    python tools/benchmarks/cached_latents.py
    python tools/benchmarks/cached_latents.py --channels 224 --device cuda

Steps of a latent diffusion model with the first stage of LDM-4 (f = 4, 128
channels, 256x256 pixels) and a small denoiser of its architecture. Photographs
of 500x375 pixels are read, decoded, cropped and encoded, or their cached
latents are read. Both ways take turns in one process. Also printed: the
memory of weights that a training holds in each way. Weights are random.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from interleaved import (
    checked,
    clock_of,
    in_turn,
    parser_of,
    report,
    spread,
    table,
)

from mmldm.apis import run_tool

# Imported where it is used: --help does not wait for torch.
if TYPE_CHECKING:
    from torch import nn

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = [
    dict(type='LoadImage'),
    dict(type='ResizeShorterSide'),
    dict(type='Crop', random=False),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackInputs'),
]


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__)
    flags = {
        'channels': (64, 'channels of the denoiser; 224 in the paper'),
        'batch-size': (2, 'images of a step'),
        'size': (256, 'side of the images, pixels'),
    }
    for name, (default, what) in flags.items():
        text = f'{what} (default: {default})'
        parser.add_argument(f'--{name}', type=int, default=default, help=text)
    return checked(parser)


def build(folder: Path, channels: int) -> nn.Module:
    """The model with a first stage of its own file."""
    from mmengine.config import Config

    import mmldm.models  # noqa: F401 registers the networks
    from mmldm.registry import MODELS
    from mmldm.utils.checkpoint import write_checkpoint

    models = ROOT / 'configs/_base_/models'
    stage = Config.fromfile(models / 'autoencoder_kl-f4.py').model.autoencoder
    file = folder / 'first_stage.pth'
    write_checkpoint(MODELS.build(stage).state_dict(), file)
    cfg = Config.fromfile(models / 'ldm_kl-f4.py').model
    cfg.update(autoencoder=stage, autoencoder_checkpoint=str(file))
    cfg.denoiser.channels = channels
    return MODELS.build(cfg)


def data_sets(
    model: nn.Module, folder: Path, args: argparse.Namespace
) -> dict[str, Any]:
    """The same data from images and from their cache."""
    from mmengine.config import Config
    from photographs import write_photographs

    from mmldm.apis.latent_caching import cache_latents
    from mmldm.datasets import CachedLatents
    from mmldm.registry import DATASETS

    write_photographs(folder / 'images', 2 * args.batch_size)
    data = dict(
        type='ImageFolder',
        data_root=str(folder / 'images'),
        size=args.size,
        pipeline=PIPELINE,
    )
    images = DATASETS.build(data)
    images.full_init()
    runner = SimpleNamespace(
        cfg=Config(dict(train_dataloader=dict(dataset=data))),
        train_dataloader=SimpleNamespace(dataset=images),
        bare_model=model,
    )
    cache_latents(runner, folder / 'cache', args.batch_size)
    return dict(images=images, cached=CachedLatents(str(folder / 'cache')))


def step(model: nn.Module, dataset: Any, size: int) -> Callable[[], None]:
    """A training step of the first images of a data set."""
    import torch
    from mmengine.dataset import pseudo_collate

    weights = [w for w in model.parameters() if w.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-4)

    def run() -> None:
        batch = pseudo_collate([dataset[i] for i in range(size)])
        batch = model.data_preprocessor(batch)
        losses = model.loss(batch['inputs'], batch['data_samples'])
        losses['loss_denoise'].backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses['loss_denoise'].item()  # the device is done

    return run


def weight_sizes(model: nn.Module) -> float:
    """Memory of the weights, MB."""
    return round(sum(w.nbytes for w in model.parameters()) / 2**20, 1)


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    from mmldm.utils.released_part import release_part

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = build(folder, args.channels).to(args.device).eval()
        sets = data_sets(model, folder, args)
        model.train()
        runs = {n: step(model, d, args.batch_size) for n, d in sets.items()}
        seconds = in_turn(runs, args.repeats, clock_of(args), warmups=1)
        sizes = dict(images=weight_sizes(model))
        release_part(model)
        sizes['cached'] = weight_sizes(model)
    print(table(seconds, 'training step'))
    report(
        args,
        parameters=sum(w.numel() for w in model.denoiser.parameters()),
        images_over_cached=spread(seconds, 'images', 'cached'),
        weights_mb=sizes,
        seconds=seconds,
    )


if __name__ == '__main__':
    run_tool(main)
