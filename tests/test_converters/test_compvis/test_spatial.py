"""Spatial conditions as the original makes them; see tests/data/reference."""

import torch

from mmldm.converters.compvis.first_stage import (
    FIRST_STAGE_KEYS,
    first_stage_config,
)
from mmldm.models.conditioners import LowResolution, MaskedImage, SemanticMap
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample

KEEP = torch.tensor([False, False])


def test_a_semantic_map_is_that_of_the_original(reference, assert_near):
    name = 'semantic_vq_f4'
    expected = reference.values(name)
    params = reference.original(name)['cond_stage_config']['params']
    embedder = SemanticMap(
        params['in_channels'], params['n_stages'], params['out_channels']
    )
    weights = reference.weights(name, 'cond_stage_model.')
    weight = weights['channel_mapper.weight']
    embedder.load_state_dict({'linear.weight': weight[..., 0, 0]})
    samples = [
        LDMDataSample(gt_sem_seg=m) for m in expected['segmentation'][:, None]
    ]
    with torch.no_grad():
        assert_near(embedder(samples, KEEP), expected['concat'])


def test_a_masked_image_is_that_of_the_original(reference, assert_near):
    """Through the first stage; this case's hole is grey, not black."""
    name = 'inpainting_vq_f4'
    expected = reference.values(name)
    original = reference.original(name)['first_stage_config']
    config = first_stage_config(original)
    weights = reference.weights(name, 'first_stage_model.')
    autoencoder = MODELS.build(config).eval()
    autoencoder.load_state_dict(FIRST_STAGE_KEYS.read(weights, config))
    masks = expected['mask']
    images = reference.gaussian(f'{name}/image', (2, 3, *masks.shape[2:]))
    masked = (1 - masks) * images.clamp(-1, 1)
    with torch.no_grad():
        found = MaskedImage(3).concat(masked, masks, autoencoder.encode)
    assert_near(found, expected['concat'])


def test_a_small_image_is_that_of_the_original(reference):
    """Up to the rounding to bytes, half of one."""
    expected = reference.values('superres_vq_f4')
    samples = [
        LDMDataSample(img_lq=x) for x in to_images(expected['lr_image'])
    ]
    torch.testing.assert_close(
        LowResolution()(samples, KEEP),
        expected['concat'],
        rtol=0,
        atol=0.5 / 127.5 + 1e-6,
    )
