"""Names of weights in diffusers, today and in old files."""

import re
from collections.abc import Mapping

from torch import Tensor

# Layers of an attention of ours, and their names in diffusers.
ATTENTION = {
    'norm': 'group_norm',
    'qkv': ('to_q', 'to_k', 'to_v'),
    'out': 'to_out.0',
}
# Names before diffusers 0.13.
OLD = {
    '.query.': '.to_q.',
    '.key.': '.to_k.',
    '.value.': '.to_v.',
    '.proj_attn.': '.to_out.0.',
}
PROJECTION = re.compile(r'\.(to_[qkv]|to_out\.0)\.weight$')


def modern_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with the names and shapes of today's diffusers.

    Until 0.13 attention had other names, and in some files its projections
    are 1x1 convolutions.
    """
    found = {}
    for name, weight in weights.items():
        for old, new in OLD.items():
            name = name.replace(old, new)
        positions = weight.shape[2:]
        if PROJECTION.search(name) and positions.numel() == 1:
            weight = weight.reshape(weight.shape[:2])
        found[name] = weight
    return found
