import pytest
import torch
from safetensors.torch import load_file, save_file

from mmldm.evaluation import GeneratedImages, generated_images
from mmldm.evaluation.feature_collector import FeatureCollector
from mmldm.evaluation.feature_moments import moments_distance
from mmldm.evaluation.reference_statistics import (
    describe_data,
    load_statistics,
    save_statistics,
)
from mmldm.evaluation.statistics_cache import StatisticsCache
from mmldm.models.feature_networks import (
    EfficientNetLiteFeatures,
    Extracted,
    FeatureNetwork,
)
from mmldm.registry import DATASETS, MODELS


class Colours(FeatureNetwork):
    """Mean colours; the classes are theirs too."""

    name = 'colours'
    num_features = 3
    num_classes = 3

    def __init__(self):
        super().__init__(1, 'none')
        self.scale = torch.nn.Parameter(torch.ones(()), requires_grad=False)

    def extract(self, images):
        colours = images.double().mean((2, 3)) * self.scale / 255
        return Extracted(colours, colours)


class NoClasses(Colours):
    num_classes = 0


class Real:
    """Images of a file, as the pipelines give them."""

    def __init__(self, path, data_root=None):
        self.images = torch.load(path)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return dict(inputs=self.images[i])


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for registry, cls in (
        (MODELS, Colours),
        (MODELS, NoClasses),
        (DATASETS, Real),
    ):
        monkeypatch.setitem(registry._module_dict, cls.__name__, cls)


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """An empty cache of torch."""
    monkeypatch.setattr(torch.hub, '_hub_dir', str(tmp_path / 'hub'))
    return tmp_path / 'hub'


@pytest.fixture
def images():
    return [
        torch.randint(0, 256, (3, 6, 6), dtype=torch.uint8) for _ in range(30)
    ]


@pytest.fixture
def reference(images, tmp_path):
    """Config of a dataset of brighter images."""
    path = str(tmp_path / 'real.pt')
    torch.save([i // 2 + 100 for i in images], path)
    return dict(type='Real', path=path)


def samples_of(images, reconstruction):
    return [reconstruction(image, image) for image in images]


def metric_of(reference, **kwargs):
    return GeneratedImages(reference, features=dict(type='Colours'), **kwargs)


def test_images_are_compared_with_those_of_the_dataset(
    images, reference, reconstruction, judge
):
    samples = samples_of(images, reconstruction)
    found = judge(metric_of(reference), samples)
    sets = []
    for side in (images, torch.load(reference['path'])):
        collector = FeatureCollector(Colours())
        collector.add(side)
        sets.append(collector.finish(len(side)).moments)
    assert found['colours/fd'] == moments_distance(*sets) > 0
    same = samples_of(torch.load(reference['path']), reconstruction)
    assert judge(metric_of(reference), same)['colours/fd'] < 1e-6


def test_order_and_batches_change_no_digit(
    images, reference, reconstruction, judge
):
    samples = samples_of(images, reconstruction)
    metric = metric_of(reference)
    wanted = judge(metric, samples, 1)
    assert judge(metric, samples, 7) == wanted
    assert judge(metric, samples[::-1], 30) == wanted


def test_the_reference_is_measured_where_generated_images_were(
    reference, monkeypatch
):
    """The device 'meta' stands for a GPU."""
    seen = set()

    def extract(network, images):
        seen.add(images.device.type)
        return Extracted(torch.ones(len(images), 3), None)

    monkeypatch.setattr(Colours, 'extract', extract)
    metric = metric_of(reference)
    metric.network.to('meta')
    assert len(metric._reference(0, 1)) == 30
    assert seen == {metric.network.scale.device.type} == {'meta'}


def test_images_that_a_sampler_repeats_do_not_count(images):
    """Two processes of 15 and 15 images, the set has 29."""
    collector = FeatureCollector(Colours(), keep_features=True)
    collector.add(images[1::2])
    found = collector.finish(29, rank=1, world=2)
    assert len(found) == 14
    assert torch.equal(found.moments.first, _moments(images[1:29:2]).first)


def _moments(images):
    collector = FeatureCollector(Colours())
    collector.add(images)
    return collector.finish(len(images)).moments


def test_sums_are_made_while_images_come(images, monkeypatch):
    monkeypatch.setattr('mmldm.evaluation.feature_collector.BLOCK', 4)
    collector = FeatureCollector(Colours())
    for image in images:
        collector.add([image])
        assert len(collector.waiting) <= 5
    assert torch.equal(
        collector.finish(30).moments.second, _moments(images).second
    )


def test_all_metrics_arrive(images, reference, reconstruction, judge):
    names = ('fd', 'kid', 'is', 'precision_recall', 'density_coverage')
    metric = metric_of(reference, measures=names)
    found = judge(metric, samples_of(images, reconstruction))
    assert set(found) == {
        f'colours/{name}'
        for name in (
            *('fd', 'kid', 'kid_std', 'is', 'is_std', 'precision', 'recall'),
            *('density', 'coverage', 'num_images'),
        )
    }


def test_statistics_in_a_file_are_a_reference(
    images, reference, reconstruction, judge, tmp_path
):
    samples = samples_of(images, reconstruction)
    wanted = judge(metric_of(reference, measures=['fd', 'kid']), samples)
    collector = FeatureCollector(Colours(), keep_features=True)
    collector.add(torch.load(reference['path']))
    path = str(tmp_path / 'statistics.safetensors')
    source = dict(dataset='Real', transforms=[dict(type=Real)])
    save_statistics(collector.finish(30), path, source)
    assert load_statistics(path).protocol['dataset'] == 'Real'
    metric = metric_of(path, measures=['fd', 'kid'])
    assert judge(metric, samples) == wanted


def test_a_file_without_statistics_is_refused(tmp_path):
    path = tmp_path / 'a.safetensors'
    with pytest.raises(FileNotFoundError, match='a.safetensors do not exist'):
        metric_of(str(path))
    path.write_bytes(b'nothing')
    with pytest.raises(ValueError, match='a.safetensors holds no reference'):
        metric_of(str(path))


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(count=torch.zeros(2)), r'count is torch.float32 \(2,\)'),
        # Its matrix would take 8 TB.
        (dict(first=torch.zeros(10**6, dtype=torch.int64)), 'second is'),
        (dict(features=torch.ones(4)), r'\(4,\), expected floats \(N, 3\)'),
    ],
)
def test_statistics_of_other_shapes_are_refused(
    images, tmp_path, changed, message
):
    path = tmp_path / 'a.safetensors'
    collector = FeatureCollector(Colours(), keep_features=True)
    collector.add(images)
    save_statistics(collector.finish(30), path, {})
    save_file(load_file(path) | changed, path, dict(protocol='{}'))
    with pytest.raises(ValueError, match=message):
        load_statistics(path)


