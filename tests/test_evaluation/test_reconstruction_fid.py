import hashlib
import shutil

import pytest
import torch
from torch_fidelity import calculate_metrics
from torch_fidelity.feature_extractor_inceptionv3 import (
    FeatureExtractorInceptionV3,
)
from torch_fidelity.metric_fid import (
    fid_features_to_statistics,
    fid_statistics_to_metric,
)

from mmldm.evaluation import ReconstructionFID, reconstruction_fid
from mmldm.evaluation.reconstruction_fid import frechet_distance
from mmldm.models.feature_networks import inception


def gaussian_features(mean, covariance, count=50):
    """Features with exactly this mean and covariance."""
    z = torch.randn(count, len(mean), dtype=torch.float64)
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov())).T
    return mean + z @ torch.linalg.cholesky(covariance).T


def test_the_distance_of_gaussians_on_one_basis_is_in_closed_form():
    """|mu_1 - mu_2|^2 + sum of (s_1 - s_2)^2 along the common axes."""
    axes = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    means = torch.randn(2, 3, dtype=torch.float64)
    stds = torch.tensor([[1.0, 2, 3], [2, 0.5, 3]], dtype=torch.float64)
    features = [
        gaussian_features(mean, axes @ (std**2).diag() @ axes.T)
        for mean, std in zip(means, stds, strict=True)
    ]
    expected = (means[0] - means[1]).square().sum() + 1 + 1.5**2
    assert frechet_distance(*features) == pytest.approx(expected.item())


def test_it_agrees_with_torch_fidelity():
    mixing = torch.randn(2, 16, 16, dtype=torch.float64)
    features = torch.rand(2, 40, 16, dtype=torch.float64) @ mixing
    stats = [fid_features_to_statistics(x) for x in features]
    expected = fid_statistics_to_metric(*stats, verbose=False)
    assert frechet_distance(*features) == pytest.approx(
        expected['frechet_inception_distance'], rel=1e-9
    )


def test_equal_sets_of_few_images_have_none():
    features = torch.rand(10, 200, dtype=torch.float64)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-12)


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    """A file with random weights of the network."""

    class Unloaded(FeatureExtractorInceptionV3):
        def load_state_dict(self, state):
            pass

    path = tmp_path_factory.mktemp('inception') / 'empty.pth'
    torch.save({}, path)
    torch.manual_seed(0)
    network = Unloaded('random', ['2048'], str(path))
    torch.save(network.state_dict(), path.with_name('inception.pth'))
    return path.with_name('inception.pth')


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """torch's cache, empty."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    folder = tmp_path / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def pixels_as_features(monkeypatch):
    """A metric whose features are the mean colours of an image."""

    class Colours(torch.nn.Module):
        def forward(self, x):
            return x.float().mean((2, 3)), None

    monkeypatch.setattr(
        reconstruction_fid, 'InceptionFeatures', lambda path: Colours()
    )
    return ReconstructionFID('any.pth')


@pytest.mark.parametrize('batch_size', [1, 2, 5])
def test_images_are_compared_with_originals_as_a_set(
    pixels_as_features, random_reconstructions, judge, batch_size
):
    samples = random_reconstructions(5, 4)
    colours = [
        torch.stack([s.get(key).double().mean((1, 2)) for s in samples])
        for key in ('pred_img', 'gt_img')
    ]
    assert judge(pixels_as_features, samples, batch_size) == {
        'recon/rfid': pytest.approx(frechet_distance(*colours), rel=1e-5)
    }
    for sample, other in zip(samples, samples[1:] + samples[:1], strict=True):
        sample.pred_img = other.gt_img
    found = judge(pixels_as_features, samples, batch_size)
    assert found == {'recon/rfid': pytest.approx(0, abs=1e-6)}


def test_the_bias_of_a_small_set_is_told(
    pixels_as_features, random_reconstructions, judge, warnings_of, monkeypatch
):
    samples = random_reconstructions(4, 4)
    judge(pixels_as_features, samples)
    (warning,) = warnings_of()
    assert warning.startswith('recon/rfid of 4 images is biased')
    monkeypatch.setattr(reconstruction_fid, 'NUM_FEATURES', 3)
    judge(pixels_as_features, samples)
    assert len(warnings_of()) == 1


def test_one_image_has_no_distance(
    pixels_as_features, random_reconstructions, judge, warnings_of
):
    assert judge(pixels_as_features, random_reconstructions(1, 4)) == {}
    assert 'one image has no covariance' in warnings_of()[0]


def test_without_weights_it_is_left_out(
    cache, random_reconstructions, judge, warnings_of
):
    metric = ReconstructionFID()
    (warning,) = warnings_of()
    assert f'{cache}' in warning and 'is missing' in warning
    assert 'download https://' in warning
    assert judge(metric, random_reconstructions(3, 4)) == {}
    assert len(warnings_of()) == 1


def test_what_one_machine_lacks_is_left_out(pixels_as_features):
    rows = [(torch.zeros(3).numpy(),) * 2, None, None]
    assert pixels_as_features.compute_metrics(rows) == {}


def test_weights_in_the_cache_are_found(cache, weights, monkeypatch):
    digits = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
    name = inception.CACHED.replace('6726825d', digits)
    monkeypatch.setattr(inception, 'CACHED', name)
    shutil.copy(weights, cache / name.replace('*', 'weights-'))
    assert ReconstructionFID().network is not None


def test_a_file_that_is_not_what_its_name_says_is_refused(cache):
    path = cache / 'pt_inception-2015-12-05-6726825d.pth'
    torch.save({}, path)
    with pytest.raises(ValueError, match='not the 6726825d in its name'):
        ReconstructionFID()


def test_other_weights_are_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth.* does not hold the weights'):
        ReconstructionFID(str(tmp_path / 'a.pth'))


def test_weights_that_are_given_must_be_there(tmp_path):
    with pytest.raises(FileNotFoundError, match='a.pth does not exist'):
        ReconstructionFID(str(tmp_path / 'a.pth'))


def test_a_file_with_code_is_not_executed(tmp_path):
    class Touch:
        def __reduce__(self):
            return open, (str(tmp_path / 'executed'), 'w')

    torch.save(dict(weight=Touch()), tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='cannot be read'):
        ReconstructionFID(str(tmp_path / 'a.pth'))
    assert not (tmp_path / 'executed').exists()


class Images(torch.utils.data.Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return self.images[i]


@pytest.mark.slow
def test_the_network_is_that_of_torch_fidelity(
    weights, random_reconstructions, judge
):
    """Whose distance of few images is off by about 1e-5 of the features'."""
    samples = random_reconstructions(6, 24)
    metric = ReconstructionFID(str(weights))
    found = judge(metric, samples)['recon/rfid']
    expected = calculate_metrics(
        input1=Images([s.pred_img for s in samples]),
        input2=Images([s.gt_img for s in samples]),
        fid=True,
        cuda=False,
        cache=False,
        verbose=False,
        save_cpu_ram=True,
        batch_size=3,
        feature_extractor_weights_path=str(weights),
    )['frechet_inception_distance']
    assert found == pytest.approx(expected, rel=1e-3)
