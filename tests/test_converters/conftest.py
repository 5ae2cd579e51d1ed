"""The models of tests/data/reference/, and how near is near."""

import pytest
import torch

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


@pytest.fixture
def assert_near():
    def assert_near(found, expected, rel=1e-4):
        """Within a part of the largest value, as between float32 kernels."""
        atol = rel * expected.abs().max().item()
        torch.testing.assert_close(found, expected, rtol=0, atol=atol)

    return assert_near
