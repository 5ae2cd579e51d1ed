"""Low-rank adapters: a small part of a model that is trained alone."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mmldm.registry import MODELS
from mmldm.utils import check_choice, check_count, check_positive

from ..layers import CrossAttention, GridAttention, SelfAttention2d
from .layers import KINDS, add_adapter, find_layers

ATTENTION = (CrossAttention, GridAttention, SelfAttention2d)
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16}
NAME = 'default'
KEY = 'model.adapter'


@MODELS.register_module()
class LoRA:
    """Low-rank adapters; Hu et al. 2021 (arXiv:2106.09685).

    The output W x of an adapted layer becomes W x + alpha / rank B A x. Only A
    and B, with ``rank`` rows and columns, are trained and stored. B starts as
    0. The package peft computes it: ``pip install 'mmldm[lora]'``.

    Args:
        base: File, work directory or converted folder with the weights of the
            model to adapt.
        rank: Rank of each update.
        alpha: Factor of the updates times ``rank``; None for ``rank``, that
            is no factor.
        target: Ends of the names of the denoiser's linear and convolution
            layers to adapt, such as 'to_q' or 'cross_attn.to_q'; None for all
            layers of its attention.
        text_target: Ends of names in the conditioner, such as 'q_proj' and
            'v_proj' for CLIP's text encoder; empty to leave it as it is.
        dtype: Type of the frozen weights of denoiser and conditioner:
            'float32', or 'bfloat16' for half the memory.

    Raises:
        ValueError: If an argument is invalid.
    """

    files = ('base',)

    def __init__(
        self,
        base: str | None = None,
        rank: int = 16,
        alpha: float | None = None,
        target: Sequence[str] | None = None,
        text_target: Sequence[str] = (),
        dtype: str = 'float32',
    ) -> None:
        if base is None:
            raise ValueError(
                f'{KEY}.base is missing, the model to adapt: set it to its '
                'file, work directory or converted folder'
            )
        check_count(f'{KEY}.rank', rank)
        if alpha is not None:
            check_positive(f'{KEY}.alpha', alpha)
        check_choice(f'{KEY}.dtype', dtype, DTYPES)
        self.base = base
        self.rank = rank
        self.alpha = alpha
        self.target = _names(f'{KEY}.target', target)
        self.text_target = _names(f'{KEY}.text_target', text_target) or ()
        self.dtype = DTYPES[dtype]

    def adapt(self, parts: Mapping[str, nn.Module]) -> None:
        """Add adapters to the parts of a model, whose weights are loaded.

        Args:
            parts: The modules 'denoiser' and 'conditioner'.

        Raises:
            ValueError: If a target is unknown, or peft is not installed.
        """
        for part in parts.values():
            part.to(self.dtype)
        denoiser, target = parts['denoiser'], self.target
        if target is None:
            target = _attention_layers(denoiser)
        self._add(denoiser, target, 'target')
        if self.text_target:
            self._add(parts['conditioner'], self.text_target, 'text_target')

    def _add(
        self, network: nn.Module, target: Sequence[str], key: str
    ) -> None:
        names = find_layers(network, target, f'{KEY}.{key}')
        alpha = self.rank if self.alpha is None else self.alpha
        add_adapter(network, NAME, dict.fromkeys(names, self.rank), alpha)


def _names(key: str, names: Sequence[str] | None) -> Sequence[str] | None:
    """Check a list of names.

    Raises:
        ValueError: If it is a single text, or has anything but texts.
    """
    texts = isinstance(names, list | tuple) and all(
        isinstance(name, str) and name for name in names
    )
    if names is not None and not texts:
        raise ValueError(
            f"{key}={names!r} must be a list of layers' names, such as "
            "['to_q', 'to_v']"
        )
    return names


def _attention_layers(network: nn.Module) -> list[str]:
    """Names of all layers in the attention of a network.

    Raises:
        ValueError: If it has no attention of ours.
    """
    found = [
        f'{name}.{inner}'
        for name, module in network.named_modules()
        if isinstance(module, ATTENTION)
        for inner, layer in module.named_modules()
        if isinstance(layer, KINDS)
    ]
    if not found:
        raise ValueError(
            f'{KEY}.target is missing, and {type(network).__name__} has no '
            'attention to adapt: set target to names of its layers'
        )
    return found
