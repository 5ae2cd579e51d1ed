"""A test's metrics of real images: bounds for generated ones."""

import copy
from collections.abc import Callable, Sequence

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from torch import Tensor

from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import HOOKS
from mmldm.structures import LDMDataSample
from mmldm.utils import SampleRandom
from mmldm.utils.same_rounding import same_rounding
from mmldm.utils.size_parts import in_order, one_size_parts


@HOOKS.register_module()
class ReferenceMetricsHook(Hook):
    """Evaluates the test's real images and the first stage's copies of them.

    The metrics of ``test_evaluator``, with ``real/`` and ``reconstruction/``
    before their names, are added to those of the generated images. The
    numbers of ``reconstruction/`` are the best that a latent diffusion model
    can reach before :meth:`Embedder.restore`, which reconstructions do not
    pass.

    Args:
        noise: Also evaluate, as ``noise/``, the decoded latents of N(0, I),
            where a diffusion model starts: numbers that it must surpass.

    Raises:
        ValueError: If the test data have no images.
    """

    def __init__(self, noise: bool = False) -> None:
        self.noise = noise
        self.evaluators: dict[str, Evaluator] = {}

    def before_test_epoch(self, runner) -> None:
        """Make a fresh evaluator for each kind of image."""
        metrics = runner.test_evaluator.metrics
        self.evaluators = {
            kind: Evaluator(copy.deepcopy(metrics))
            for kind in (
                'real',
                'reconstruction',
                *(['noise'] if self.noise else []),
            )
        }

    def after_test_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Evaluate the images of a batch."""
        if 'inputs' not in data_batch:
            raise ValueError(
                'ReferenceMetricsHook needs images, but test_dataloader has '
                'none: use a data set with images, or remove the hook from '
                'custom_hooks'
            )
        parts = one_size_parts({**data_batch, 'data_samples': outputs})
        for kind, evaluator in self.evaluators.items():
            shown = [
                (places, _shown(kind, runner.bare_model, part))
                for places, part in parts
            ]
            evaluator.process(
                data_samples=in_order(shown), data_batch=data_batch
            )

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Add the numbers to the test's metrics."""
        size = len(runner.test_dataloader.dataset)
        for kind, evaluator in self.evaluators.items():
            for name, value in evaluator.evaluate(size).items():
                metrics[f'{kind}/{name}'] = value


def _shown(kind: str, model, batch: dict) -> list[LDMDataSample]:
    """The samples of a batch of one size, with images of a kind."""
    inputs = model.data_preprocessor(batch)['inputs']
    samples = batch['data_samples']
    kinds = dict(
        real=lambda: inputs,
        reconstruction=lambda: _copies(model, inputs),
        noise=lambda: _decoded_noise(model, inputs, samples),
    )
    return _showing(samples, kinds[kind]())


@torch.no_grad()
def _copies(model, images: Tensor) -> Tensor:
    """Images (B, 3, H, W), encoded to the mode and decoded."""

    def copy(part: Tensor) -> Tensor:
        z = model.autoencoder.encode(part)
        return model.autoencoder.decode(z, images.shape[2:])

    return _one_by_one(copy, images)


@torch.no_grad()
def _decoded_noise(model, images: Tensor, samples: Sequence) -> Tensor:
    """Decoded noise with the shape of ``images``, (B, 3, H, W)."""
    draw = SampleRandom.of(samples).normal('start')
    noise = draw(model.autoencoder.encode(images))

    def decode(part: Tensor) -> Tensor:
        return model.autoencoder.decode(part, images.shape[2:])

    return _one_by_one(decode, noise)


def _one_by_one(process: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
    """``process(batch)``; on a CPU, the same for any batch size."""
    if batch.device.type != 'cpu':
        return process(batch)
    with same_rounding(batch.device):
        return torch.cat([process(part) for part in batch.split(1)])


def _showing(samples: Sequence, images: Tensor) -> list[LDMDataSample]:
    """Copies of the samples, with the given images."""
    shown = []
    for sample, image in zip(samples, to_images(images), strict=True):
        other = sample.new()
        other.pred_img = image
        shown.append(other)
    return shown
