"""Embedders around a frozen network of transformers."""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from inspect import signature
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mmldm.utils.checkpoint import as_hex, weights_hash
from mmldm.utils.checks import suggest
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.hub import default_attention, required
from mmldm.utils.typing import ConfigType

from .embedder import Embedder

Part = TypeVar('Part')
# Config keys that do not change the network: its source, how it was stored,
# and options of other programs.
NO_NETWORK = (
    *('_name_or_path', 'architectures', 'dtype', 'torch_dtype'),
    *('transformers_version', 'is_encoder_decoder', 'use_cache'),
    *('id2label', 'label2id', 'problem_type'),
)


class FrozenNetwork(FrozenPart, Embedder):
    """Base class of embedders with a frozen ``network``.

    With ``config``, the weights of the network are part of the model's
    checkpoints. With ``pretrained``, only their hash is stored, and loading
    verifies it. Code that a folder contains is never executed.

    Attributes:
        what: Name of the kind of network, for messages.
        model_type: Type of the network if its config has no ``model_type``.
        sub_config: Key of the network's config within the config of a model
            that has several networks.
    """

    part = 'network'
    files = ('pretrained',)
    entrances = ('forward',)
    what: str
    model_type: str
    sub_config: str

    @staticmethod
    @abstractmethod
    def network_class(config: Any) -> type | None:
        """The transformers class for a config; None if it does not fit."""

    def init_network(
        self, config: ConfigType | None, pretrained: str | None
    ) -> None:
        """Build or load the network, and freeze it.

        Args:
            config: Arguments of a transformers config and its ``model_type``.
            pretrained: Folder, or name on huggingface.co.

        Raises:
            ValueError: If both or none is given, or the network is not
                available.
        """
        if (config is None) == (pretrained is None):
            raise ValueError(
                f'{self._name}.config={config} with pretrained='
                f'{pretrained!r}: give one of them'
            )
        self.pretrained = pretrained
        if config is not None:
            self.network = self._built(dict(config))
        else:
            self.network = self._loaded(pretrained)
        self.freeze_part(has_file=pretrained is not None)

    def include_network(self) -> dict[str, Any]:
        """Store the network in state dicts too, if it is ``pretrained``.

        Returns:
            Arguments for an embedder that loads these state dicts.
        """
        self.pretrained = None
        self.include_part()
        config = self.network.config
        kind = dict(model_type=config.model_type)
        if config.model_type == self.model_type:
            kind = {}
        return dict(config=kind | _differences(config))

    @property
    def frozen(self) -> bool:
        """See :class:`Embedder`; False if an adapter is trained."""
        return not any(w.requires_grad for w in self.network.parameters())

    def identity(self) -> dict[str, Any]:
        """See :class:`Embedder`."""
        digest = self.part_hash
        if digest is None:
            digest = self.hash_part(self.frozen_weights())
        return dict(type=self._name, weights=as_hex(digest))

    def gradients(self) -> AbstractContextManager:
        """A context that records gradients only if an adapter is trained."""
        return torch.set_grad_enabled(
            torch.is_grad_enabled() and not self.frozen
        )

    def read_part(self) -> dict[str, Tensor]:
        """See :class:`FrozenPart`."""
        return self._loaded(self.pretrained).state_dict()

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """The hash of the network's weights."""
        start = f'{self.part}.'
        return weights_hash(
            {n.removeprefix(start): w for n, w in weights.items()}
        )

    def other_part(self, wanted: Tensor) -> str:
        """See :class:`FrozenPart`."""
        return (
            f'the checkpoint was trained with {self.what} of other weights '
            f'than {self._name}.pretrained={self.pretrained!r}: give the '
            'one that it was trained with'
        )

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _built(self, config: dict[str, Any]) -> nn.Module:
        """An untrained network of a config."""
        where = f'{self._name}.config'
        kind = config.pop('model_type', self.model_type)
        cls = self._config_class(kind, where)
        known = {**cls().to_dict(), **cls.attribute_map}
        for key in config:
            if key not in known:
                raise ValueError(
                    f'{where} has an unknown key {key!r}: {cls.__name__} does '
                    f'not have it{suggest(key, known)}'
                )
        built = cls(**config)
        network, two = self._class(built, where), built.is_encoder_decoder
        built = getattr(built, self.sub_config, built)
        return _inner(network(built, **_options(network)), two)

    def _loaded(self, pretrained: str) -> nn.Module:
        """The network from a folder or name, float32."""
        from transformers import PretrainedConfig  # takes seconds

        where = f'{self._name}.pretrained={pretrained!r}'
        stored, _ = self._have(PretrainedConfig.get_config_dict, where)
        if {'AutoConfig', 'AutoModel'} & {*(stored.get('auto_map') or ())}:
            raise ValueError(
                f'{where} comes with its own code, which is not executed: '
                'give a network whose class transformers has; if it has, '
                'remove auto_map from its config.json'
            )
        kind = stored.get('model_type', self.model_type)
        config = self._config_class(kind, where).from_dict(stored)
        cls = self._class(config, where)
        load = partial(
            cls.from_pretrained,
            output_loading_info=True,
            attn_implementation=default_attention(cls),
            **_options(cls),
        )
        model, report = self._have(load, where)
        missing = sorted(report['missing_keys'])
        if missing:
            raise ValueError(
                f'{where} lacks {len(missing)} weights of a {cls.__name__}, '
                f'such as {missing[0]}'
            )
        return _inner(model.float(), config.is_encoder_decoder)

    def _have(self, load: Callable[..., Part], where: str) -> Part:
        """Load a part from a folder or name."""
        return required(load, self.pretrained, where, self.what)

    def _config_class(self, kind: Any, where: str) -> type:
        """A config class of transformers itself, and no other."""
        from transformers import CONFIG_MAPPING

        if kind not in CONFIG_MAPPING:
            near = suggest(str(kind), [*CONFIG_MAPPING])
            raise ValueError(
                f'{where} has model_type={kind!r}, which is unknown to '
                f'transformers{near.partition(" Valid names")[0]}'
            )
        return CONFIG_MAPPING[kind]

    def _class(self, config: Any, where: str) -> type:
        """The class of the network that a config describes."""
        cls = self.network_class(getattr(config, self.sub_config, config))
        if cls is None:
            raise ValueError(
                f'{where} has model_type={config.model_type!r}, which is not '
                f'{self.what}'
            )
        return cls


def _options(cls: type) -> dict[str, bool]:
    """Arguments that leave out the pooling, missing in many files."""
    pools = 'add_pooling_layer' in signature(cls.__init__).parameters
    return dict(add_pooling_layer=False) if pools else {}


def _inner(model: Any, two: bool) -> nn.Module:
    """The encoder of a model, with the same structure in all versions.

    Args:
        model: A model of transformers. Before version 5, CLIP's encoders are
            wrapped in another module.
        two: Whether the model has an encoder and a decoder.
    """
    return model.get_encoder() if two else getattr(model, 'text_model', model)


def _differences(config: Any) -> dict[str, Any]:
    """The values of a config that differ from the defaults."""
    default = type(config)().to_dict()
    return {
        key: value
        for key, value in config.to_dict().items()
        if key in default and value != default[key] and key not in NO_NETWORK
    }
