"""Whole models, converted, against what the original computes.

See tests/data/reference/README.md.
"""

from types import SimpleNamespace

import pytest
import torch

from mmldm.converters import convert_compvis
from mmldm.diffusion import DDIM, PLMS, ClassifierFreeGuidance, add_noise
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

GUIDED = ['class_vq_f4', 'layout_vq_f4', 'text_kl_f8']
SIZE = (64, 64)
# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')


@pytest.fixture(scope='module')
def case(name, reference):
    """A model converted with its checkpoint, and what it is fed."""
    converted = convert_compvis(
        reference.config(name), reference.checkpoint(name)
    )
    model = MODELS.build(converted.config).eval()
    load_weights(model, converted.weights, name)
    expected = reference.values(name)
    image = reference.gaussian(f'{name}/image', (2, 3, *SIZE)).clamp(-1, 1)
    shape = expected['z0'].shape
    return SimpleNamespace(
        name=name,
        converted=converted,
        model=model,
        expected=expected,
        image=image,
        noise=reference.gaussian(f'{name}/noise', shape),
        x_t=reference.gaussian(f'{name}/xt', shape),
        z_T=reference.gaussian(f'{name}/xT', shape),
        samples=[_sample(expected, image, i) for i in range(2)],
    )
