import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook

from mmldm.registry import METRICS
from mmldm.utils import SampleRandom

DIGITS = dict(
    type='DigitsDataset',
    split='test',
    size=8,
    indices=6,
    pipeline=[dict(type='PackInputs')],
)
REQUESTS = dict(
    type='GenerationRequests',
    num_samples=6,
    size=8,
    num_classes=10,
    pipeline=[dict(type='PackInputs')],
)


@METRICS.register_module()
class Pixels(BaseMetric):
    """Keeps the images by label."""

    default_prefix = 'pixels'

    def process(self, data_batch, data_samples):
        for sample in data_samples:
            label = int(sample['gt_label']['label'])
            self.results.append((label, sample['pred_img'].float()))

    def compute_metrics(self, results):
        return dict(all=[*results])


@pytest.fixture
def tester(build_runner):
    """Builds a runner that tests with the hook."""

    def build(dataset, **options):
        return build_runner(
            test_dataloader=dict(
                batch_size=4,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dataset,
            ),
            test_cfg=dict(),
            test_evaluator=dict(type='Pixels'),
            custom_hooks=[dict(type='ReferenceMetricsHook', **options)],
        )

    return build


def test_real_images_and_reconstructions_are_judged_beside(tester):
    runner = tester(DIGITS)
    metrics = runner.test()
    assert sorted(metrics) == [
        'pixels/all',
        'real/pixels/all',
        'reconstruction/pixels/all',
    ]
    dataset = runner.test_dataloader.dataset
    model = runner.bare_model
    for i in range(6):
        packed = dataset[i]
        label, real = metrics['real/pixels/all'][i]
        assert label == packed['data_samples'].label
        assert real.equal(packed['inputs'].float())
        x = real[None] / 127.5 - 1
        copied = model.autoencoder.decode(model.autoencoder.encode(x))[0]
        label, image = metrics['reconstruction/pixels/all'][i]
        assert label == packed['data_samples'].label
        expected = ((copied + 1) * 127.5).clamp(0, 255)
        assert abs(expected - image).max() <= 0.51
        assert not metrics['pixels/all'][i][1].equal(real)


def test_what_decoded_noise_looks_like_is_judged_where_asked(tester):
    """The noise that sampling starts from, with the sample's label."""
    runner = tester(DIGITS, noise=True)
    metrics = runner.test()
    model, dataset = runner.bare_model, runner.test_dataloader.dataset
    for i in range(6):
        sample = dataset[i]['data_samples']
        noise = SampleRandom.of([sample]).normal('start')(
            torch.empty(1, 4, 4, 4)
        )
        decoded = model.autoencoder.decode(noise)[0]
        label, image = metrics['noise/pixels/all'][i]
        assert label == sample.label
        expected = ((decoded + 1) * 127.5).clamp(0, 255)
        assert abs(expected - image).max() <= 0.51


def test_later_hooks_see_the_images_of_the_model(tester):
    """As the one that writes them into files."""
    seen = []

    class Keep(Hook):
        def after_test_iter(self, runner, batch_idx, data_batch, outputs):
            seen.extend(sample.pred_img.float() for sample in outputs)

    runner = tester(DIGITS)
    runner.register_hook(Keep(), priority='VERY_LOW')
    drawn = [image for _, image in runner.test()['pixels/all']]
    assert all(a.equal(b) for a, b in zip(seen, drawn, strict=True))


def test_a_second_test_begins_anew(tester):
    runner = tester(DIGITS)
    runner.test()
    assert len(runner.test()['real/pixels/all']) == 6


def test_data_without_images_are_refused(tester):
    with pytest.raises(
        ValueError, match='test_dataloader has none: use a data'
    ):
        tester(REQUESTS).test()
