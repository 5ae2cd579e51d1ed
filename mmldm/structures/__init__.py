from .condition import Condition
from .ldm_data_sample import LDMDataSample

__all__ = ['Condition', 'LDMDataSample']
