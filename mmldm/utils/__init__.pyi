from .checks import (
    check_choice,
    check_count,
    check_divisible,
    check_positive,
    check_range,
    check_share,
)
from .registration import register_all_modules
from .sample_random import SampleRandom, address_seed

__all__ = [
    'SampleRandom',
    'address_seed',
    'check_choice',
    'check_count',
    'check_divisible',
    'check_positive',
    'check_range',
    'check_share',
    'register_all_modules',
]
