from types import SimpleNamespace

import pytest
from mmengine.config import Config, ConfigDict

from mmldm.apis.protocol import protocol_of_test
from mmldm.models.feature_networks import FeatureNetwork

DATA = dict(type='ImageFolder', data_root='real', size=8, pipeline=[1])


@pytest.fixture
def protocol(tmp_path):
    """The protocol of a test with a reference, and values of its model."""

    def protocol(reference, **model):
        cfg = Config(
            dict(
                model=dict(type='LatentDiffusion', **model),
                test_dataloader=dict(dataset=dict(type='EntrySamples')),
            ),
            cfg_text='model',
            filename='a.py',
        )
        network = FeatureNetwork(32, 'abc')
        judge = SimpleNamespace(network=network, reference=reference)
        runner = SimpleNamespace(
            cfg=cfg, test_evaluator=SimpleNamespace(metrics=[judge])
        )
        return protocol_of_test(runner, str(tmp_path / 'a.pth'))

    return protocol


@pytest.mark.parametrize(
    ('reference', 'told'),
    [
        ('real.safetensors', 'real.safetensors'),
        (
            ConfigDict(DATA),
            dict(type='ImageFolder', data_root='real', size=8),
        ),
    ],
)
def test_what_images_are_compared_with_is_told(protocol, reference, told):
    (judge,) = protocol(reference)['judges']
    assert judge['reference'] == told
    assert judge['side'] == 32


def test_all_that_samples_is_told(protocol):
    own = dict(
        guidance=dict(type='AutoGuidance', scale=2.0),
        guide_checkpoint='weak.pth',
        windows=dict(type='Windows', size=32),
    )
    scheduler = dict(num_steps=20, loss_weighting=dict(type='SNRWeighting'))
    found = protocol('a', diffusion_scheduler=scheduler, **own)['sampling']
    assert found == dict(num_steps=20, **own)