def test_an_unknown_metric_is_refused(reference):
    with pytest.raises(ValueError, match="measures='fib' is not known.*fd"):
        metric_of(reference, measures=['fib'])


def test_a_missing_reference_is_refused():
    with pytest.raises(ValueError, match='reference is missing: give'):
        metric_of(None)


def test_a_score_of_classes_needs_classes(reference):
    with pytest.raises(ValueError, match="'is' needs classes.*NoClasses"):
        GeneratedImages(
            reference, features=dict(type='NoClasses'), measures=['is']
        )


def test_an_error_of_one_process_is_raised_on_all(
    images, reference, reconstruction, judge, monkeypatch
):
    """What rank 0 finds out reaches the others, which would wait."""
    sent = []
    monkeypatch.setattr(generated_images, 'broadcast_object_list', sent.append)
    metric = metric_of(reference, measures=['precision_recall'])
    with pytest.raises(ValueError, match='too few'):
        judge(metric, samples_of(images[:3], reconstruction))
    assert isinstance(sent[-1][0], ValueError)

    def fail(generated):
        raise torch.linalg.LinAlgError('no convergence')

    monkeypatch.setattr(metric, 'compute_metrics', fail)
    with pytest.raises(torch.linalg.LinAlgError):
        judge(metric, samples_of(images, reconstruction))
    assert isinstance(sent[-1][0], torch.linalg.LinAlgError)


def test_the_protocol_is_in_the_log(
    images, reference, reconstruction, judge, caplog
):
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    logger.setLevel('INFO')
    judge(metric_of(reference), samples_of(images[:3], reconstruction))
    logger.removeHandler(caplog.handler)
    assert 'colours: 3 generated images against 30 real' in caplog.text
    assert 'network Colours, weights none, side 1' in caplog.text
    assert '3 images have no full covariance of 3 features' in caplog.text


