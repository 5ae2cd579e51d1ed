"""What a test's metrics say of real images: what can be reached."""

import copy
from collections.abc import Sequence

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from torch import Tensor

from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import HOOKS
from mmldm.structures import LDMDataSample


@HOOKS.register_module()
class ReferenceMetricsHook(Hook):
    """Judges the test's real images, and the first stage's copies of them.

    The metrics of ``test_evaluator``, with ``real/`` and ``reconstruction/``
    before their names, are added to those of the generated images. The
    latter are the most that a latent diffusion model can reach.

    Raises:
        ValueError: If the test data have no images.
    """

    def __init__(self) -> None:
        self.evaluators: dict[str, Evaluator] = {}

    def before_test_epoch(self, runner) -> None:
        """An evaluator for each kind, which has seen nothing."""
        metrics = runner.test_evaluator.metrics
        self.evaluators = {
            kind: Evaluator(copy.deepcopy(metrics))
            for kind in ('real', 'reconstruction')
        }

    def after_test_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Judge the images of a batch."""
        if 'inputs' not in data_batch:
            raise ValueError(
                'ReferenceMetricsHook judges the images of test_dataloader, '
                'which has none: use a dataset with images, or remove the '
                'hook from custom_hooks'
            )
        model = runner.bare_model
        inputs = model.data_preprocessor(data_batch)['inputs']
        kinds = dict(real=inputs, reconstruction=_copies(model, inputs))
        for kind, images in kinds.items():
            self.evaluators[kind].process(
                data_samples=_showing(outputs, images), data_batch=data_batch
            )

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Add the numbers to the test's."""
        size = len(runner.test_dataloader.dataset)
        for kind, evaluator in self.evaluators.items():
            for name, value in evaluator.evaluate(size).items():
                metrics[f'{kind}/{name}'] = value


@torch.no_grad()
def _copies(model, images: Tensor) -> Tensor:
    """Images (B, 3, H, W) after the first stage, from the mode."""
    z = model.autoencoder.encode(images)
    return model.autoencoder.decode(z, images.shape[2:])


def _showing(samples: Sequence, images: Tensor) -> list[LDMDataSample]:
    """The samples with other images."""
    shown = []
    for sample, image in zip(samples, to_images(images), strict=True):
        other = sample.new()
        other.pred_img = image
        shown.append(other)
    return shown
