import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from mmldm.evaluation.feature_moments import FeatureMoments
from mmldm.evaluation.feature_sets import FeatureSet, compare_sets

PROTOCOL = dict(network='A', weights='b', side=8, resize='c')


def set_of(features, logits=None, **protocol):
    moments = FeatureMoments(features.shape[1])
    moments.add(features)
    return FeatureSet(moments, PROTOCOL | protocol, features, logits)


def test_a_far_set_has_no_precision_recall_density_or_coverage():
    real = torch.randn(60, 4)
    names = ['precision_recall', 'density_coverage']
    same = compare_sets(set_of(real), set_of(real), names)
    far = compare_sets(set_of(real + 40), set_of(real), names)
    for name in ('precision', 'recall', 'coverage'):
        assert same[name] == 1
        assert far[name] == 0
    assert far['density'] == 0


def test_density_counts_the_balls_that_an_image_lies_in():
    """Real images on a line: the radii are 5, and known by counting."""
    real = torch.arange(11.0)[:, None]
    fake = torch.tensor([[5.1], [80.0]])
    found = compare_sets(set_of(fake), set_of(real), ['density_coverage'])
    # The fifth neighbour of image i is 5 away at the ends, 3 in the middle.
    radii = [sorted(abs(i - j) for j in range(11))[5] for i in range(11)]
    inside = sum(abs(i - 5.1) < radii[i] for i in range(11))
    assert found['density'] == pytest.approx(inside / (5 * 2))
    assert found['coverage'] == pytest.approx(inside / 11)


def test_half_of_the_modes_have_half_of_the_recall():
    modes = torch.randn(40, 3) + 50 * torch.arange(2).repeat(20)[:, None]
    values = compare_sets(
        set_of(modes[::2]), set_of(modes), ['precision_recall']
    )
    assert values['precision'] == 1
    assert values['recall'] == pytest.approx(0.5, abs=0.01)


def test_values_are_those_of_torch_fidelity():
    fake, real = torch.rand(50, 6), torch.rand(70, 6) + 0.1
    logits = torch.randn(50, 10)
    values = compare_sets(
        set_of(fake, logits), set_of(real), ['kid', 'is', 'precision_recall']
    )
    kid = kid_features_to_metric(
        fake.double(), real.double(), kid_subset_size=50, verbose=False
    )
    assert values['kid'] == kid['kernel_inception_distance_mean']
    score = isc_features_to_metric(logits)
    assert values['is'] == score['inception_score_mean']
    pairs = prc_features_to_metric(fake, real, verbose=False)
    assert values['precision'] == pairs['precision']
    assert values['recall'] == pairs['recall']
    assert values['num_images'] == 50


@pytest.mark.parametrize('key', PROTOCOL)
def test_sets_of_another_protocol_are_refused(key):
    features = torch.rand(9, 2)
    other = set_of(features, **{key: 'other'})
    with pytest.raises(ValueError, match=f"{key}='other'.*same features"):
        compare_sets(set_of(features), other, ['fd'])


@pytest.mark.parametrize('metric', ['kid', 'precision_recall'])
def test_what_compares_images_needs_their_features(metric):
    images = set_of(torch.rand(9, 2))
    images.features = None
    with pytest.raises(
        ValueError, match=f"hold no features.*'{metric}'|'kid'"
    ):
        compare_sets(images, images, [metric])


@pytest.mark.parametrize(
    'metric, least',
    [('kid', 2), ('precision_recall', 4), ('density_coverage', 6)],
)
def test_too_few_images_for_neighbours_are_refused(metric, least):
    enough = set_of(torch.rand(least, 2))
    compare_sets(enough, enough, [metric])
    few = set_of(torch.rand(least - 1, 2))
    with pytest.raises(ValueError, match=f'{least - 1} images are too few'):
        compare_sets(enough, few, [metric])


def test_a_network_without_classes_has_no_score():
    images = set_of(torch.rand(9, 2))
    with pytest.raises(ValueError, match='A has no classes'):
        compare_sets(images, images, ['is'])
