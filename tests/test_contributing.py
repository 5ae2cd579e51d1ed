"""What CONTRIBUTING.md shows works as it stands."""

import re
from pathlib import Path

import pytest
import torch

from mmldm.registry import MODELS

PAGE = Path(__file__).parents[1] / 'CONTRIBUTING.md'


def shown(heading):
    """Blocks of Python of a section."""
    _, _, section = PAGE.read_text().partition(f'\n## {heading}\n')
    section = section.partition('\n## ')[0]
    return re.findall(r'```python\n(.*?)```', section, re.S)


def run(code, names):
    """Execute what is shown, for what it defines."""
    exec(compile(code, str(PAGE), 'exec'), names)
    return names


@pytest.fixture
def plain_denoiser():
    """What the module of the denoiser defines, as long as the test runs."""
    yield run(shown('Add a denoiser')[0], dict(torch=torch, __name__='page'))
    del MODELS._module_dict['PlainDenoiser']


def test_the_denoiser_passes_its_own_test(plain_denoiser):
    names = run(shown('Add a denoiser')[2], plain_denoiser)
    names['test_the_vector_arrives']()


def test_the_denoiser_is_trained_and_sampled(
    plain_denoiser, tiny_ldm, labelled
):
    """By the config that is shown, with the class as its vector."""
    config = run(shown('Add a denoiser')[1], {})['model']['denoiser']
    classes = dict(
        type='ClassEmbedder', num_classes=10, embed_dim=128, slot='vector'
    )
    model = tiny_ldm(denoiser=config, conditioner=dict(embedders=[classes]))
    samples = [labelled(i, address=(0, i)) for i in range(2)]
    inputs = torch.rand(2, 3, 8, 8) * 2 - 1
    model.loss(inputs, samples)['loss_denoise'].backward()
    for name, weight in model.denoiser.named_parameters():
        assert weight.grad is not None, name
    assert model.predict(None, samples)[0].pred_img.any()
