"""Embedders around a network of transformers that is never trained."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any, TypeVar

from torch import Tensor, nn

from mmldm.utils.checkpoint import weights_hash
from mmldm.utils.checks import suggest
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.hub import required
from mmldm.utils.typing import ConfigType

from .embedder import Embedder

Part = TypeVar('Part')
# Of a config: where a network is from, how it was stored, what others do
# with it.
NO_NETWORK = (
    *('_name_or_path', 'architectures', 'dtype', 'torch_dtype'),
    *('transformers_version', 'is_encoder_decoder', 'use_cache'),
    *('id2label', 'label2id', 'problem_type'),
)


class FrozenNetwork(FrozenPart, Embedder):
    """What has a ``network``, by ``config`` or ``pretrained``.

    Given by ``config``, its weights are part of the model's checkpoints;
    given by ``pretrained``, they are not: their hash is, and loading verifies
    it. Code that a folder brings along is never executed.

    Attributes:
        what: What messages call the network.
        model_type: Of a config that does not say it.
        sub_config: Where the config of a model of several has that of this
            network.
    """

    part = 'network'
    files = ('pretrained',)
    what: str
    model_type: str
    sub_config: str

    @staticmethod
    @abstractmethod
    def network_class(config: Any) -> type | None:
        """The class of transformers that a config is of; None if unfit."""

    def init_network(
        self, config: ConfigType | None, pretrained: str | None
    ) -> None:
        """Build or load the network, and freeze it.

        Args:
            config: Of transformers, with its ``model_type``.
            pretrained: Folder, or name on huggingface.co.

        Raises:
            ValueError: If not one of them is given, or there is no such
                network.
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
        """Let state dicts hold the network too, if it is ``pretrained``.

        Returns:
            Arguments of the embedder whose state dicts these are.
        """
        self.pretrained = None
        self.include_part()
        config = self.network.config
        kind = dict(model_type=config.model_type)
        if config.model_type == self.model_type:
            kind = {}
        return dict(config=kind | _differences(config))

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """Of the network by itself."""
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
        """The network of a config, untrained."""
        where = f'{self._name}.config'
        kind = config.pop('model_type', self.model_type)
        cls = self._config_class(kind, where)
        known = {**cls().to_dict(), **cls.attribute_map}
        for key in config:
            if key not in known:
                raise ValueError(
                    f'{where} has the key {key!r}, which {cls.__name__} has '
                    f'not{suggest(key, known)}'
                )
        built = cls(**config)
        network, two = self._class(built, where), built.is_encoder_decoder
        built = getattr(built, self.sub_config, built)
        return _inner(network(built, **_options(network)), two)

    def _loaded(self, pretrained: str) -> nn.Module:
        """The network of a folder or name, float32."""
        from transformers import PretrainedConfig  # takes seconds

        where = f'{self._name}.pretrained={pretrained!r}'
        told, _ = self._have(PretrainedConfig.get_config_dict, where)
        if {'AutoConfig', 'AutoModel'} & {*(told.get('auto_map') or ())}:
            raise ValueError(
                f'{where} comes with code of its own, which is not executed: '
                "give a network that is transformers' own; if this is, take "
                'auto_map out of its config.json'
            )
        kind = told.get('model_type', self.model_type)
        config = self._config_class(kind, where).from_dict(told)
        cls = self._class(config, where)
        load = partial(
            cls.from_pretrained,
            output_loading_info=True,
            attn_implementation=_attention(cls),
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
        """What a folder or name has."""
        return required(load, self.pretrained, where, self.what)

    def _config_class(self, kind: Any, where: str) -> type:
        """Of transformers' own; nothing else is looked up."""
        from transformers import CONFIG_MAPPING

        if kind not in CONFIG_MAPPING:
            near = suggest(str(kind), [*CONFIG_MAPPING])
            raise ValueError(
                f'{where} has model_type={kind!r}, which transformers does '
                f'not know{near.partition(" Valid names")[0]}'
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
    """Leave out what is made of the tokens: many files lack its weights."""
    pools = 'add_pooling_layer' in signature(cls.__init__).parameters
    return dict(add_pooling_layer=False) if pools else {}


def _attention(cls: type) -> str:
    """The default attention; a config.json could name a package's code."""
    return 'sdpa' if getattr(cls, '_supports_sdpa', False) else 'eager'


def _inner(model: Any, two: bool) -> nn.Module:
    """The encoder of a pair; one structure for all releases of CLIP.

    Args:
        model: As transformers has it: before 5 with a shell around.
        two: Whether it is an encoder with a decoder.
    """
    return model.get_encoder() if two else getattr(model, 'text_model', model)


def _differences(config: Any) -> dict[str, Any]:
    """What a config says of the network that is not the default."""
    default = type(config)().to_dict()
    return {
        key: value
        for key, value in config.to_dict().items()
        if key in default and value != default[key] and key not in NO_NETWORK
    }
