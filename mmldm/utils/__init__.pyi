from .checks import (
    check_choice,
    check_count,
    check_divisible,
    check_positive,
    check_range,
    check_share,
)
from .draws import Draws, address_seed
from .registration import register_all_modules

__all__ = [
    'Draws',
    'address_seed',
    'check_choice',
    'check_count',
    'check_divisible',
    'check_positive',
    'check_range',
    'check_share',
    'register_all_modules',
]
