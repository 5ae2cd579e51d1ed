"""Dropout that a resumed run repeats."""

import torch
from mmengine.hooks import Hook

from mmldm.registry import HOOKS
from mmldm.utils import address_seed


@HOOKS.register_module()
class AddressedSeedHook(Hook):
    """Seeds torch before each iteration by (seed, iteration, rank).

    What is drawn a sample is addressed in the editors; this is for what
    layers draw from the global generator: dropout. It differs by rank.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Seed all of torch's generators."""
        address = (runner.seed, runner.iter, runner.rank)
        torch.manual_seed(address_seed(address, 'iteration') % 2**63)
