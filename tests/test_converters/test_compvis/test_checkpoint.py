"""Whole models, converted, against what the original computes.

See tests/data/reference/README.md.
"""

from types import SimpleNamespace

import pytest
import torch

from mmldm.converters import convert_compvis, model_config, recognised
from mmldm.converters.compvis.denoiser import UNET_KEYS
from mmldm.converters.compvis.first_stage import FIRST_STAGE_KEYS
from mmldm.diffusion import (
    DDIM,
    PLMS,
    ClassifierFreeGuidance,
    NoGuidance,
    add_noise,
)
from mmldm.registry import DIFFUSION_SCHEDULERS, MODELS
from mmldm.structures import Condition, LDMDataSample
from mmldm.utils.checkpoint import load_weights

from .clip import clip_to_compvis

# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')


@pytest.fixture(scope='module')
def case(name, reference):
    """A model converted with its checkpoint, and what it is fed."""
    converted = convert_compvis(
        reference.config(name), reference.checkpoint(name)
    )
    model = MODELS.build(converted.config).eval()
    load_weights(model, converted.weights, name)
    expected = reference.values(name)
    image = reference.gaussian(f'{name}/image', (2, 3, 64, 64)).clamp(-1, 1)
    samples = [sample_of(expected, i) for i in range(2)]
    with torch.no_grad():
        cond = condition_of(model, samples, expected, image)
    return SimpleNamespace(
        converted=converted,
        model=model,
        scheduler=model.diffusion_scheduler,
        expected=expected,
        image=image,
        noise=reference.gaussian(f'{name}/noise', expected['z0'].shape),
        x_t=reference.gaussian(f'{name}/xt', expected['z0'].shape),
        z_T=reference.gaussian(f'{name}/xT', expected['z0'].shape),
        samples=samples,
        cond=cond,
    )


def sample_of(expected, i):
    """What a dataset would give of the i-th image and its condition."""
    sample = LDMDataSample()
    if 'label' in expected:
        sample.set_gt_label(expected['label'][i].item())
    if 'tokens' in expected:
        sample.tokens = expected['tokens'][i]
    if 'segmentation' in expected:
        sample.gt_sem_seg = expected['segmentation'][i][None]
    return sample


def condition_of(model, samples, expected, image):
    """Their condition; reference images are no pixels, but floats."""
    encode = model.autoencoder.encode
    if 'mask' in expected:
        (embedder,) = model.conditioner.embedders
        mask = expected['mask']
        concat = embedder.concat((1 - mask) * image, mask.bool(), encode)
        return Condition(spatial=concat)
    if 'lr_image' in expected:
        return Condition(spatial=expected['lr_image'])
    return model.conditioner(samples, encode=encode)


@torch.no_grad()
def test_the_first_stage_is_the_originals(assert_near, case):
    first_stage = case.model.autoencoder
    assert_near(first_stage.encode(case.image), case.expected['z0'])
    assert_near(
        first_stage.decode(case.expected['z0']), case.expected['decoded']
    )


def test_the_condition_is_the_originals(assert_near, case):
    slots = dict(tokens='context', spatial='concat')
    assert set(case.cond.filled) == {
        slot for slot, key in slots.items() if key in case.expected
    }
    for slot in case.cond.filled:
        assert_near(getattr(case.cond, slot), case.expected[slots[slot]])


@torch.no_grad()
def test_the_networks_output_is_the_originals(assert_near, case):
    """Of the running average: the weights in training are others."""
    t = case.expected['t']
    out = case.model.denoiser(case.x_t, t.float(), case.cond)
    assert_near(out, case.expected['eps'])


