"""The terms of latent diffusion's training loss."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmldm.diffusion import DiffusionScheduler
from mmldm.registry import MODELS
from mmldm.utils import SampleRandom
from mmldm.utils.checks import suggest
from mmldm.utils.typing import ConfigType

from ..conditioners.conditioner import Terms
from ..layers import compilable_blocks
from ..losses.extra_loss import ExtraLoss, TrainingStep


class ExtraLosses(nn.ModuleList):
    """The list ``model.extra_losses``.

    A checkpoint that has no weights for these terms can be loaded, and they
    start untrained. A checkpoint with weights for terms can be loaded into a
    model whose terms have none. The log reports both.

    Args:
        configs: Configs of :class:`ExtraLoss` es.
        denoiser: The network whose hidden features the terms may read.

    Raises:
        ValueError: If a config builds no ``ExtraLoss``, or a term reads a
            module that the denoiser lacks.
    """

    def __init__(
        self, configs: Sequence[ConfigType], denoiser: nn.Module
    ) -> None:
        losses = [MODELS.build(config) for config in configs]
        names = [name for name, _ in denoiser.named_modules() if name]
        for i, loss in enumerate(losses):
            key = f'model.extra_losses.{i}'
            if not isinstance(loss, ExtraLoss):
                raise ValueError(
                    f'{key}={type(loss).__name__} is not a term of the '
                    'training loss: give a class derived from ExtraLoss'
                )
            for layer in loss.layers:
                if layer not in names:
                    near = suggest(layer, names).partition(' Valid names')[0]
                    raise ValueError(
                        f'{key}.layers has {layer!r}, but the denoiser has '
                        f'no module of that name{near}'
                    )
        super().__init__(losses)
        self.register_load_state_dict_pre_hook(_fit_terms)

    def check_compilable(self, denoiser: nn.Module) -> None:
        """Raise if a term reads a module that compiled code replaces.

        Raises:
            ValueError: Names the layer, and the block that can be read.
        """
        blocks = compilable_blocks(denoiser)
        for i, loss in enumerate(self):
            for layer in loss.layers:
                around = [b for b in blocks if layer.startswith(f'{b}.')]
                if around or not blocks:
                    remedy = f'read {around[0]!r}, or ' if around else ''
                    raise ValueError(
                        f'compile is not available with model.extra_losses.'
                        f'{i}.layers={layer!r}, which is inside of compiled '
                        f'code: {remedy}leave out compile'
                    )

    @contextmanager
    def watch(self, denoiser: nn.Module) -> Iterator[dict[str, Tensor]]:
        """Collect the outputs of the modules that the terms read, by name."""
        hidden: dict[str, Tensor] = {}
        layers = {layer for loss in self for layer in loss.layers}
        handles = [
            denoiser.get_submodule(layer).register_forward_hook(
                lambda module, args, out, layer=layer: hidden.update(
                    {layer: out}
                )
            )
            for layer in sorted(layers)
        ]
        try:
            yield hidden
        finally:
            for handle in handles:
                handle.remove()
        for layer in layers - {*hidden}:
            raise ValueError(
                f'model.extra_losses reads the output of {layer!r}, which '
                f'{type(denoiser).__name__}.forward did not call as a module: '
                'name another layer'
            )

    def terms(self, step: TrainingStep) -> list[Terms]:
        """The terms of all losses, one group each."""
        return [
            (f'extra_losses.{i}', loss(step)) for i, loss in enumerate(self)
        ]


def _fit_terms(module: ExtraLosses, state: dict, prefix: str, *_) -> None:
    """Make a state dict fit where it has other terms' weights."""
    stored = [name for name in state if name.startswith(prefix)]
    own = module.state_dict(prefix=prefix)
    if own and not stored:
        state.update(own)
        _say('the checkpoint has no weights for them: they start untrained')
    elif stored and not own:
        for name in stored:
            del state[name]
        _say('none here have weights: those of the checkpoint are ignored')


def _say(text: str) -> None:
    print_log(f'model.extra_losses: {text}', logger='current')


def denoising_terms(
    step: TrainingStep, log_variance: nn.Module | None
) -> dict[str, Tensor]:
    """The term ``loss_denoise``, shape (), and with weights ``error``.

    ``error``, shape (), is the denoising error before learned log-variances
    weigh it.

    Args:
        step: The training step, with the denoiser's output.
        log_variance: Learned log-variances; None for no weights.
    """
    scheduler = step.scheduler
    errors, bound = scheduler.error_terms(
        step.out, step.z_0, step.noise, step.level
    )
    if log_variance is None:
        return dict(loss_denoise=(errors + bound).mean())
    weighed = log_variance(errors, step.level.t, scheduler.simple_weight)
    return dict(
        loss_denoise=(weighed + bound).mean(),
        error=(errors + bound).mean().detach(),
    )


@lru_cache(maxsize=1)  # DeadRunHook asks again and again
@torch.no_grad()
def trivial_error(
    scheduler: DiffusionScheduler, channels: int, num_samples: int = 1024
) -> float:
    """The mean denoising error of an output of zeros.

    It is estimated for latents of N(0, 1), with a relative deviation of less
    than a hundredth for usual weightings.

    Args:
        scheduler: Knows target and weights of the error.
        channels: Channels of a latent.
        num_samples: Number of random latents, 4x4, and times.
    """
    random = SampleRandom([(0, i) for i in range(num_samples)])
    empty = torch.zeros(num_samples, channels, 4, 4)
    z_0 = random.normal('trivial')(empty)
    level = scheduler.sample_level(random)
    noise = scheduler.draw_noise(random, z_0)
    out = empty.repeat(1, scheduler.num_outputs, 1, 1)
    return scheduler.loss(out, z_0, noise, level).item()


def named_terms(terms: Iterable[Terms]) -> dict[str, Tensor]:
    """All terms by their name in the log, ``loss_<name>``.

    Raises:
        ValueError: If two parts have a term of the same name, or a term is
            not a single number.
    """
    found: dict[str, Tensor] = {}
    owners = {'denoise': 'itself'}
    for key, own in terms:
        for name, value in own.items():
            if name in owners:
                raise ValueError(
                    f'model.{key} has a loss term {name!r}, which the model '
                    f'has from {owners[name]} already: rename one of them'
                )
            if value.ndim != 0:
                raise ValueError(
                    f'the loss term {name!r} of model.{key} has the shape '
                    f'{tuple(value.shape)}, but must be one number: return '
                    'its mean'
                )
            owners[name] = f'model.{key}'
            found[f'loss_{name}'] = value
    return found


def build_log_variance(
    config: ConfigType | None, length: int
) -> nn.Module | None:
    """Learned log-variances, one for each step of the noise schedule.

    Args:
        config: Their config; None for none.
        length: Steps of the noise schedule.

    Raises:
        ValueError: If the config gives another length.
    """
    if config is None:
        return None
    given = config.get('num_timesteps', length)
    if given != length:
        raise ValueError(
            f'log_variance.num_timesteps={given}, but the noise schedule '
            f'has {length}: leave it out'
        )
    return MODELS.build({**config, 'num_timesteps': length})
