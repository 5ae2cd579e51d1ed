"""tools/benchmarks/inferencer.py times as many images in both ways."""

import pytest

from mmldm.apis import LatentDiffusionInferencer
from mmldm.models.autoencoders import Autoencoder

NO_CONDITION = dict(
    conditioner=dict(embedders=[]), denoiser=dict(context_dim=None)
)


@pytest.mark.parametrize('overrides', [{}, NO_CONDITION])
def test_both_ways_generate_the_images(
    load_benchmark, tiny_ldm, monkeypatch, overrides
):
    decoded, decode = [], Autoencoder.decode

    def spy(self, z, size=None):
        decoded.append(len(z))
        return decode(self, z, size)

    monkeypatch.setattr(Autoencoder, 'decode', spy)
    generate = LatentDiffusionInferencer(tiny_ldm(image_size=8, **overrides))
    pairs = load_benchmark('inferencer').measure(generate, 3, 2, 2)
    assert len(pairs) == 2 and all(min(pair) > 0 for pair in pairs)
    assert decoded == 6 * [2, 1]