def test_the_loss_and_its_gradient_are_the_originals(assert_near, case):
    expected, denoiser = case.expected, case.model.denoiser
    level = case.scheduler.noise_schedule(expected['t'])
    z_t = add_noise(expected['z0'], case.noise, level)
    out = denoiser(z_t, expected['t'].float(), case.cond)
    loss = case.scheduler.loss(out, expected['z0'], case.noise, level)
    torch.testing.assert_close(
        loss, expected['loss_total'].float(), rtol=1e-5, atol=0
    )
    denoiser.zero_grad()
    loss.backward()
    gradients = {n: p.grad for n, p in denoiser.named_parameters()}
    norm = torch.stack([g.norm() for g in gradients.values()]).norm()
    torch.testing.assert_close(
        norm, expected['grad_norm_total'].float(), rtol=1e-4, atol=0
    )
    theirs = UNET_KEYS.write(gradients, case.converted.config['denoiser'])
    assert_near(theirs['input_blocks.0.0.weight'], expected['grad_conv_in'])


@torch.no_grad()
def test_the_variational_bound_is_the_originals(case):
    """loss_vlb, of which all published models count nothing."""
    config = case.converted.config['diffusion_scheduler']
    bound = dict(type='VariationalWeighting', vlb_weight=1, simple_weight=0)
    scheduler = DIFFUSION_SCHEDULERS.build(config | dict(loss_weighting=bound))
    expected = case.expected
    level = scheduler.noise_schedule(expected['t'])
    z_t = add_noise(expected['z0'], case.noise, level)
    out = case.model.denoiser(z_t, expected['t'].float(), case.cond)
    torch.testing.assert_close(
        scheduler.loss(out, expected['z0'], case.noise, level),
        expected['loss/loss_vlb'],
        rtol=2e-5,  # float32 weights there
        atol=0,
    )


def sample(case, monkeypatch, **parts):
    """The model's samples from the case's noise, in 10 steps."""
    monkeypatch.setattr(case.scheduler, 'num_steps', 10)
    for part, value in parts.items():
        owner = case.model if part == 'guidance' else case.scheduler
        monkeypatch.setattr(owner, part, value)
    return case.model.sample(case.samples, start=case.z_T)


@pytest.mark.parametrize(
    'key, solver, guidance',
    [
        ('ddim10', DDIM(), NoGuidance()),
        ('plms10', PLMS(coordinates='ve'), NoGuidance()),
        ('ddim10_cfg3', DDIM(), ClassifierFreeGuidance(3.0)),
    ],
)
def test_samples_are_the_originals(
    assert_near, case, key, solver, guidance, monkeypatch
):
    if key not in case.expected:
        pytest.skip('the original does not guide this model')
    monkeypatch.setattr(case.scheduler, 'num_steps', 10)
    monkeypatch.setattr(case.scheduler, 'solver', solver)
    monkeypatch.setattr(case.model, 'guidance', guidance)
    if case.cond.spatial is not None:
        monkeypatch.setattr(
            case.model.conditioner, 'forward', lambda *_, **__: case.cond
        )
    z = case.model.sample(case.samples, start=case.z_T)
    assert_near(z, case.expected[key])
    if key == 'ddim10':
        images = case.model.autoencoder.decode(z)
        assert_near(images, case.expected['ddim10_decoded'])


DIFFUSION = [
    'ldm/bsr_sr',
    'ldm/celeba256',
    'ldm/cin256',
    'ldm/cin256-v2',
    'ldm/ffhq256',
    'ldm/inpainting_big',
    'ldm/layout2img-openimages256',
    'ldm/lsun_beds256',
    'ldm/lsun_churches256',
    'ldm/semantic_synthesis256',
    'ldm/semantic_synthesis512',
    'ldm/text2img-large',
    'ldm/text2img256',
    'rdm/rdm768',
]


@pytest.fixture(scope='module')
def published(reference):
    return reference.published(('ldm', 'rdm'))


def test_all_published_models_are_tested(published):
    assert sorted(published) == DIFFUSION


def without_numbers(model):
    """A published checkpoint: shapes, and the tables that are compared."""
    state = {}
    for name, shape in model['state_dict'].items():
        if name.startswith(('first_stage_model', 'cond_stage_model')):
            # Compared where the first stage is there twice.
            state[name] = torch.zeros(()).expand(shape)
        else:
            state[name] = torch.empty(shape, device='meta')
    params = model['config']['params']
    betas = torch.linspace(
        params['linear_start'] ** 0.5, params['linear_end'] ** 0.5, 1000
    ).square()
    state['alphas_cumprod'] = (1 - betas).cumprod(0)
    if 'scale_factor' in state:
        state['scale_factor'] = torch.tensor(0.2)
    return state


