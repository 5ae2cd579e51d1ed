"""The loss on images that training does not see."""

import copy
from collections.abc import Sequence

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_reduce, get_dist_info
from mmengine.hooks import Hook
from torch import Tensor
from torch.utils.data import Dataset

from mmldm.models.editors import LatentDiffusion, fixed_errors
from mmldm.registry import DATA_SAMPLERS, DATASETS, HOOKS
from mmldm.utils import check_count
from mmldm.utils.signatures import arguments_of
from mmldm.utils.size_parts import one_size_parts
from mmldm.utils.typing import ConfigType

# Neighbouring images are at times far from each other.
GOLDEN = 0.6180339887498949
NAME = 'loss'


@HOOKS.register_module()
class ValidationLossHook(Hook):
    """Logs the loss of held-out images, and of as many training images.

    Noise and times are the same at every validation, so that a change of the
    value is a change of the model: its average, where ``ModuleEMAHook``
    keeps one. Each image is looked at once in every range of the time axis.
    A loss of held-out images that rises while that of training images falls
    is over-fitting.

    Names are ``val/loss``, ``val/loss_0.00-0.25`` and so on from little
    noise to much, and ``val/loss_train``. ``default_hooks.checkpoint
    .save_best='loss'`` with ``rule='less'`` keeps the best checkpoint.

    Args:
        dataset: Held-out images with their conditions; None is the training's
            dataset with ``split='val'``.
        num_images: How many of them, spread over the dataset.
        num_ranges: Parts of the time axis.
        batch_size: Images at a time.
    """

    # Before ModuleEMAHook takes the average out of the model.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        dataset: ConfigType | None = None,
        num_images: int = 256,
        num_ranges: int = 4,
        batch_size: int = 32,
    ) -> None:
        for name, value in (
            ('num_images', num_images),
            ('num_ranges', num_ranges),
            ('batch_size', batch_size),
        ):
            check_count(f'ValidationLossHook.{name}', value)
        self.dataset = dataset
        self.num_images = num_images
        self.num_ranges = num_ranges
        self.batch_size = batch_size
        self.sets: dict[str, Dataset] = {}

    def before_train(self, runner) -> None:
        """Build the held-out images.

        Raises:
            ValueError: If there are none, no validation, or no
                ``LatentDiffusion``.
        """
        if not isinstance(runner.bare_model, LatentDiffusion):
            raise ValueError(
                'ValidationLossHook is for a LatentDiffusion, but the model '
                f'is a {type(runner.bare_model).__name__}: remove the hook'
            )
        if runner.val_loop is None:
            raise ValueError(
                'ValidationLossHook needs validation: set val_dataloader, '
                'val_cfg and val_evaluator, or remove the hook'
            )
        training = runner.train_dataloader.dataset
        config = self.dataset or _held_out(runner, training)
        self.sets = {
            NAME: DATASETS.build(config),
            f'{NAME}_train': training,
        }

    def after_val_epoch(
        self, runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Add the losses to the metrics and to the log."""
        if not self.sets:  # validation alone
            return
        found: dict[str, float] = {}
        for name, dataset in self.sets.items():
            losses = self._losses(runner, dataset)
            found[name] = losses.mean().item()
            if name == NAME:
                found |= self._by_range(losses)
        for name, value in found.items():
            runner.message_hub.update_scalar(f'val/{name}', value)
        if metrics is not None:
            metrics.update(found)

    def _by_range(self, losses: Tensor) -> dict[str, float]:
        ends = [i / self.num_ranges for i in range(self.num_ranges + 1)]
        return {
            f'{NAME}_{ends[i]:.2f}-{ends[i + 1]:.2f}': loss
            for i, loss in enumerate(losses.tolist())
        }

    def _losses(self, runner, dataset: Dataset) -> Tensor:
        """The mean loss of each range, float64, (num_ranges,)."""
        sampler = DATA_SAMPLERS.build(
            dict(type='AddressedSampler', dataset=dataset, seed=runner.seed)
        )
        drawn = sampler.spread(self.num_images)
        rank, world = get_dist_info()
        sums = torch.zeros(self.num_ranges, dtype=torch.float64)
        own = drawn[rank::world]
        for start in range(0, len(own), self.batch_size):
            sums += self._sums(
                runner.bare_model,
                dataset,
                own[start : start + self.batch_size],
            )
        all_reduce(sums, 'sum')
        return sums / len(drawn)

    def _sums(
        self, model: LatentDiffusion, dataset: Dataset, drawn: Sequence
    ) -> Tensor:
        """The losses of some images, summed, for each range."""
        batch = pseudo_collate([dataset[index] for index in drawn])
        offsets = torch.tensor(
            [draw.position * GOLDEN % 1 for draw in drawn],
            dtype=torch.float64,
        )
        starts = torch.arange(self.num_ranges, dtype=torch.float64)[:, None]
        fraction = (starts + offsets) / self.num_ranges
        sums = torch.zeros(self.num_ranges, dtype=torch.float64)
        for places, part in one_size_parts(batch):
            part = model.data_preprocessor(part)
            errors = fixed_errors(model, **part, fraction=fraction[:, places])
            sums += errors.double().sum(1).cpu()
        return sums


def _held_out(runner, training: Dataset) -> ConfigType:
    """The training's dataset with its other images.

    Raises:
        ValueError: If it has none.
    """
    split = getattr(training, 'split', None)
    if split is None:  # of cached latents, the images' config knows it
        split = runner.cfg.train_dataloader.dataset.get('split')
    if split == 'all':
        raise ValueError(
            'ValidationLossHook.dataset is missing, and train_dataloader'
            ".dataset.split='all' trains on all images: set it to 'train', "
            'or give the config of a dataset of other images'
        )
    config = copy.deepcopy(runner.cfg.train_dataloader.dataset)
    if 'split' not in {*config, *arguments_of(type(training))[0]}:
        raise ValueError(
            'ValidationLossHook.dataset is missing: '
            f'{type(training).__name__} has no split to hold out; give the '
            'config of a dataset of other images'
        )
    return {**config, 'split': 'val'}
