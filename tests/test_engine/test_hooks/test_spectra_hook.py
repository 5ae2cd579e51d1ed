import pytest
import torch

from mmldm.engine.hooks import spectra_hook
from mmldm.utils.power_spectrum import mean_spectrum

SIDE = 32


@pytest.fixture
def tester(build_runner):
    """Builds a runner that tests with metrics and the hook."""

    def build(evaluator, *hooks, **options):
        dataset = dict(
            type='DigitsDataset',
            split='test',
            size=SIDE,
            indices=2,
            pipeline=[dict(type='PackInputs', gt_img=True)],
        )
        return build_runner(
            test_dataloader=dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dataset,
            ),
            test_cfg=dict(),
            test_evaluator=evaluator,
            custom_hooks=[dict(type='SpectraHook', **options), *hooks],
        )

    return build


@pytest.fixture
def drawn(monkeypatch):
    """The curves of each picture, by its path."""
    pictures = {}
    monkeypatch.setattr(spectra_hook, 'plot_spectra', pictures.__setitem__)
    return pictures


def test_real_images_samples_and_references_are_drawn(tester, drawn):
    """The real images among the references are not drawn twice."""
    reference = dict(type='ReferenceMetricsHook', noise=True)
    runner = tester([dict(type='Sharpness')], reference)
    runner.test()
    (path, curves), *others = drawn.items()
    assert not others
    assert str(path) == f'{runner.work_dir}/spectra.png'
    assert [*curves] == [
        'real images',
        'samples',
        'reconstructions',
        'decoded noise',
    ]
    dataset = runner.test_dataloader.dataset
    images = [dataset[i]['inputs'] for i in range(2)]
    torch.testing.assert_close(curves['real images'], mean_spectrum(images))
    assert len({float(curve.sum()) for curve in curves.values()}) == 4


def test_the_images_have_the_name_that_a_config_gives(tester, drawn):
    tester([dict(type='Sharpness')], output='reconstructions').test()
    (curves,) = drawn.values()
    assert [*curves] == ['real images', 'reconstructions']


def test_nothing_is_drawn_without_spectra(tester, drawn):
    tester([dict(type='ReconstructionMetrics')]).test()
    assert not drawn
