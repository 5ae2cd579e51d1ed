from .layers import (
    LowRank,
    active_updates,
    adapted_layers,
    add_adapter,
    find_layers,
    load_peft,
    merged_state,
    remove_adapters,
)
from .lora import LoRA

__all__ = [
    'LoRA',
    'LowRank',
    'active_updates',
    'adapted_layers',
    'add_adapter',
    'find_layers',
    'load_peft',
    'merged_state',
    'remove_adapters',
]
