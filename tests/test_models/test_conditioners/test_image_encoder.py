"""Images as tokens, by a small untrained CLIP."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.models.conditioners import ImageEncoder
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import load_weights

CLIP = dict(
    hidden_size=16,
    intermediate_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    image_size=16,
    patch_size=8,
    projection_dim=8,
)
KEEP = torch.tensor([False, False])


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    folder = str(tmp_path_factory.mktemp('clip'))
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP))
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def images():
    """Two a sample, of any sizes."""
    rng = np.random.default_rng(0)
    sizes = (20, 33), (16, 16), (47, 18), (9, 12)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


@pytest.fixture
def samples(images):
    tensors = [torch.from_numpy(image).permute(2, 0, 1) for image in images]
    return [LDMDataSample(ref_imgs=tensors[i : i + 2]) for i in (0, 2)]


@torch.no_grad()
def test_tokens_are_those_of_transformers(folder, images, samples):
    from transformers import CLIPVisionModelWithProjection
    from transformers.models.clip.image_processing_pil_clip import (
        CLIPImageProcessorPil,
    )

    prepare = CLIPImageProcessorPil(
        size=dict(shortest_edge=16), crop_size=dict(height=16, width=16)
    )
    model = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    pixels = [
        prepare(Image.fromarray(image), return_tensors='pt').pixel_values
        for image in images
    ]
    embeds = model(torch.cat(pixels)).image_embeds
    expected = embeds / embeds.norm(dim=1, keepdim=True)
    encoder = ImageEncoder(pretrained=folder)
    tokens = encoder(samples, KEEP)
    assert tokens.shape == (2, 2, encoder.dim) == (2, 2, 8)
    torch.testing.assert_close(
        tokens.flatten(0, 1), expected, rtol=0, atol=1e-5
    )
    assert expected[0].sub(expected[1]).abs().max() > 0.05


def test_null_is_zeros_and_one_stack_will_do(folder, samples):
    encoder = ImageEncoder(pretrained=folder)
    same = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    samples[1] = LDMDataSample(ref_imgs=same)
    tokens = encoder(samples, torch.tensor([True, False]))
    assert not tokens[0].any()
    assert torch.equal(tokens[1, 0], tokens[1, 1])
    torch.testing.assert_close(tokens[1].norm(dim=1), torch.ones(2))


def test_it_is_stored_as_a_text_encoder_is(folder, samples):
    encoder = ImageEncoder(pretrained=folder).train()
    assert encoder.state_dict().keys() == {'network_hash'}
    assert not any(m.training for m in encoder.network.modules())
    expected = encoder(samples, KEEP)
    assert not expected.requires_grad
    copy = ImageEncoder(**encoder.include_network())
    load_weights(copy, encoder.state_dict(), 'included')
    assert torch.equal(copy(samples, KEEP), expected)
    other = ImageEncoder(config=CLIP)
    with pytest.raises(ValueError, match=r'CLIP of other .*pretrained='):
        load_weights(ImageEncoder(pretrained=folder), other.state_dict(), '')


@pytest.mark.parametrize(
    'value, message',
    [
        ([], 'has no image in its ref_imgs'),
        (torch.zeros(2, 3, 8, 8), 'one of torch.float32 and shape'),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r'and shape \(8, 3\), but'),
        (
            torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
            r'have \[1, 2\] ref_imgs',
        ),
    ],
)
def test_other_images_are_refused(folder, samples, value, message):
    samples[0] = LDMDataSample(ref_imgs=value)
    with pytest.raises(ValueError, match=message):
        ImageEncoder(pretrained=folder)(samples, KEEP)


def test_another_network_is_refused(clip_folder):
    with pytest.raises(ValueError, match='which is not a vision model of CL'):
        ImageEncoder(pretrained=clip_folder)
    with pytest.raises(ValueError, match='give one of them'):
        ImageEncoder()
