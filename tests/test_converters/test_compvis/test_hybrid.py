"""Hybrid models: one condition is concatenated, one attended to.

The originals are those of tests/data/reference/ that attend to tokens. Their
first convolution gets channels for ``c_concat`` with half of the weights that
it has for the latent: of ``x - c_concat / 2`` and ``c_concat`` it yields then
what the original's yields of ``x``, and so does the whole network.
"""

import pytest
import torch

from mmldm.converters import convert_compvis
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

# The smallest models have 32 channels, as many as norm groups.
pytestmark = [
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
    pytest.mark.filterwarnings('ignore:.*are taken for'),
]
FIRST_CONVOLUTIONS = (
    'model.diffusion_model.input_blocks.0.0.weight',
    'model_ema.diffusion_modelinput_blocks00weight',
)
SMALL, MASKED = 'LowResolution', 'MaskedImage'


def hybrid(reference, name, channels):
    """Config and checkpoint; added channels repeat those of the latent."""
    config, weights = reference.config(name), reference.checkpoint(name)
    params = config['params']
    params['conditioning_key'] = 'hybrid'
    params['unet_config']['params']['in_channels'] += len(channels)
    for key in FIRST_CONVOLUTIONS:
        added = weights[key][:, channels] / 2
        weights[key] = torch.cat([weights[key], added], dim=1)
    return config, weights


def data_samples(expected):
    """Labels or tokens of the reference, and images of any content."""
    samples = []
    for i in range(2):
        draws = torch.Generator().manual_seed(i)
        image, small = (
            torch.randint(256, (3, side, side), generator=draws).byte()
            for side in (64, 16)
        )
        sample = LDMDataSample(gt_img=image, img_lq=small)
        sample.mask = (image[:1] > 99).byte()
        if 'label' in expected:
            sample.set_gt_label(expected['label'][i].item())
        else:
            sample.tokens = expected['tokens'][i]
        samples.append(sample)
    return samples


@torch.no_grad()
@pytest.mark.parametrize(
    'name, channels, spatial',
    [
        ('class_vq_f4', [0, 1, 2], SMALL),
        ('class_vq_f4', [2], SMALL),
        ('layout_vq_f4', [2, 1, 0, 1], MASKED),
    ],
)
def test_the_output_is_the_originals(
    assert_near, reference, name, channels, spatial
):
    converted = convert_compvis(*hybrid(reference, name, channels))
    first, second = converted.config['conditioner']['embedders']
    assert second['type'] == spatial
    model = MODELS.build(converted.config).eval()
    load_weights(model, converted.weights, name)
    expected = reference.values(name)
    samples = data_samples(expected)
    if len(channels) == 1:
        for sample in samples:
            sample.img_lq = sample.img_lq[:1]
    cond = model.conditioner(samples, encode=model.autoencoder.encode)
    assert_near(cond.tokens, expected['context'])
    x = reference.gaussian(f'{name}/xt', expected['z0'].shape)
    for i, channel in enumerate(channels):
        x[:, channel] -= cond.spatial[:, i] / 2
    out = model.denoiser(x, expected['t'].float(), cond)
    assert_near(out, expected['eps'])
