"""Warnings about trainings that learn nothing."""

from functools import partial

import torch
from mmengine.hooks import Hook
from torch import Tensor

from mmldm.models.editors import LatentDiffusion
from mmldm.models.editors.editor import Editor
from mmldm.registry import HOOKS
from mmldm.utils import check_count

from .. import signs_of_death as signs
from ..gradient_norms import GradientNorms
from ..latent_moments import latent_moments
from ..optim_wrapper import named_wrappers

# Images that tell whether latents have the variance of the noise.
IMAGES = 8
# Names of numbers to compare: the perplexity of the codes, and the prefix of
# the value that a loss has if nothing is predicted.
PERPLEXITY = 'perplexity'
TRIVIAL = 'trivial '


@HOOKS.register_module()
class DeadRunHook(Hook):
    """Warns once of each sign that a training learns nothing.

    The signs are: latents far from unit variance, before the first iteration;
    a loss that stays at the value of predicting nothing; a codebook of which
    almost nothing is used; the gradient of a part of the model that vanishes
    or explodes. The line names the usual cause, and training goes on.

    A few numbers are compared at every ``interval``-th iteration, which costs
    less than a hundredth of the time of usual trainings.

    Args:
        interval: Iterations between two looks.
        patience: Iterations before loss and codebook are judged, as a
            training's learning rate begins low.
    """

    # After the hook that measures the latents' scale.
    priority = 'LOW'

    def __init__(self, interval: int = 20, patience: int = 500) -> None:
        check_count('DeadRunHook.interval', interval)
        check_count('DeadRunHook.patience', patience)
        self.interval = interval
        self.patience = patience
        self.first = 0
        self.warnings: dict[str, str] = {}
        self.norms: GradientNorms | None = None
        self.plateau = signs.Plateau()
        self.codebook = signs.Codebook()
        self.gradients: dict[str, signs.Gradient] = {}

    def before_train(self, runner) -> None:
        """Look at the latents, unless the training is resumed."""
        self.first = runner.iter
        self.norms = GradientNorms(
            runner.bare_model,
            {
                name: wrapper.optimizer
                for name, wrapper in named_wrappers(
                    runner.optim_wrapper
                ).items()
            },
        )
        if runner.iter == 0 and isinstance(runner.bare_model, LatentDiffusion):
            message = signs.latents(_root_mean_square(runner))
            self._warn(runner, 'latents', message)

    def before_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None
    ) -> None:
        """Have the gradients of the next step measured."""
        if (runner.iter - self.first) % self.interval == 0:
            self.norms.ask()

    def after_train_iter(
        self,
        runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Have gradients, loss and codes judged once they are read."""
        late = runner.train_loop.late
        late.add(self.norms.take(), partial(self._judge_gradients, runner))
        done = runner.iter + 1 - self.first
        if done % self.interval or not isinstance(runner.bare_model, Editor):
            return
        warns = done >= self.patience
        values = _values(runner.bare_model, data_batch, outputs)
        late.add(values, partial(self._judge_outputs, runner, warns))

    def after_train(self, runner) -> None:
        """Let go of the optimizers."""
        self.norms.close()

    def _judge_gradients(self, runner, norms: dict[str, float]) -> None:
        for part, norm in norms.items():
            sign = self.gradients.setdefault(part, signs.Gradient(part))
            self._warn(runner, f'gradient of {part}', sign(norm))

    def _judge_outputs(
        self, runner, warns: bool, values: dict[str, float]
    ) -> None:
        """Judge the loss and the codes; see :func:`_values`."""
        judged = {}
        for name, value in values.items():
            trivial = values.get(TRIVIAL + name, 0)
            if trivial > 0:
                judged['loss'] = self.plateau(name, value, trivial)
        if PERPLEXITY in values:
            codes = runner.bare_model.autoencoder.num_codes
            judged['codebook'] = self.codebook(values[PERPLEXITY], codes)
        for name, message in judged.items():
            if warns:
                self._warn(runner, name, message)

    def _warn(self, runner, name: str, message: str | None) -> None:
        """Log a message, the first time that its sign is found."""
        if message is None or name in self.warnings:
            return
        self.warnings[name] = message
        runner.logger.warning(f'this training may be dead: {message}')


def _values(model: Editor, batch: dict, outputs: dict) -> dict[str, Tensor]:
    """Losses that a dead training keeps, their values then, and perplexity."""
    batch = model.data_preprocessor(batch)
    trivial = model.trivial_losses(batch['inputs'])
    names = [name for name in trivial if name in outputs]
    found = {name: outputs[name] for name in names}
    for name in names:
        found[TRIVIAL + name] = _like(trivial[name], outputs[name])
    codes = getattr(getattr(model, 'autoencoder', None), 'num_codes', None)
    if codes is not None and PERPLEXITY in outputs:
        found[PERPLEXITY] = outputs[PERPLEXITY]
    return found


def _like(value: Tensor | float, other: Tensor) -> Tensor:
    """A number on the device of another; filling does not wait for it."""
    if isinstance(value, Tensor):
        return value
    return torch.full_like(other, value)


def _root_mean_square(runner) -> float:
    """The root mean square of scaled latents, of a few images."""
    moments = latent_moments(runner, IMAGES, IMAGES)
    autoencoder = runner.bare_model.autoencoder
    scale, shift = (
        value.double().cpu().flatten()
        for value in (autoencoder.latent_scale, autoencoder.latent_shift)
    )
    count, mean, squares = moments.unbind(-1)  # (N, C) each
    total = (squares + count * (mean - shift).square()) * scale.square()
    return torch.sqrt(total.sum() / count.sum()).item()
