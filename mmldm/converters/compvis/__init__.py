from mmldm.utils.lightning_checkpoint import read_compvis_checkpoint

from .checkpoint import Converted, convert_compvis, with_first_stage
from .first_stage_shapes import first_stage_of
from .model import model_config

__all__ = [
    'Converted',
    'convert_compvis',
    'first_stage_of',
    'model_config',
    'read_compvis_checkpoint',
    'with_first_stage',
]
