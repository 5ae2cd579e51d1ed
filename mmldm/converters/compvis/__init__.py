from mmldm.utils.lightning_checkpoint import read_compvis_checkpoint

from .checkpoint import Converted, convert_compvis, with_first_stage
from .first_stage_aliases import first_stage_part
from .model import model_config
from .recognition import recognised

__all__ = [
    'Converted',
    'convert_compvis',
    'first_stage_part',
    'model_config',
    'read_compvis_checkpoint',
    'recognised',
    'with_first_stage',
]
