"""Parameters, operations and memory against hand counts."""

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmldm.apis.measured_costs import PeakMemory, measure
from mmldm.apis.model_costs import evaluations, model_costs
from mmldm.utils.shipped import config_path

CLEAN = dict(
    diffusion_scheduler=dict(
        type='DiffusionScheduler',
        noise_schedule=dict(type='ScaledLinearBetas'),
        prediction=dict(type='EpsilonPrediction'),
        loss_weighting=dict(type='UniformWeighting'),
        timestep_sampler=dict(type='UniformTimesteps'),
        time_grid=dict(type='TrailingGrid'),
        num_steps=7,
    )
)


def test_operations_of_a_convolution():
    """Two for each multiplication with its addition."""
    layer = nn.Conv2d(3, 5, 3, padding=1, bias=False)
    cost = measure('conv', layer, lambda: layer(torch.zeros(2, 3, 8, 6)))
    assert cost.operations == 2 * 2 * 5 * 8 * 6 * 3 * 9
    assert cost.parameters == 5 * 3 * 9


def test_operations_of_an_attention():
    """Scores and their products with the values."""
    q, k = torch.zeros(1, 2, 6, 4), torch.zeros(1, 2, 9, 4)

    def attend():
        nn.functional.scaled_dot_product_attention(q, k, k)

    cost = measure('attention', nn.Identity(), attend)
    assert cost.operations == 2 * (2 * 2 * 6 * 9 * 4)


def test_memory_counts_what_exists_at_a_time():
    """A third tensor needs no memory if the first is gone."""
    with PeakMemory(nn.Identity()) as peak:
        x = torch.zeros(1000)
        y = x + 1
        del x
        z = y + 1
    del y, z
    assert peak.most == 2 * 4000


def test_weights_are_no_memory_of_a_call():
    layer = nn.Linear(100, 10, bias=False)
    x = torch.zeros(1, 100)  # made before
    cost = measure('linear', layer, lambda: layer(x))
    assert cost.memory == 4 * 10


@pytest.mark.parametrize(
    'solver, guidance, count',
    [
        ('DDIM', dict(type='NoGuidance'), 7),
        ('Heun', dict(type='NoGuidance'), 13),
        ('DDIM', dict(type='ClassifierFreeGuidance', scale=2.0), 14),
    ],
)
def test_evaluations_of_solver_and_guidance(solver, guidance, count):
    model = dict(CLEAN, guidance=guidance)
    scheduler = dict(model['diffusion_scheduler'], solver=dict(type=solver))
    assert evaluations(dict(model, diffusion_scheduler=scheduler)) == count


def test_operations_of_dit_are_those_of_its_paper():
    """118.64 G multiplications with additions at 256 x 256 (table 8)."""
    path = 'ldm/dit-xl-2_kl-f8_class_8xb32-7000k_imagenet-256x256.py'
    model = Config.fromfile(config_path(f'mmldm::{path}')).model.to_dict()
    base = 'autoencoder/autoencoder_kl-f8_1xb4-247k_images-256x256.py'
    stage = Config.fromfile(config_path(f'mmldm::{base}')).model.to_dict()
    model['autoencoder'] = stage['autoencoder']
    costs = {cost.name: cost for cost in model_costs(model, (256, 256))}
    assert costs['denoiser'].operations / 2 == pytest.approx(
        118.64e9, rel=1e-3
    )
