"""Draw the pictures of docs/en/concepts.md with the model of the quickstart.

Usage: python docs/pictures/concepts.py work_dirs/quickstart/ldm OUT_DIR

It takes about a minute on a CPU.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from strips import draw_strips, to_pixels

from mmldm.apis import LatentDiffusionInferencer
from mmldm.structures import LDMDataSample
from mmldm.toy_data import DigitsDataset

TIMES = (0, 200, 400, 600, 800, 999)
SCALES = (1.0, 1.5, 2.0, 4.0, 8.0)


def main() -> None:
    """Draw the four pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', help='work directory of the digits model')
    parser.add_argument('out', type=Path, help='folder of the pictures')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    generate = LatentDiffusionInferencer(args.model)
    model, x = generate.model, real_digits()
    with torch.inference_mode():
        draw_first_stage(model, x, args.out / 'first_stage.png')
        draw_latent_scale(model, x, args.out / 'latent_scale.png')
        draw_noise(model, x, 3, args.out / 'noise.png')
    draw_guidance(generate, args.out / 'guidance.png')


def real_digits() -> torch.Tensor:
    """One held-out digit of every class, (10, 3, 32, 32) in [-1, 1]."""
    data = DigitsDataset('test', 32, [dict(type='PackInputs')])
    found = {}
    for item in data:
        found.setdefault(
            int(item['data_samples'].gt_label.label), item['inputs']
        )
    return torch.stack([found[label] for label in range(10)]) / 127.5 - 1


def draw_first_stage(model, x: torch.Tensor, path: Path) -> None:
    """Images, the channels of their latents, and the decoded latents."""
    z = model.autoencoder.encode(x)
    rows = {'image, 32x32': to_pixels(x)}
    for i, channel in enumerate(as_grey(z).swapaxes(0, 1)):
        rows[f'latent, channel {i}, 8x8'] = channel
    rows['decoded, 32x32'] = to_pixels(model.autoencoder.decode(z))
    draw_strips(rows, path)


def draw_latent_scale(model, x: torch.Tensor, path: Path) -> None:
    """A noisy digit at the same times, with latents of three sizes."""
    digit = x[3:4]
    z_0, noise = model.autoencoder.encode(digit), fixed_noise(model, digit)
    rows = {}
    for scale in (0.25, 1.0, 4.0):
        noisy = noisy_latents(model, scale * z_0, noise)
        deviation = scale * float(z_0.std())
        rows[f'latents of deviation {deviation:.2f}'] = [
            decode(model, z_t / scale) for z_t in noisy.values()
        ]
    draw_strips(rows, path, columns=[*noisy], side=96)


def draw_noise(model, x, label: int, path: Path) -> None:
    """A digit at several times, and what the model makes of it at once."""
    sample = LDMDataSample(metainfo=dict(address=(0, 0), img_shape=(32, 32)))
    sample.set_gt_label(label)
    digit = x[label : label + 1]
    z_0, noise = model.autoencoder.encode(digit), fixed_noise(model, digit)
    noisy = noisy_latents(model, z_0, noise)
    denoise = model.denoise_for([sample])
    levels = [model.diffusion_scheduler.noise_schedule(t) for t in TIMES]
    estimates = [
        denoise(z_t, level)
        for z_t, level in zip(noisy.values(), levels, strict=True)
    ]
    draw_strips(
        {
            'noisy latent, channel 3': [
                as_grey(z)[0, 3] for z in noisy.values()
            ],
            'the same, decoded': [decode(model, z) for z in noisy.values()],
            'estimate, decoded': [decode(model, z) for z in estimates],
        },
        path,
        columns=[*noisy],
        side=96,
    )


def noisy_latents(model, z_0, noise) -> dict[str, torch.Tensor]:
    """Latents at each of ``TIMES``, by what they consist of."""
    found = {}
    for t in TIMES:
        level = model.diffusion_scheduler.noise_schedule(t)
        alpha, sigma = float(level.alpha), float(level.sigma)
        name = f't = {t}\n{alpha:.2f} z\n+ {sigma:.2f} noise'
        found[name] = alpha * z_0 + sigma * noise
    return found


def fixed_noise(model, x: torch.Tensor) -> torch.Tensor:
    """The same noise for every picture."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(model.autoencoder.encode(x).shape, generator=generator)


def as_grey(z: torch.Tensor) -> np.ndarray:
    """Latents as grey values in [0, 1]."""
    return ((z / 2.5).clamp(-1, 1) / 2 + 0.5).numpy()


def decode(model, z: torch.Tensor) -> np.ndarray:
    """The image of a latent, uint8 (H, W, 3)."""
    return to_pixels(model.autoencoder.decode(z))[0]


def draw_guidance(generate, path: Path) -> None:
    """The same noise at several guidance scales."""
    rows = {}
    for scale in SCALES:
        images = generate(
            label=[*range(10)], num=1, seed=4, guidance_scale=scale
        )
        rows[f'scale {scale:g}'] = [np.asarray(image) for image in images]
    draw_strips(rows, path)


if __name__ == '__main__':
    main()
