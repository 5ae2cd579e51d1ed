"""Time a training step of a VQ-f4 first stage against the original's.

    python tools/benchmarks/first_stage_step.py
    python tools/benchmarks/first_stage_step.py --batch-size 8 --size 256 \\
        --device cuda --amp

The discriminator is on. Ours is one pass through the autoencoder. The
original's arithmetic, from the same parts: each of the two optimizers has a
pass of its own through autoencoder and perceptual loss, and the
discriminator gets gradients in the autoencoder's step, which are thrown away.
Its Adam is torch's default. Weights are random; those of LPIPS too. --amp is
bfloat16.
"""

from __future__ import annotations

import argparse
import statistics
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from interleaved import (
    checked,
    clock_of,
    in_turn,
    parser_of,
    ratio,
    report,
    share_of_peak,
    table,
)

from mmldm.apis import run_tool

if TYPE_CHECKING:
    from mmengine.optim import OptimWrapperDict

    from mmldm.models.editors import FirstStage


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__)
    parser.add_argument('--batch-size', type=int, default=4, help='images')
    parser.add_argument('--size', type=int, default=64, help='side of images')
    parser.add_argument(
        '--channels', type=int, default=128, help='of the first level'
    )
    parser.add_argument('--amp', action='store_true', help='bfloat16')
    return checked(parser)


def first_stage(args: argparse.Namespace) -> FirstStage:
    """The VQ-f4 model of the paper with its discriminator."""
    import mmldm.engine  # noqa: F401
    from mmldm.registry import MODELS

    layers = 3 if args.size >= 64 else 2
    model = dict(
        type='FirstStage',
        autoencoder=dict(
            type='AutoencoderVQ',
            latent_channels=3,
            channels=args.channels,
            quantizer=dict(num_codes=8192),
        ),
        regularization_weight=1.0,
        perceptual=dict(type='LPIPS', **random_lpips(args.folder)),
        adversarial=dict(
            type='AdversarialLoss',
            discriminator=dict(type='PatchDiscriminator', num_layers=layers),
            weight=0.75,
        ),
    )
    return MODELS.build(model).to(args.device).train()


def random_lpips(folder: str) -> dict[str, str]:
    """Arguments of LPIPS: files with random weights of the right shapes."""
    import torch
    from torchvision.models import vgg16

    paths = dict(
        vgg_weights=f'{folder}/vgg.pth',
        linear_weights=f'{folder}/linear.pth',
    )
    features = vgg16().features.state_dict()
    torch.save(
        {f'features.{name}': w for name, w in features.items()},
        paths['vgg_weights'],
    )
    widths = (64, 128, 256, 512, 512)
    torch.save(
        {
            f'lin{i}.model.1.weight': torch.rand(1, width, 1, 1)
            for i, width in enumerate(widths)
        },
        paths['linear_weights'],
    )
    return paths


def optimizers(
    model: FirstStage, amp: bool, fuse: bool = True
) -> OptimWrapperDict:
    """One Adam for each part; our Runner fuses them, the original does not."""
    import torch
    from mmengine.optim import OptimWrapper, OptimWrapperDict

    from mmldm.engine import AutocastOptimWrapper
    from mmldm.engine.fused_optimizers import fused

    kind = AutocastOptimWrapper if amp else OptimWrapper
    parts = ('autoencoder', 'adversarial')
    adam = {
        part: torch.optim.Adam(
            getattr(model, part).parameters(), lr=1e-5, betas=(0.5, 0.9)
        )
        for part in parts
    }
    wrappers = {part: kind(optimizer=own) for part, own in adam.items()}
    wrapper = OptimWrapperDict(**wrappers)
    return fused(wrapper) if fuse else wrapper


def batch_of(args: argparse.Namespace) -> dict[str, Any]:
    """Random images with addresses."""
    import torch

    from mmldm.structures import LDMDataSample

    images = torch.randint(
        256, (args.batch_size, 3, args.size, args.size), dtype=torch.uint8
    )
    samples = [
        LDMDataSample(metainfo=dict(address=(0, i)))
        for i in range(args.batch_size)
    ]
    return dict(inputs=list(images), data_samples=samples, iteration=0)


def original_step(
    model: FirstStage, wrappers: OptimWrapperDict, data: dict[str, Any]
) -> None:
    """A step as Lightning makes it for the original's loss."""
    import torch

    data = model.data_preprocessor(data, True)
    judge = model.adversarial
    for part in ('autoencoder', 'adversarial'):
        wrapper = wrappers[part]
        model.requires_grad_(False)
        getattr(model, part).requires_grad_(True)
        model.perceptual.requires_grad_(False)
        with wrapper.optim_context(model):
            x, losses = decoded(model, **data)
            if part == 'autoencoder':
                adversarial = -judge.discriminator(x).float().mean()
                weight = judge.adaptive_weight(
                    losses[0], adversarial, model.autoencoder.last_weight
                )
                loss = sum(losses) + 0.75 * weight * adversarial
            else:
                terms = judge.discriminator_losses(x, data['inputs'])
                loss = terms['loss_discriminator']
        wrapper.update_params(loss)
    model.requires_grad_(True)
    torch.stack([loss.detach()]).isfinite()


def decoded(model: FirstStage, inputs: Any, data_samples: list, **_: Any):
    """Reconstructions, and the losses of the autoencoder but for one."""
    from mmldm.utils import SampleRandom

    noise = SampleRandom.of(data_samples).normal('posterior')
    coding = model.autoencoder.encode_for_training(inputs, noise)
    x = model.autoencoder.decode_for_training(coding.z)
    error = model.pixel_loss(x, inputs) + model.perceptual(x, inputs).mean()
    return x, [error, *coding.losses.values()]


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    from torch.utils.flop_counter import FlopCounterMode

    from mmldm.utils.memory import keep_freed_memory

    if args.device == 'cpu':
        keep_freed_memory()
    with TemporaryDirectory() as args.folder:
        ours, original = first_stage(args), first_stage(args)
    steps = (
        optimizers(ours, args.amp),
        optimizers(original, args.amp, fuse=False),
    )
    data = batch_of(args)
    runs = {
        'ours': lambda: ours.train_step(data, steps[0]),
        'original': lambda: original_step(original, steps[1], data),
    }
    with FlopCounterMode(display=False) as counter:
        runs['ours']()
    seconds = in_turn(runs, args.repeats, clock_of(args))
    print(table(seconds, 'step'))
    middle = statistics.median(seconds['ours'])
    report(
        args,
        original_over_ours=ratio(seconds, 'original', 'ours'),
        images_per_s=args.batch_size / middle,
        **share_of_peak(counter.get_total_flops(), middle, args.device),
        seconds=seconds,
    )


if __name__ == '__main__':
    run_tool(main)