@pytest.mark.parametrize('name', DIFFUSION)
def test_every_tensor_of_a_published_model_is_used_or_named(name, published):
    state = without_numbers(published[name])
    config, weights, left_out = convert_compvis(
        published[name]['config'], state
    )
    with torch.device('meta'):
        model = MODELS.build(config)
    expected = {n: w.shape for n, w in model.state_dict().items()}
    assert {n: w.shape for n, w in weights.items()} == expected
    named = [n for names in left_out.values() for n in names]
    assert len(named) == len(set(named))
    used = state.keys() - {*named}
    parameters = sum(p.numel() for p in model.parameters())
    found = sum(state[n].numel() for n in used - {'scale_factor'})
    assert found == parameters
    assert (model.image_size, 'betas' in named) == (
        dict(rdm768=768, semantic_synthesis512=512).get(
            name.split('/')[1], 256
        ),
        True,
    )


def stable_diffusion():
    """The original's config of Stable Diffusion 1."""
    unet = dict(
        image_size=32,
        in_channels=4,
        out_channels=4,
        model_channels=320,
        attention_resolutions=[4, 2, 1],
        num_res_blocks=2,
        channel_mult=[1, 2, 4, 4],
        num_heads=8,
        use_spatial_transformer=True,
        transformer_depth=1,
        context_dim=768,
        use_checkpoint=True,
        legacy=False,
    )
    codec = dict(
        double_z=True,
        z_channels=4,
        resolution=256,
        in_channels=3,
        out_ch=3,
        ch=128,
        ch_mult=[1, 2, 4, 4],
        num_res_blocks=2,
        attn_resolutions=[],
        dropout=0.0,
    )
    return dict(
        target='ldm.models.diffusion.ddpm.LatentDiffusion',
        params=dict(
            linear_start=0.00085,
            linear_end=0.0120,
            num_timesteps_cond=1,
            log_every_t=200,
            timesteps=1000,
            first_stage_key='jpg',
            cond_stage_key='txt',
            image_size=64,
            channels=4,
            cond_stage_trainable=False,
            conditioning_key='crossattn',
            monitor='val/loss_simple_ema',
            scale_factor=0.18215,
            use_ema=False,
            unet_config=dict(
                target='ldm.modules.diffusionmodules.openaimodel.UNetModel',
                params=unet,
            ),
            first_stage_config=dict(
                target='ldm.models.autoencoder.AutoencoderKL',
                params=dict(embed_dim=4, ddconfig=codec),
            ),
            cond_stage_config=dict(
                target='ldm.modules.encoders.modules.FrozenCLIPEmbedder'
            ),
        ),
    )


def test_stable_diffusion_is_such_a_model_too():
    """There and back by the shapes; 859.5 M parameters in its UNet."""
    original = stable_diffusion()
    config = model_config(original)
    with torch.device('meta'):
        model = MODELS.build(config)
    count = sum(p.numel() for p in model.denoiser.parameters())
    assert count == pytest.approx(859.5e6, rel=1e-4)
    (text,) = model.conditioner.embedders
    parts = {
        'model.diffusion_model.': UNET_KEYS.write(
            model.denoiser.state_dict(), config['denoiser']
        ),
        'first_stage_model.': FIRST_STAGE_KEYS.write(
            model.autoencoder.state_dict(), config['autoencoder']
        ),
        'cond_stage_model.': clip_to_compvis(
            text.state_dict(), config['conditioner']['embedders'][0]
        ),
    }
    state = {
        start + name: weight
        for start, part in parts.items()
        for name, weight in part.items()
    }
    # The file alone shows the same.
    found, _ = recognised(state)
    assert model_config(found) == config
    _, weights, left_out = convert_compvis(original, state)
    expected = {n: w.shape for n, w in model.state_dict().items()}
    assert {n: w.shape for n, w in weights.items()} == expected
    assert left_out == {
        'the numbers 0, 1, 2 ...': [
            'cond_stage_model.transformer.text_model.embeddings.position_ids'
        ]
    }
