"""Networks for the benchmark of solvers."""

import tempfile
from pathlib import Path

import torch
from torch import Tensor

from mmldm.apis import build_runner
from mmldm.apis.run_config import read_run_config
from mmldm.diffusion import NoiseLevel, ScaledLinearBetas
from mmldm.registry import DIFFUSION_SCHEDULERS


def build(part: dict) -> object:
    """Build a solver or a time grid from its config."""
    return DIFFUSION_SCHEDULERS.build(dict(part))


class Mixture:
    """Exact denoiser of a mixture of Gaussians with diagonal covariance.

    Args:
        num_modes: Number of Gaussians, equally likely. Their means are
            standard normal, and their deviations are in [0.05, 0.3].
        dim: Number of dimensions.
        num_samples: Number of paths.
        seed: Seed of the mixture and the noise.
        guidance: Scale of classifier-free guidance, 1 for none. The
            Gaussians are distributed over up to ten classes; every path has
            a class and leads away from the mixture of all.
    """

    def __init__(
        self,
        num_modes: int,
        dim: int,
        num_samples: int,
        seed: int,
        guidance: float = 1.0,
    ) -> None:
        draw = torch.Generator().manual_seed(seed)
        options = dict(generator=draw, dtype=torch.float64)
        self.mean = torch.randn(num_modes, dim, **options)
        self.std = 0.05 + 0.25 * torch.rand(num_modes, dim, **options)
        self.noise = torch.randn(num_samples, dim, **options)
        self.schedule = ScaledLinearBetas()
        num_classes = min(10, (num_modes + 1) // 2)
        own = torch.arange(num_modes) % num_classes
        asked = torch.arange(num_samples)[:, None] % num_classes
        self.log_prior = torch.zeros(own.shape).where(own == asked, -torch.inf)
        self.scale = guidance
        self.name = (
            f'mixture of {num_modes} Gaussians in {dim} dimensions, '
            f'guidance {guidance:g}'
        )

    def sample(self, solver: dict, grid: dict, num_steps: int) -> Tensor:
        """Ends of the paths, (num_samples, dim)."""
        levels = build(grid)(self.schedule, num_steps)
        start = levels[0].sigma * self.noise
        return build(solver)(self.denoise, start, levels)

    def denoise(self, z: Tensor, level: NoiseLevel) -> Tensor:
        """E[z_0 | z], guided, (num_samples, dim)."""
        variance = (level.alpha * self.std) ** 2 + level.sigma**2
        off = z[:, None] - level.alpha * self.mean
        log_density = -(off**2 / variance + variance.log()).sum(2) / 2
        gain = level.alpha * self.std**2 / variance
        ends = self.mean + gain * off

        def estimate(log_density: Tensor) -> Tensor:
            return (log_density.softmax(1)[..., None] * ends).sum(1)

        whole = estimate(log_density)
        if self.scale == 1:
            return whole
        own = estimate(log_density + self.log_prior)
        return whole + self.scale * (own - whole)


class Trained:
    """A trained model whose solver and time grid are exchanged.

    Args:
        config: Path of its config.
        options: Changes of the config, by key.
        checkpoint: Path of the checkpoint, or of a work directory.
        num_samples: Number of paths: the first samples of test_dataloader, in
            one batch. Their noise is the same in every run.
        seed: Seed of the noise.
    """

    def __init__(
        self,
        config: str,
        options: dict,
        checkpoint: str,
        num_samples: int,
        seed: int,
    ) -> None:
        with tempfile.TemporaryDirectory() as work_dir:
            cfg = read_run_config(config, options, work_dir, seed)
            cfg.load_from, cfg.resume = checkpoint, False
            cfg.log_level = 'ERROR'
            cfg.test_dataloader.batch_size = num_samples
            runner = build_runner(cfg)
            runner.load_or_resume()
            self.model = runner.bare_model.eval()
            loader = runner.build_dataloader(cfg.test_dataloader)
        data = self.model.data_preprocessor(next(iter(loader)), False)
        self.samples = data['data_samples']
        self.name = f'{checkpoint} of {Path(config).name}'

    def sample(self, solver: dict, grid: dict, num_steps: int) -> Tensor:
        """Latents, (num_samples, C, h, w)."""
        scheduler = self.model.diffusion_scheduler
        scheduler.solver, scheduler.time_grid = build(solver), build(grid)
        scheduler.num_steps = num_steps
        return self.model.sample(self.samples).double()
