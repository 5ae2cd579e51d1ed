"""One path from noise to a latent, by our solvers and by theirs."""

import sys

import torch


class Path:
    """From one start, by one function, which stands for a trained network."""

    noise = torch.linspace(-2, 2, 9, dtype=torch.float64).view(1, 9)

    def __init__(self):
        self.generator = torch.Generator().manual_seed(1)

    def draw(self, like, **_):
        shape = getattr(like, 'shape', like)
        return torch.randn(
            shape, generator=self.generator, dtype=torch.float64
        )

    def network(self, z, t):
        """Any smooth output, of latents of standard deviation 1."""
        return torch.sin(z + t.double() / 1000) * 0.8

    def our_start(self, scheduler):
        return self.noise

    def their_start(self, scheduler):
        if 'Discrete' not in type(scheduler).__name__:
            return self.noise
        return self.noise * (1 + scheduler.sigmas[0].double() ** 2).sqrt()

    def ours(self, scheduler):
        def denoise(z, level):
            out = self.network(z, level.t)
            return scheduler.prediction.to_z_0(out, z, level)

        start, levels = self.our_start(scheduler), scheduler.levels()
        return scheduler.solver(denoise, start, levels, self.draw)

    def theirs(self, scheduler, num_steps, monkeypatch):
        module = sys.modules[type(scheduler).__module__]
        if hasattr(module, 'randn_tensor'):
            monkeypatch.setattr(module, 'randn_tensor', self.draw)
        scheduler.set_timesteps(num_steps)
        if hasattr(scheduler, 'set_begin_index'):
            # Else a first time that comes twice is taken for the second.
            scheduler.set_begin_index(0)
        sample = self.their_start(scheduler)
        for t in scheduler.timesteps:
            z = scheduler.scale_model_input(sample, t).double()
            sample = scheduler.step(self.network(z, t), t, sample).prev_sample
        return sample.double()


class OwnStart(Path):
    """From where each begins to sample the same noise."""

    def our_start(self, scheduler):
        return scheduler.start(self.noise, scheduler.levels()[0])

    def their_start(self, scheduler):
        return self.noise * scheduler.init_noise_sigma


class ExactPath(OwnStart):
    """From where both begin to sample, by the best network of a mixture.

    Latents are one of three Gaussians in each element, and the network knows
    the time alone, as a trained one does.

    Args:
        scheduler: Ours, whose schedule and prediction the network has.
    """

    weights = torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64)
    means = torch.tensor([-1.2, 0.1, 1.4], dtype=torch.float64)
    stds = torch.tensor([0.3, 0.2, 0.4], dtype=torch.float64)

    def __init__(self, scheduler):
        super().__init__()
        self.scheduler = scheduler

    def best(self, z, alpha, sigma):
        """The mean of z_0 that z leaves, of z's shape."""
        var = (alpha * self.stds).square() + sigma**2
        off = z[..., None] - alpha * self.means
        log = self.weights.log() - off.square() / (2 * var) - var.log() / 2
        means = self.means + alpha * self.stds.square() / var * off
        return (log.softmax(-1) * means).sum(-1)

    def network(self, z, t):
        level = self.scheduler.noise_schedule(torch.as_tensor(t).double())
        z_0 = self.best(z, level.alpha, level.sigma)
        noise = (z - level.alpha * z_0) / level.sigma
        return self.scheduler.prediction.target(z_0, noise, level)
