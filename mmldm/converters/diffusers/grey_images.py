"""A first stage of grey images, as one of coloured images."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmldm.models.autoencoders import AutoencoderKL, GreyAutoencoderKL

from ..key_mapping import without_memory


def fold_grey(
    weights: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
    """The same first stage without a mean over colours after the decoder.

    The mean of the last convolution's outputs is the output of the mean of
    its weights. Other first stages stay unchanged.

    Args:
        weights: Weights of a first stage of ours, by name.
        config: Config of the first stage.
    """
    if config['type'] != GreyAutoencoderKL.__name__:
        return weights, config
    model = without_memory(config)
    (last,) = (
        name
        for name, weight in model.named_parameters()
        if weight is model.last_weight
    )
    folded = {}
    for name in (last, last.removesuffix('weight') + 'bias'):
        mean = weights[name].double().mean(0, keepdim=True)
        folded[name] = mean.expand_as(weights[name]).to(weights[name])
    return {**weights, **folded}, {**config, 'type': AutoencoderKL.__name__}