@pytest.fixture
def reads(monkeypatch):
    """Numbers of the real images that are read."""
    reads, read = [], Real.__getitem__
    monkeypatch.setattr(
        Real, '__getitem__', lambda self, i: reads.append(i) or read(self, i)
    )
    return reads


def test_real_images_are_measured_once(
    images, reference, reconstruction, judge, reads
):
    """A new test takes their statistics from the cache."""
    samples = samples_of(images, reconstruction)
    found = [
        judge(metric_of(reference, measures=['fd', 'kid']), samples)
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert len(reads) == 30
    judge(metric_of(reference), samples)  # has no features to keep
    assert len(reads) == 60


def test_a_file_that_changed_is_measured_again(
    images, reference, reconstruction, judge, reads, tmp_path
):
    samples = samples_of(images, reconstruction)
    reference['data_root'] = reference['path']
    before = judge(metric_of(reference), samples)
    torch.save(images, reference['path'])
    after = judge(metric_of(reference), samples)
    assert before['colours/fd'] > 1e-3 > after['colours/fd']


def test_an_archive_that_changed_is_measured_again(tmp_path):
    """Its images have no size and time of their own."""
    archive = tmp_path / 'shard.tar'

    class Shards(list):
        def get_data_info(self, i):
            return dict(img_path=str(archive / f'{i}.png'))

    def path():
        config, protocol = dict(data_root=str(tmp_path)), dict(network='x')
        return StatisticsCache(config, Shards('ab'), protocol, 0).path

    archive.write_text('old')
    before = path()
    assert path() == before
    archive.write_text('changed')
    assert path() != before


def test_a_damaged_cache_is_measured_again(
    images, reference, reconstruction, judge, hub
):
    samples = samples_of(images, reconstruction)
    wanted = judge(metric_of(reference), samples)
    (path,) = hub.rglob('*.safetensors')
    path.write_bytes(path.read_bytes()[:50])
    assert judge(metric_of(reference), samples) == wanted


def test_features_of_real_images_are_bounded(reference, monkeypatch):
    monkeypatch.setattr('mmldm.evaluation.generated_images.KEPT', 7)
    found = metric_of(reference, measures=['kid'])._reference(0, 1)
    assert len(found) == 30 and len(found.features) == 7
    whole = metric_of(reference, measures=['fd'])._reference(0, 1)
    assert whole.features is None
    assert torch.equal(whole.moments.second, found.moments.second)


def test_statistics_of_other_data_are_refused(images, tmp_path):
    """Before anything is generated, with the difference."""
    path = str(tmp_path / 'real.safetensors')
    pipeline = [dict(type='ResizeShorterSide', method='bicubic')]
    made = dict(type='ImageFolder', data_root='a', size=8, pipeline=pipeline)
    collector = FeatureCollector(Colours())
    collector.add(images)
    measured = collector.finish(30)
    save_statistics(measured, path, describe_data(made, 30))
    metric_of(path, data=dict(made, data_root='elsewhere'))
    other = dict(made, pipeline=[dict(pipeline[0], method='bilinear')])
    with pytest.raises(ValueError, match="transforms=.*'bicubic'.*'bilinear'"):
        metric_of(path, data=other)
    with pytest.raises(ValueError, match='dataset_size=8, but .*=16'):
        metric_of(path, data=dict(made, size=16))
    metric_of(path, data={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Colours, 'resize', 'another')
        with pytest.raises(ValueError, match="resize='another'"):
            metric_of(path)


@pytest.mark.parametrize('side', [32, 224])
def test_a_network_gives_the_same_bits_for_any_order_and_batches(side):
    """Of images of two sizes, whose groups are filled up."""
    network = EfficientNetLiteFeatures(side)
    images = [
        torch.randint(0, 256, (3, 40 + i % 2, 40), dtype=torch.uint8)
        for i in range(13)
    ]

    def table(order, batch_size):
        collector = FeatureCollector(network, keep_features=True)
        shuffled = [images[i] for i in order]
        for start in range(0, len(order), batch_size):
            collector.add(shuffled[start : start + batch_size])
        found = collector.finish(len(order))
        rows = torch.empty_like(found.features)
        rows[torch.tensor(order)] = found.features
        return rows, found.moments.second

    wanted = table(range(13), 13)
    for order, batch_size in (
        ([*range(13)][::-1], 1),
        ([5, *range(5), *range(6, 13)], 4),
    ):
        found = table(order, batch_size)
        assert torch.equal(found[0], wanted[0])
        assert torch.equal(found[1], wanted[1])
