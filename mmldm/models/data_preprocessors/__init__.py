from .ldm_data_preprocessor import LDMDataPreprocessor

__all__ = ['LDMDataPreprocessor']
