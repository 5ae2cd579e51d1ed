import json

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model

from mmldm.models.feature_networks import DINOv2Features

SIDE = 28


@pytest.fixture
def folder(tmp_path):
    """Folder of a tiny network."""
    config = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=SIDE,
    )
    Dinov2Model(config).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, SIDE, SIDE), dtype=torch.uint8)


def test_features_are_the_class_token_of_normalised_images(folder, images):
    found = DINOv2Features(str(folder), side=SIDE)(images).features
    mean, std = (
        torch.tensor(values).view(3, 1, 1)
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    network = Dinov2Model.from_pretrained(folder).eval()
    with torch.inference_mode():
        tokens = network((images / 255 - mean) / std).last_hidden_state
    torch.testing.assert_close(found, tokens[:, 0], rtol=0, atol=1e-5)


def test_weights_in_half_precision_are_computed_with_in_single(folder, images):
    Dinov2Model.from_pretrained(folder).half().save_pretrained(folder)
    network = DINOv2Features(str(folder), side=SIDE)
    assert {w.dtype for w in network.parameters()} == {torch.float32}
    assert network(images).features.dtype == torch.float32


def test_a_folder_cannot_name_the_code_of_its_attention(folder):
    path = folder / 'config.json'
    config = json.loads(path.read_text())
    # transformers would fetch a package of this name and run it.
    path.write_text(json.dumps(config | dict(attn_implementation='a/b')))
    network = DINOv2Features(str(folder), side=SIDE).network
    assert network.config._attn_implementation == 'eager'


@pytest.mark.parametrize(('side', 'near'), [(30, 28), (7, 14)])
def test_a_side_without_whole_patches_is_refused(folder, side, near):
    with pytest.raises(ValueError, match=f'side={side} .*set side={near}$'):
        DINOv2Features(str(folder), side=side)
