"""Draw the pictures of docs/en/concepts.md with the model of the quickstart.

Usage: python docs/pictures/concepts.py work_dirs/quickstart/ldm OUT_DIR

It takes about a minute on a CPU.
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use('agg')

import numpy as np  # noqa: E402
import torch  # noqa: E402
from matplotlib import pyplot as plt  # noqa: E402
from strips import draw_strips, to_pixels  # noqa: E402

from mmldm.apis import LatentDiffusionInferencer  # noqa: E402
from mmldm.structures import LDMDataSample  # noqa: E402
from mmldm.toy_data import DigitsDataset  # noqa: E402

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
    model, x, labels = generate.model, *real_digits()
    with torch.inference_mode():
        draw_first_stage(model, x, args.out / 'first_stage.png')
        draw_latent_scale(generate, x, args.out / 'latent_scale.png')
        draw_noise(model, x, labels, args.out / 'noise.png')
    draw_guidance(generate, args.out / 'guidance.png')


def real_digits() -> tuple[torch.Tensor, list[int]]:
    """One held-out digit of every class, (10, 3, 32, 32) in [-1, 1]."""
    data = DigitsDataset('test', 32, [dict(type='PackInputs')])
    found = {}
    for item in data:
        found.setdefault(
            int(item['data_samples'].gt_label.label), item['inputs']
        )
    labels = sorted(found)
    x = torch.stack([found[label] for label in labels])
    return x / 127.5 - 1, labels


def draw_first_stage(model, x: torch.Tensor, path: Path) -> None:
    """Images, the channels of their latents, and the decoded latents."""
    z = model.autoencoder.encode(x)
    grey = ((z / 2.5).clamp(-1, 1) + 1) / 2
    channels = [grey[:, i].numpy() for i in range(z.shape[1])]
    names = [f'latent, channel {i}' for i in range(len(channels))]
    size = '{}x{}'.format(*z.shape[2:])
    draw_strips(
        {
            'image, 32x32': to_pixels(x),
            **{
                f'{n}, {size}': c for n, c in zip(names, channels, strict=True)
            },
            'decoded, 32x32': to_pixels(model.autoencoder.decode(z)),
        },
        path,
    )


def draw_latent_scale(generate, x: torch.Tensor, path: Path) -> None:
    """Samples decoded with the right scale and with wrong ones."""
    samples = [LDMDataSample(metainfo=dict(address=(0, i))) for i in range(10)]
    for i, sample in enumerate(samples):
        sample.set_gt_label(i)
        sample.set_metainfo(dict(img_shape=(32, 32)))
    model = generate.model
    z = model.sample(samples)
    rows = {}
    for wrong in (0.25, 0.5, 1.0, 2.0, 4.0):
        decoded = model.autoencoder.decode(z * wrong)
        rows[f'latents x {wrong:g}'] = to_pixels(decoded)
    draw_strips(rows, path)


def draw_noise(model, x, labels: list[int], path: Path) -> None:
    """A digit at several times, and what the model makes of it at once."""
    scheduler, digit = model.diffusion_scheduler, 3
    sample = LDMDataSample(metainfo=dict(address=(0, 0), img_shape=(32, 32)))
    sample.set_gt_label(labels[digit])
    z_0 = model.autoencoder.encode(x[digit : digit + 1])
    noise = torch.randn(z_0.shape, generator=torch.Generator().manual_seed(0))
    denoise = model.denoise_for([sample])
    noisy, estimates = {}, []
    for t in TIMES:
        level = scheduler.noise_schedule(t)
        alpha, sigma = float(level.alpha), float(level.sigma)
        z_t = alpha * z_0 + sigma * noise
        key = f't = {t}\n{alpha:.2f} z + {sigma:.2f} noise'
        noisy[key] = to_pixels(model.autoencoder.decode(z_t))[0]
        estimate = denoise(z_t, level)
        estimates.append(to_pixels(model.autoencoder.decode(estimate))[0])
    draw_strips(
        {
            'noisy latent, decoded': [*noisy.values()],
            'estimate of the clean one': estimates,
        },
        path,
        columns=[*noisy],
        zoom=3,
    )


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
    plt.close('all')
