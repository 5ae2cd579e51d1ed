from mmldm.utils.lightning_checkpoint import read_compvis_checkpoint

from .checkpoint import Converted, convert_compvis, with_first_stage
from .model import model_config

__all__ = [
    'Converted',
    'convert_compvis',
    'model_config',
    'read_compvis_checkpoint',
    'with_first_stage',
]
