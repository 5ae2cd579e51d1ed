"""A model of which only a small adapter is trained and stored."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    weights_hash,
    weights_of,
)
from mmldm.utils.typing import ConfigType

from ..adapters import LoRA
from ..adapters.layers import BASE, PARTS

HASH = 'adapter_base'
ADAPTED = ('denoiser', 'conditioner')


class Adapted(nn.Module):
    """Mix-in that owns ``self.adapter``, a :class:`LoRA` or None.

    With an adapter, all weights come from ``adapter.base`` and stay frozen.
    Checkpoints hold only the adapter's weights and the hash of the denoiser
    that they change, which loading verifies.
    """

    adapter: LoRA | None = None

    def init_adapter(self, adapter: ConfigType | None) -> None:
        """Load the model to adapt, freeze it and add the adapter.

        Args:
            adapter: Config of the adapter, or None.

        Raises:
            FileNotFoundError: If the file of the model to adapt is missing.
            ValueError: If its weights do not fit, or the adapter does not.
        """
        if adapter is None:
            return
        built = MODELS.build(adapter)
        load_weights(self, self._base_weights(built.base), built.base)
        self.register_buffer(HASH, denoiser_hash(self), persistent=False)
        self.requires_grad_(False)
        built.adapt({name: getattr(self, name) for name in ADAPTED})
        self.adapter = built

    def _base_weights(self, base: str) -> dict[str, Tensor]:
        """Weights of the model to adapt, of the parts that this model has."""
        try:
            weights = weights_of(read_checkpoint(base))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f'model.adapter.base={base!r} does not exist: give the file, '
                'work directory or converted folder of the model to adapt'
            ) from error
        if HASH in weights:
            raise ValueError(
                f'model.adapter.base={base!r} holds an adapter: give the '
                'model that it was trained on, or merge both by '
                'tools/model_converters/publish_model.py --adapter'
            )
        unused = [
            part
            for part in getattr(self, 'training_parts', ())
            if not any(True for _ in _weights_in(self, part))
        ]
        return {
            name: weight
            for name, weight in weights.items()
            if name.partition('.')[0] not in unused
        }

    def adapter_weights(self) -> dict[str, Tensor]:
        """The trained weights of the adapter, by name."""
        return {
            name: weight
            for name, weight in self.named_parameters()
            if any(part in name for part in PARTS)
        }

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """See ``nn.Module``; with an adapter, only its weights and hash."""
        if self.adapter is None:
            return super().state_dict(*args, **kwargs)
        weights = {n: w.detach() for n, w in self.adapter_weights().items()}
        return {**weights, HASH: getattr(self, HASH)}

    def load_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True, **kwargs
    ) -> Any:
        """See ``nn.Module``; with an adapter, the inverse of ``state_dict``.

        Raises:
            ValueError: If the adapter was trained on another model.
        """
        if self.adapter is None:
            return super().load_state_dict(state_dict, strict, **kwargs)
        wanted = state_dict.get(HASH)
        if wanted is not None and not torch.equal(
            wanted.cpu(), getattr(self, HASH).cpu()
        ):
            raise ValueError(
                'the adapter was trained on a denoiser of other weights than '
                f'model.adapter.base={self.adapter.base!r}: set '
                'model.adapter.base to the model that it was trained on'
            )
        own = self.adapter_weights()
        with torch.no_grad():
            for name in own.keys() & state_dict.keys():
                own[name].copy_(state_dict[name])
        missing = [name for name in own if name not in state_dict]
        odd = [n for n in state_dict if n not in own and n != HASH]
        if strict and (missing or odd):
            raise RuntimeError(f'missing: {missing}; unexpected: {odd}')
        return torch.nn.modules.module._IncompatibleKeys(missing, odd)


def denoiser_hash(model: nn.Module) -> Tensor:
    """Hash of a model's denoiser without adapters, uint8 (32,)."""
    state = nn.Module.state_dict(model.denoiser)
    return weights_hash(
        {
            name.replace(BASE, '.'): weight
            for name, weight in state.items()
            if not any(part in name for part in PARTS)
        }
    )


def _weights_in(model: nn.Module, part: str) -> Any:
    module = getattr(model, part, None)
    return module.parameters() if isinstance(module, nn.Module) else ()
