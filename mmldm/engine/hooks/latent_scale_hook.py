"""The scale that gives latents a standard deviation of one."""

import torch
from mmengine.dataset import pseudo_collate
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from torch import Tensor

from mmldm.registry import HOOKS
from mmldm.utils import Draws


@HOOKS.register_module()
class LatentScaleHook(Hook):
    """Measures ``autoencoder.latent_scale`` before a training begins.

    1 / standard deviation of latents; Rombach et al. 2022, app. G, who take
    the first batch of one process. Here the samples are spread over the
    data, shared by the processes and summed in one order, so that any number
    of processes gets the same number. It travels in the checkpoints: neither
    a resumed run nor one with ``load_from`` measures again.

    Args:
        num_samples: Images to encode; fewer where there are fewer.
        batch_size: Images to encode at a time.
    """

    def __init__(self, num_samples: int = 1024, batch_size: int = 32) -> None:
        self.num_samples = num_samples
        self.batch_size = batch_size

    def before_train(self, runner) -> None:
        """Measure, unless the scale was loaded.

        Raises:
            ValueError: If the first stage has weights that nobody gave.
        """
        if runner._has_loaded:
            return
        model = runner.bare_model
        if model.autoencoder_checkpoint is None and any(
            True for _ in model.autoencoder.parameters()
        ):
            raise ValueError(
                'the first stage is not trained: set '
                'model.autoencoder_checkpoint to its file or work directory'
            )
        moments = self._all_moments(runner)
        count, total, square = moments.sum(0).tolist()
        variance = square / count - (total / count) ** 2
        scale = model.autoencoder.latent_scale.fill_(variance**-0.5)
        runner.logger.info(
            f'Latent scale {float(scale):.6g}, from {len(moments)} images'
        )

    def _all_moments(self, runner) -> Tensor:
        """(count, sum, sum of squares) of every sample, (N, 3), float64."""
        sampler = runner.train_dataloader.sampler
        draws = sampler.spread(self.num_samples)
        own = draws[runner.rank :: runner.world_size]
        parts = [
            self._moments(runner, own[i : i + self.batch_size])
            for i in range(0, len(own), self.batch_size)
        ]
        own_moments = torch.cat(parts) if parts else torch.empty(0, 3)
        moments = torch.zeros(len(draws), 3, dtype=torch.float64)
        for rank, part in enumerate(all_gather_object(own_moments)):
            moments[rank :: runner.world_size] = part
        return moments

    @torch.no_grad()
    def _moments(self, runner, draws: list) -> Tensor:
        model = runner.bare_model
        dataset = runner.train_dataloader.dataset
        batch = model.data_preprocessor(
            pseudo_collate([dataset[draw] for draw in draws])
        )
        posterior = Draws.of(batch['data_samples']).normal('posterior')
        z = model.autoencoder.encode_raw(batch['inputs'], posterior)
        z = z.double().flatten(1).cpu()
        count = torch.full((len(z),), z.shape[1], dtype=torch.float64)
        return torch.stack([count, z.sum(1), z.square().sum(1)], dim=1)
