"""One path from noise to a latent, by our solvers and by theirs."""

import sys

import torch


class Path:
    """From one start, by one function, which stands for a trained network."""

    start = torch.linspace(-2, 2, 9, dtype=torch.float64).view(1, 9)

    def __init__(self):
        self.generator = torch.Generator().manual_seed(1)

    def draw(self, like, **_):
        shape = getattr(like, 'shape', like)
        return torch.randn(
            shape, generator=self.generator, dtype=torch.float64
        )

    @staticmethod
    def network(z, t):
        """Any smooth output, of latents of standard deviation 1."""
        return torch.sin(z + t.double() / 1000) * 0.8

    def ours(self, scheduler):
        def denoise(z, level):
            out = self.network(z, level.t)
            return scheduler.prediction.to_z_0(out, z, level)

        levels = scheduler.levels()
        return scheduler.solver(denoise, self.start, levels, self.draw)

    def theirs(self, scheduler, num_steps, monkeypatch):
        module = sys.modules[type(scheduler).__module__]
        if hasattr(module, 'randn_tensor'):
            monkeypatch.setattr(module, 'randn_tensor', self.draw)
        scheduler.set_timesteps(num_steps)
        sample = self.start
        if 'Discrete' in type(scheduler).__name__:
            first = scheduler.sigmas[0].double()
            sample = sample * (1 + first**2).sqrt()
        for t in scheduler.timesteps:
            z = scheduler.scale_model_input(sample, t).double()
            sample = scheduler.step(self.network(z, t), t, sample).prev_sample
        return sample.double()
