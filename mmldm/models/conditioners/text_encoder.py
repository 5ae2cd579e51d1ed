"""A text encoder that others have trained, frozen."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mmldm.registry import MODELS
from mmldm.utils import check_choice
from mmldm.utils.checkpoint import weights_hash
from mmldm.utils.checks import suggest
from mmldm.utils.frozen_part import FrozenPart
from mmldm.utils.typing import ConfigType, SampleList

from .embedder import Embedder, Encode
from .hub import from_hub
from .tokenizers import PretrainedTokens, check_ids

LAYERS = ('last', 'penultimate')
# Of a CLIPTextConfig: where a network is from, and how it was stored.
NO_NETWORK = (
    *('_name_or_path', 'architectures', 'dtype', 'torch_dtype'),
    'transformers_version',
)


class ClipTokens(PretrainedTokens):
    """Pairs of bytes; Radford et al. 2021 (arXiv:2103.00020), sec. 2.4."""

    kind = 'CLIPTokenizer'


@MODELS.register_module()
class TextEncoder(FrozenPart, Embedder):
    """CLIP's text model by transformers, as in Stable Diffusion 1 and 2.

    A token for every position of the caption, padding included; null is the
    empty caption. The network is never trained. Given by ``config``, its
    weights are part of the model's checkpoints; given by ``pretrained``, they
    are not: their hash is, and loading verifies it.

    Args:
        config: Arguments of transformers' ``CLIPTextConfig``.
        pretrained: Folder of a ``CLIPTextModel``, or name on huggingface.co.
        tokenizer: Folder of a ``CLIPTokenizer``, or name, looked for at the
            first caption; None for that of ``pretrained``.
        max_length: Tokens a caption: longer ones are cut, shorter ones padded
            as the tokenizer does.
        layer: 'last', or 'penultimate', the layer before; the final norm is
            applied to either.

    Raises:
        ValueError: If not one of ``config`` and ``pretrained`` is given, there
            is no tokenizer, or the network is not to be had.
    """

    slot = 'tokens'
    reads = ('caption',)
    part = 'network'

    def __init__(
        self,
        config: ConfigType | None = None,
        pretrained: str | None = None,
        tokenizer: str | None = None,
        max_length: int = 77,
        layer: str = 'last',
    ) -> None:
        super().__init__()
        check_choice('TextEncoder.layer', layer, LAYERS)
        if (config is None) == (pretrained is None):
            raise ValueError(
                f'TextEncoder.config={config} with pretrained={pretrained!r}: '
                'give one of them'
            )
        if tokenizer is None and pretrained is None:
            raise ValueError(
                'TextEncoder.config says nothing of a tokenizer: give '
                "tokenizer, such as 'openai/clip-vit-large-patch14'"
            )
        self.layer = layer
        self.tokenizer = ClipTokens(tokenizer or pretrained, max_length)
        if config is not None:
            self.network = _built(config)
        else:
            self.network = _loaded(pretrained)
        self.pretrained = pretrained
        self.freeze_part(has_file=pretrained is not None)
        self.dim = self.network.config.hidden_size
        positions = self.network.config.max_position_embeddings
        if max_length > positions:
            raise ValueError(
                f'TextEncoder.max_length={max_length}, but the network has '
                f'{positions} positions: set max_length={positions}'
            )

    def include_network(self) -> dict[str, Any]:
        """Let state dicts hold the network too, if it is ``pretrained``.

        Returns:
            Arguments of the encoder whose state dicts these are.
        """
        self.pretrained = None
        self.include_part()
        return dict(
            config=_differences(self.network.config),
            tokenizer=self.tokenizer.pretrained,
            max_length=self.tokenizer.max_length,
            layer=self.layer,
        )

    def hash_part(self, weights: dict[str, Tensor]) -> Tensor:
        """Of the network by itself."""
        start = f'{self.part}.'
        return weights_hash(
            {n.removeprefix(start): w for n, w in weights.items()}
        )

    def other_part(self, wanted: Tensor) -> str:
        """See :class:`FrozenPart`."""
        return (
            'the checkpoint was trained with a text encoder of other weights '
            f'than TextEncoder.pretrained={self.pretrained!r}: give the '
            'one that it was trained with'
        )

    @torch.no_grad()
    def forward(
        self,
        data_samples: SampleList,
        drop: Tensor,
        encode: Encode | None = None,
    ) -> Tensor:
        """(B, max_length, C).

        Args:
            data_samples: With a ``caption`` where not dropped.
            drop: See :class:`Embedder`.
            encode: Not used.

        Raises:
            ValueError: If a caption is missing, or the tokenizer is not to be
                had or not that of the network.
        """
        ids = self.tokenizer(data_samples, drop)
        check_ids(
            ids,
            self.network.config.vocab_size,
            'the tokenizer',
            'TextEncoder.config.vocab_size',
        )
        out = self.network(ids.to(self.device), output_hidden_states=True)
        if self.layer == 'last':
            return out.last_hidden_state
        return self.network.final_layer_norm(out.hidden_states[-2])


def _built(config: ConfigType) -> nn.Module:
    """The network of a config, untrained."""
    from transformers import CLIPTextConfig, CLIPTextModel  # takes seconds

    known = CLIPTextConfig().to_dict()
    for key in config:
        if key not in known:
            raise ValueError(
                f'TextEncoder.config has the key {key!r}, which CLIPTextConfig'
                f' has not{suggest(key, known)}'
            )
    return _inner(CLIPTextModel(CLIPTextConfig(**config)))


def _loaded(pretrained: str) -> nn.Module:
    """The network of a folder or name, float32."""
    from transformers import CLIPTextModel

    try:
        load = partial(CLIPTextModel.from_pretrained, output_loading_info=True)
        model, report = from_hub(load, pretrained)
    except Exception as error:
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(
            f'TextEncoder.pretrained={pretrained!r} is neither a folder with '
            'a CLIPTextModel nor the name of one that could be downloaded '
            f'({reason}): give the folder'
        ) from error
    missing = sorted(report['missing_keys'])
    if missing:
        raise ValueError(
            f'TextEncoder.pretrained={pretrained!r} lacks {len(missing)} '
            f'weights of a CLIPTextModel, such as {missing[0]}'
        )
    return _inner(model.float())


def _differences(config: Any) -> dict[str, Any]:
    """What a CLIPTextConfig says that is not the default, of the network."""
    default = type(config)().to_dict()
    return {
        key: value
        for key, value in config.to_dict().items()
        if key in default and value != default[key] and key not in NO_NETWORK
    }


def _inner(model: Any) -> nn.Module:
    """One structure for all releases: before 5 there was a shell around."""
    return getattr(model, 'text_model', model)
