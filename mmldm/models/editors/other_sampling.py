"""A model that samples otherwise, without a change of the model."""

import copy
from typing import Self

import torch
from torch import Tensor, nn

from mmldm.diffusion import NoGuidance, Sampling
from mmldm.structures import Condition
from mmldm.utils.typing import SampleList

from ..layers import compiled_copy


class OtherSampling:
    """Mix-in of ``LatentDiffusion``: settings for one call."""

    #: Whether images follow the null condition, whatever samples hold.
    unconditional = False

    def conditions(
        self, data_samples: SampleList
    ) -> tuple[Condition, Condition]:
        """The condition that images follow, and the one to lead away from.

        Raises:
            ValueError: If a sample has a negative which guidance ignores.
        """
        encode = self.autoencoder.encode
        if self.unconditional:
            null = self.conditioner.null(data_samples, encode)
            return null, null
        cond = self.conditioner(data_samples, encode=encode)
        if self.guidance.needs_null:
            return cond, self.conditioner.null(data_samples, encode)
        if any(sample.negative is not None for sample in data_samples):
            raise ValueError(
                'a data sample has a negative, which guidance '
                f'{type(self.guidance).__name__} ignores: leave it '
                "out, or set guidance=dict(_delete_=True, type='Classifier"
                "FreeGuidance', scale=2.0)"
            )
        return cond, cond

    def sampling_by(self, sampling: Sampling) -> Self:
        """This model, but for how it samples; all weights are shared.

        The model itself stays as it is, so that calls with different
        settings may run at the same time.

        Raises:
            ValueError: If the settings do not suit the model.
        """
        view = copy.copy(self)
        view.diffusion_scheduler = sampling.applied(self.diffusion_scheduler)
        if sampling.windows is not None:
            view.windows = sampling.windows
        if sampling.guidance is not None:
            view.guidance = sampling.guidance
            view.check_guidance()
        if sampling.unconditional:
            self._check_null()
            view.unconditional = True
            view.guidance = NoGuidance()
        view._modules = dict(self._modules)
        if sampling.compile is not False:
            options = {} if sampling.compile is True else sampling.compile
            # A later call finds the same code compiled already.
            for name in self.compiled_parts:
                part = compiled_copy(getattr(view, name), **options)
                setattr(view, name, part)
        if sampling.dtype is not None:
            view.denoiser = _in_precision(view.denoiser, sampling.dtype)
        if sampling.tile_size is not None:
            view.autoencoder = copy.copy(view.autoencoder)
            view.autoencoder.tile_size = sampling.tile_size
        return view

    def _check_null(self) -> None:
        """Raise unless the model knows the null condition.

        Raises:
            ValueError: If an embedder has none, or was trained without it.
        """
        conditioner = self.conditioner
        untrained = conditioner.never_dropped(conditioner.slots)
        lacking = conditioner.without_null or untrained
        if lacking:
            why = (
                'no null condition'
                if conditioner.without_null
                else (
                    'a null condition that was never trained '
                    f'(conditioner.drop_prob={conditioner.drop_prob})'
                )
            )
            raise ValueError(
                f'unconditional=True is not available: {" and ".join(lacking)}'
                f' of this model has {why}; give its conditions'
            )


def _in_precision(denoiser: nn.Module, dtype: str) -> nn.Module:
    """The denoiser, computing in a precision.

    Raises:
        ValueError: If its weights have less precision.
    """
    found = next(denoiser.parameters()).dtype
    if found == getattr(torch, dtype):
        return denoiser
    if dtype == 'float32':
        raise ValueError(
            f"dtype='float32' is not available: the denoiser's weights are "
            f'{found}; omit dtype'
        )
    return _InPrecision(denoiser, dtype)


class _InPrecision(nn.Module):
    """A denoiser that computes in another precision, with its own weights."""

    def __init__(self, denoiser: nn.Module, dtype: str) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.precision = getattr(torch, dtype)

    def forward(self, z_t: Tensor, t: Tensor, cond: Condition) -> Tensor:
        with torch.autocast(z_t.device.type, self.precision):
            return self.denoiser(z_t, t, cond)
