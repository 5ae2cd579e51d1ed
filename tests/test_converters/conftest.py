"""The models of tests/data/reference/."""

import pytest

CASES = [
    'class_vq_f4',
    'inpainting_vq_f4',
    'layout_vq_f4',
    'semantic_vq_f4',
    'superres_vq_f4',
    'text_kl_f8',
    'uncond_kl_f8',
    'uncond_vq_f4',
]


@pytest.fixture(params=CASES, scope='session')
def name(request):
    """Of every model in turn, where a test asks for no other."""
    return request.param
