"""Names of weights in diffusers, today and in old files."""

from collections.abc import Mapping

from mmengine.logging import print_log
from torch import Tensor

from mmldm.utils.checkpoint import few

from ..first_stage_names import OLD

# Layers of an attention of ours, and their names in diffusers.
ATTENTION = {
    'norm': 'group_norm',
    'qkv': ('to_q', 'to_k', 'to_v'),
    'out': 'to_out.0',
}


def modern_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the names of today's diffusers.

    Until 0.13 attention had other names.
    """
    found = {}
    for name, weight in weights.items():
        for old, new in OLD.items():
            name = name.replace(old, new)
        found[name] = weight
    if renamed := sorted(weights.keys() - found.keys()):
        print_log(
            f'{len(renamed)} weights have names of diffusers before 0.13: '
            f'{few(renamed)}: they are translated',
            logger='current',
        )
    return found
