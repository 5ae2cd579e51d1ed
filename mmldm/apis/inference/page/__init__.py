"""A page in the browser that draws with a model; it needs gradio."""

from .limits import Limits

__all__ = ['Limits']
