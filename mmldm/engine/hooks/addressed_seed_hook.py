"""Seeds for dropout, so that a resumed run repeats it."""

import torch
from mmengine.hooks import Hook

from mmldm.registry import HOOKS
from mmldm.utils import address_seed


@HOOKS.register_module()
class AddressedSeedHook(Hook):
    """Seeds torch by (seed, iteration, rank) before each iteration.

    The editors seed the noise of each sample by its address. This hook is
    for layers that use the global generator, such as dropout, which differs
    by rank.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Seed all of torch's generators."""
        address = (runner.seed, runner.iter, runner.rank)
        torch.manual_seed(address_seed(address, 'iteration') % 2**63)
