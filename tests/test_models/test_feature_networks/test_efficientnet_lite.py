import pytest
import torch
from skimage import data

from mmldm.models.feature_networks import EfficientNetLiteFeatures

# ImageNet's numbers.
TABBY, TIGER_CAT, EGYPTIAN_CAT, ESPRESSO = 281, 282, 285, 967


@pytest.fixture(scope='module')
def network():
    return EfficientNetLiteFeatures()


def image(name):
    return torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None]


def test_it_tells_a_cat_from_a_cup(network):
    """The weights, the network and the preparation belong together."""
    cat = network(image('chelsea')).logits.argmax().item()
    assert cat in (TABBY, TIGER_CAT, EGYPTIAN_CAT)
    assert network(image('coffee')).logits.argmax().item() == ESPRESSO


def test_features_are_what_its_classes_are_read_from(network):
    features, logits = network(image('coffee'))
    assert features.shape == (1, network.num_features)
    read = network.network._fc(features)
    torch.testing.assert_close(read, logits)
    assert logits.shape == (1, network.num_classes)


def test_the_protocol_has_the_hash_in_the_name_of_the_file(network):
    assert network.protocol['weights'].startswith('57934424')
    assert network.protocol['side'] == 224


def test_a_smaller_side_is_another_protocol():
    small = EfficientNetLiteFeatures(side=64)
    assert small.protocol['side'] == 64
    assert small(image('chelsea')).features.shape == (1, 1280)
    with pytest.raises(ValueError, match='side=16 .*>= 32'):
        EfficientNetLiteFeatures(side=16)


def test_it_is_never_trained(network):
    network.train()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    'wrong', [torch.zeros(1, 3, 8, 8), torch.zeros(3, 8, 8).byte()]
)
def test_what_is_no_image_is_refused(network, wrong):
    with pytest.raises(ValueError, match='expects uint8 images'):
        network(wrong)
