"""Our samplers and those of diffusers, side by side."""

import sys

import diffusers
import pytest
import torch

from mmldm.registry import DIFFUSION_SCHEDULERS


class SideBySide:
    """Both draw from the same noise, by the same exact network.

    Latents are a mixture of three Gaussians in each element, and the network
    is the best one of them: it knows the time alone, as a trained one does.
    """

    noise = torch.linspace(-2, 2, 9, dtype=torch.float64).view(1, 9)
    weights = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
    means = torch.tensor([-1.2, 0.1, 1.4], dtype=torch.float64)
    stds = torch.tensor([0.3, 0.2, 0.4], dtype=torch.float64)

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch

    def best(self, z, alpha, sigma):
        """The mean of z_0 that z leaves, of z's shape."""
        var = (alpha * self.stds).square() + sigma**2
        off = z[..., None] - alpha * self.means
        log = self.weights.log() - off.square() / (2 * var) - var.log() / 2
        means = self.means + alpha * self.stds.square() / var * off
        return (log.softmax(-1) * means).sum(-1)

    def network(self, scheduler, z, t):
        """Output of the best network of this scheduler of ours."""
        z = z.double()
        level = scheduler.noise_schedule(torch.as_tensor(t).double())
        z_0 = self.best(z, level.alpha, level.sigma)
        noise = (z - level.alpha * z_0) / level.sigma
        return scheduler.prediction.target(z_0, noise, level)

    def draws(self):
        """Fresh noise, the same for both."""
        generator = torch.Generator().manual_seed(1)
        return lambda like, **_: torch.randn(
            getattr(like, 'shape', like),
            generator=generator,
            dtype=torch.float64,
        )

    def ours(self, config, num_steps):
        scheduler = DIFFUSION_SCHEDULERS.build(
            config | dict(num_steps=num_steps)
        )

        def denoise(z, level):
            out = self.network(scheduler, z, level.t)
            return scheduler.prediction.to_z_0(out, z, level)

        levels = scheduler.levels()
        start = scheduler.start(self.noise, levels[0])
        return scheduler.solver(denoise, start, levels, self.draws())

    def theirs(self, content, config, num_steps, **call):
        """What their scheduler of this file draws; ``config`` is ours."""
        scheduler = DIFFUSION_SCHEDULERS.build(config)
        keys = {k: v for k, v in content.items() if k != '_class_name'}
        theirs = getattr(diffusers, content['_class_name'])(**keys)
        module = sys.modules[type(theirs).__module__]
        if hasattr(module, 'randn_tensor'):
            self.monkeypatch.setattr(module, 'randn_tensor', self.draws())
        theirs.set_timesteps(num_steps)
        if hasattr(theirs, 'set_begin_index'):
            # Else a first time that comes twice is taken for the second.
            theirs.set_begin_index(0)
        sample = self.noise * theirs.init_noise_sigma
        for t in theirs.timesteps:
            z = theirs.scale_model_input(sample, t)
            out = self.network(scheduler, z, t)
            sample = theirs.step(out, t, sample, **call).prev_sample
        return sample.double()

    @staticmethod
    def off(ours, theirs):
        """Largest distance, in units of the largest value."""
        return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.fixture
def side_by_side(monkeypatch):
    return SideBySide(monkeypatch)
