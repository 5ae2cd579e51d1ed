"""Training and sampling of the original; see tests/data/reference/README.md.

Network, first stage, process and converters at once.
"""

from types import SimpleNamespace

import pytest
import torch

from mmldm.converters import (
    denoiser_config,
    denoiser_to_compvis,
    denoiser_weights,
    diffusion_scheduler_config,
    first_stage_config,
    first_stage_weights,
)
from mmldm.diffusion import (
    DDIM,
    PLMS,
    ClassifierFreeGuidance,
    CompVisGrid,
    add_noise,
)
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition

PREFIX = 'model.diffusion_model.'
GUIDED = ['class_vq_f4', 'layout_vq_f4', 'text_kl_f8']
# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')


@pytest.fixture(scope='module')
def case(name, reference):
    """A converted model, and what the original computed with it."""
    params = reference.original(name)
    config = denoiser_config(params['unet_config'])
    unet = MODELS.build(config).eval()
    unet.load_state_dict(
        denoiser_weights(reference.weights(name, PREFIX), config)
    )
    scheduler = DIFFUSION_SCHEDULERS.build(diffusion_scheduler_config(params))
    expected = reference.values(name)
    shape = expected['z0'].shape
    cond, null = (
        Condition(tokens=expected.get(key), spatial=expected.get('concat'))
        for key in ('context', 'uncond_context')
    )

    def predict(z, level, cond):
        out = unet(z, level.t.float().expand(len(z)), cond)
        return scheduler.prediction.to_z_0(out, z, level)

    return SimpleNamespace(
        name=name,
        params=params,
        config=config,
        unet=unet,
        scheduler=scheduler,
        expected=expected,
        noise=reference.gaussian(f'{name}/noise', shape),
        z_T=reference.gaussian(f'{name}/xT', shape),
        cond=cond,
        null=null,
        predict=predict,
    )


def test_the_loss_and_its_gradient_are_the_originals(assert_near, case):
    expected = case.expected
    level = case.scheduler.noise_schedule(expected['t'])
    z_t = add_noise(expected['z0'], case.noise, level)
    out = case.unet(z_t, expected['t'].float(), case.cond)
    loss = case.scheduler.loss(out, expected['z0'], case.noise, level)
    torch.testing.assert_close(
        loss, expected['loss_total'].float(), rtol=1e-5, atol=0
    )
    case.unet.zero_grad()
    loss.backward()
    gradients = {n: p.grad for n, p in case.unet.named_parameters()}
    norm = torch.stack([g.norm() for g in gradients.values()]).norm()
    torch.testing.assert_close(
        norm, expected['grad_norm_total'].float(), rtol=1e-4, atol=0
    )
    theirs = denoiser_to_compvis(gradients, case.config)
    assert_near(
        theirs['input_blocks.0.0.weight'], expected['grad_conv_in'], 1e-4
    )


def test_the_variational_bound_is_the_originals(case):
    """loss_vlb, of which all published models count nothing."""
    params = case.params | dict(original_elbo_weight=1.0, l_simple_weight=0.0)
    scheduler = DIFFUSION_SCHEDULERS.build(diffusion_scheduler_config(params))
    expected = case.expected
    level = scheduler.noise_schedule(expected['t'])
    z_t = add_noise(expected['z0'], case.noise, level)
    with torch.no_grad():
        out = case.unet(z_t, expected['t'].float(), case.cond)
    torch.testing.assert_close(
        scheduler.loss(out, expected['z0'], case.noise, level),
        expected['loss/loss_vlb'],
        rtol=2e-5,  # float32 weights there
        atol=0,
    )


def sample(case, solver, denoise, steps=10):
    levels = CompVisGrid()(case.scheduler.noise_schedule, steps)
    with torch.no_grad():
        return solver(denoise, case.z_T, levels)


@pytest.mark.parametrize(
    'key, solver', [('ddim10', DDIM()), ('plms10', PLMS())]
)
def test_samples_are_the_originals(assert_near, case, key, solver):
    z = sample(
        case, solver, lambda z, level: case.predict(z, level, case.cond)
    )
    assert_near(z, case.expected[key], 1e-4)


@torch.no_grad()
def test_images_are_the_originals(assert_near, case, reference):
    config = first_stage_config(case.params['first_stage_config'])
    config['latent_scale'] = case.params.get('scale_factor', 1.0)
    first_stage = MODELS.build(config).eval()
    weights = reference.weights(case.name, 'first_stage_model.')
    first_stage.load_state_dict(first_stage_weights(weights, config))
    image = first_stage.decode(case.expected['ddim10'])
    assert_near(image, case.expected['ddim10_decoded'], 1e-4)


@pytest.mark.parametrize('name', GUIDED, scope='module')
def test_guided_samples_are_the_originals(assert_near, case):
    denoise = ClassifierFreeGuidance(3.0)(case.predict, case.cond, case.null)
    assert_near(
        sample(case, DDIM(), denoise), case.expected['ddim10_cfg3'], 1e-4
    )


def test_every_key_that_is_not_said_has_the_originals_default():
    config = diffusion_scheduler_config({})
    assert config['noise_schedule'] == dict(
        type='ScaledLinearBetas', start=1e-4, end=2e-2, num_timesteps=1000
    )
    assert config['prediction'] == dict(type='EpsilonPrediction')
    assert config['loss_function'] == dict(type='L2Loss')
    assert config['loss_weighting'] == dict(type='UniformWeighting')


@pytest.mark.parametrize(
    'params, part, expected',
    [
        (
            dict(beta_schedule='cosine', cosine_s=0.1, timesteps=10),
            'noise_schedule',
            dict(type='CosineSchedule', offset=0.1, num_timesteps=10),
        ),
        (
            dict(beta_schedule='sqrt', linear_start=0.1, linear_end=0.2),
            'noise_schedule',
            dict(type='SqrtBetas', start=0.1, end=0.2, num_timesteps=1000),
        ),
        (
            dict(beta_schedule='sqrt_linear'),
            'noise_schedule',
            dict(type='LinearBetas', start=1e-4, end=2e-2, num_timesteps=1000),
        ),
        (
            dict(given_betas=(0.1, 0.2)),
            'noise_schedule',
            dict(type='GivenBetas', betas=[0.1, 0.2]),
        ),
        (dict(parameterization='x0'), 'prediction', 'SamplePrediction'),
        (dict(parameterization='v'), 'prediction', 'VelocityPrediction'),
        (dict(loss_type='l1'), 'loss_function', 'L1Loss'),
        (
            dict(original_elbo_weight=0.1),
            'loss_weighting',
            dict(type='VariationalWeighting', vlb_weight=0.1, simple_weight=1),
        ),
    ],
)
def test_what_a_config_says_arrives(params, part, expected):
    config = diffusion_scheduler_config(params)
    if isinstance(expected, str):
        expected = dict(type=expected)
    assert config[part] == expected
    DIFFUSION_SCHEDULERS.build(config | dict(num_steps=2))


@pytest.mark.parametrize(
    'params, message',
    [
        (dict(loss_type='l3'), "params.loss_type='l3' is not known"),
        (dict(beta_schedule='line'), "only 'linear', 'sqrt_linear', 'sqrt'"),
        (dict(parameterization='mu'), "only 'eps', 'x0', 'v' are"),
    ],
)
def test_what_the_original_has_not_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        diffusion_scheduler_config(params)
