"""Adapters in files of diffusers and of kohya: names and shapes.

diffusers (``load_lora_weights``) writes a part and its layer before
'.lora_A.weight' and '.lora_B.weight'; old files name an attention processor.
kohya's scripts write 'lora_unet_' or 'lora_te_' and the layer with '_' for
'.', before '.lora_down.weight', '.lora_up.weight' and '.alpha'.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmldm.models.adapters import LowRank

from ..key_mapping import KeyMapping, Pair, without_memory
from ..transformer_names import CLIP_KEYS, SHELL
from .denoiser import unet_keys

# Key in the metadata of a file that diffusers saves.
METADATA = 'lora_adapter_metadata'
ALPHAS = '.lora_alpha', '.alpha_pattern'
TO_OUT = '.to_out.0.lora.'
OLD = re.compile(r'\.processor\.(to_\w+?)_lora\.')
NAME = re.compile(
    r'(?P<layer>.+?)(\.lora_linear_layer|\.lora)?[._]'
    r'((lora_A|lora_down|down)(\.default)?\.(?P<down>weight)|'
    r'(lora_B|lora_up|up)(\.default)?\.(?P<up>weight)|(?P<alpha>alpha))'
)
MOST = 3
MOST_ALPHA = 1e9


class Place(NamedTuple):
    """A layer in diffusers, as a part of a layer of ours.

    Attributes:
        ours: Name of our layer in the model.
        pair: Its weight in both systems.
        number: Which of the parts of our layer it is.
    """

    ours: str
    pair: Pair
    number: int


class Network(NamedTuple):
    """A network that may have adapters, in both systems.

    Attributes:
        ours: Name of our network in the model.
        theirs: Its name in diffusers.
        kohya: Prefix of its layers in files of kohya.
        keys: Names of its weights in both systems.
        config: Config of our network.
    """

    ours: str
    theirs: str
    kohya: str
    keys: KeyMapping
    config: Mapping[str, Any]

    def pairs(self) -> dict[str, Pair]:
        """The weight of every linear and convolution layer, by our name."""
        return {
            f'{self.ours}.{pair.ours.removesuffix(".weight")}': pair
            for pair in self.keys.pairs(without_memory(self.config))
            if pair.ours.endswith('.weight') and len(pair.shape) > 1
        }

    def names(self, layer: str) -> tuple[str, ...]:
        """Names that files give to a layer of diffusers."""
        short = layer.removeprefix(SHELL[1])
        bare = (layer,) if self.theirs == 'unet' else ()
        return (
            *(f'{self.theirs}.{name}' for name in (layer, short)),
            self.kohya + layer.replace('.', '_'),
            *bare,
        )


def networks(config: Mapping[str, Any]) -> list[Network]:
    """The networks of a model that have a counterpart in diffusers."""
    found = []
    # The vector's layer is no part of a UNet in diffusers.
    denoiser = {**config['denoiser'], 'vector_dim': None}
    if denoiser['type'] in ('DenoisingUNet', 'mmldm.DenoisingUNet'):
        keys = unet_keys(denoiser)
        names = 'denoiser', 'unet', 'lora_unet_'
        found.append(Network(*names, keys, denoiser))
    for i, embedder in enumerate(config['conditioner'].get('embedders', ())):
        if embedder['type'] == 'TextEncoder' and embedder.get('config'):
            ours = f'conditioner.embedders.{i}'
            names = ours, 'text_encoder', 'lora_te_'
            found.append(Network(*names, CLIP_KEYS, embedder))
    return found


def adapter_to_diffusers(
    updates: Mapping[str, LowRank], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """The weights of a file for ``load_lora_weights`` of diffusers.

    Args:
        updates: The update of each adapted layer, by its name in our model.
        config: Config of our model.

    Raises:
        ValueError: If diffusers has no counterpart of a layer.
    """
    places = {
        ours: (network, pair)
        for network in networks(config)
        for ours, pair in network.pairs().items()
    }
    odd = [name for name in updates if name not in places]
    if odd:
        raise ValueError(
            f'{len(odd)} adapted layers have no counterpart in diffusers: '
            f'{", ".join(odd[:MOST])}: write the adapter in our own names'
        )
    found = {}
    for name, update in updates.items():
        network, pair = places[name]
        kernel = pair.part_shape[1:]
        ones = [1] * (len(kernel) - 1)
        ups = update.up.flatten(1).chunk(len(pair.theirs))
        for theirs, up in zip(pair.theirs, ups, strict=True):
            layer = f'{network.theirs}.{theirs.removesuffix(".weight")}'
            down = update.down.reshape(-1, *kernel)
            found[f'{layer}.lora_A.weight'] = down.clone()
            found[f'{layer}.lora_B.weight'] = up.reshape(*up.shape, *ones)
    return {name: weight.contiguous() for name, weight in found.items()}


def adapter_from_diffusers(
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, str],
    config: Mapping[str, Any],
) -> dict[str, LowRank]:
    """The update of each of our layers, by its name in our model.

    Args:
        weights: Weights of a file of diffusers or kohya, by name.
        metadata: The file's metadata.
        config: Config of our model.

    Raises:
        ValueError: If a weight has no counterpart in our model.
    """
    places = {
        name: Place(ours, pair, number)
        for network in networks(config)
        for ours, pair in network.pairs().items()
        for number, theirs in enumerate(pair.theirs)
        for name in network.names(theirs.removesuffix('.weight'))
    }
    grouped, odd = _grouped(weights)
    odd += [layer for layer in grouped if layer not in places]
    if odd:
        raise ValueError(
            f'{len(odd)} of its layers have no place in this model: '
            f'{", ".join(odd[:MOST])}: use the model that it was trained on'
        )
    settings = _settings(metadata)
    parts: dict[str, dict[int, LowRank]] = {}
    for layer, found in grouped.items():
        place = places[layer]
        _check_shapes(layer, found)
        scale = _scale(layer, found, settings)
        update = LowRank(found['down'], found['up'] * scale)
        parts.setdefault(place.ours, {})[place.number] = update
    pairs = {place.ours: place.pair for place in places.values()}
    return {ours: _joined(found, pairs[ours]) for ours, found in parts.items()}


def _grouped(
    weights: Mapping[str, Tensor],
) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """The tensors of each layer by their kind, and other names."""
    grouped: dict[str, dict[str, Tensor]] = {}
    odd = []
    for name, weight in weights.items():
        modern = OLD.sub(r'.\1.lora.', name).replace(
            '.to_out.l', '.to_out.0.l'
        )
        found = NAME.fullmatch(modern)
        if found is None:
            odd.append(name)
            continue
        kind = next(k for k in ('down', 'up', 'alpha') if found[k])
        layer = found['layer'].removesuffix('.lora')
        grouped.setdefault(layer, {})[kind] = weight.float()
    odd += [
        n for n, kinds in grouped.items() if not {'down', 'up'} <= {*kinds}
    ]
    return grouped, odd


def _check_shapes(layer: str, found: Mapping[str, Tensor]) -> None:
    """Raise unless the tensors of a layer are an update of some rank."""
    down, up = found['down'].shape, found['up'].shape
    if (
        min(len(down), len(up)) < 2
        or not 0 < down[0] == up[1:].numel()
        or ('alpha' in found and found['alpha'].numel() != 1)
    ):
        shapes = ', '.join(f'{k} {tuple(w.shape)}' for k, w in found.items())
        raise ValueError(
            f'its update of {layer} has the shapes {shapes}, which do not '
            'belong together: write the file again'
        )


def _settings(metadata: Mapping[str, str]) -> dict[str, Any]:
    """The settings of an adapter in a file's metadata; {} if it has none.

    Raises:
        ValueError: If they are not numbers by name.
    """
    settings = json.loads(metadata.get(METADATA, '{}'))
    settings = settings if isinstance(settings, dict) else {}
    for key, value in settings.items():
        one, several = map(key.endswith, ALPHAS)
        numbers = [value]
        if several:
            numbers = value.values() if isinstance(value, dict) else [None]
        if (one or several) and not all(
            isinstance(number, int | float) and abs(number) < MOST_ALPHA
            for number in numbers
        ):
            raise ValueError(
                f'its metadata has {key}={value!r}, expected numbers: write '
                'the file again'
            )
    return settings


def _scale(
    layer: str, found: Mapping[str, Tensor], settings: Mapping[str, Any]
) -> float:
    """Factor of a layer's update: alpha by the rank, or 1."""
    rank = len(found['down'])
    if 'alpha' in found:
        return found['alpha'].item() / rank
    part, _, inner = layer.partition('.')
    alpha = settings.get(f'{part}.lora_alpha', rank)
    for name, other in (settings.get(f'{part}.alpha_pattern') or {}).items():
        if inner == name or inner.endswith(f'.{name}'):
            alpha = other
    root = settings.get(f'{part}.use_rslora')
    return alpha / (rank**0.5 if root else rank)


def _joined(parts: Mapping[int, LowRank], pair: Pair) -> LowRank:
    """The update of our layer from those of its parts in diffusers.

    Raises:
        ValueError: If a shape does not fit.
    """
    rows, *kernel = pair.part_shape
    for name, (down, up) in zip(pair.theirs, parts.values(), strict=False):
        if down[0].numel() != torch.Size(kernel).numel() or len(up) != rows:
            raise ValueError(
                f'its update of {name} has {down[0].numel()} inputs and '
                f'{len(up)} outputs, expected {torch.Size(kernel).numel()} '
                f'and {rows}: use the model that it was trained on'
            )
    ranks = [len(part.down) for part in parts.values()]
    up = torch.zeros(pair.shape[0], sum(ranks))
    start = 0
    for number, part in parts.items():
        rank = len(part.down)
        own = slice(number * rows, (number + 1) * rows)
        up[own, start : start + rank] = part.up.flatten(1)
        start += rank
    down = torch.cat([part.down.flatten(1) for part in parts.values()])
    ones = [1] * (len(pair.shape) - 2)
    return LowRank(
        down.reshape(-1, *pair.shape[1:]), up.reshape(*up.shape, *ones)
    )
