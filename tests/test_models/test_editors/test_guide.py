import pytest
import torch
from mmengine.optim import build_optim_wrapper

from mmldm.engine import ModuleEMAHook
from mmldm.utils.checkpoint import (
    load_weights,
    read_checkpoint,
    write_checkpoint,
)

GUIDANCE = dict(type='AutoGuidance', scale=2.0)
# Smaller than the model that it guides.
DENOISER = dict(
    type='DenoisingUNet',
    in_channels=4,
    out_channels=4,
    channels=64,
    channel_mults=(1,),
    num_res_blocks=1,
    attn_factors=(),
    context_dim=8,
)


@pytest.fixture
def weaker(tiny_ldm, tmp_path):
    """A model that was stored, and where."""
    torch.manual_seed(1)
    model = tiny_ldm()
    path = str(tmp_path / 'weaker.pth')
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    return model, path


@pytest.fixture
def guided(tiny_ldm, weaker):
    """A wider model, guided by the stored one."""

    def build(**overrides):
        return tiny_ldm(
            guide=DENOISER,
            guide_checkpoint=weaker[1],
            denoiser=dict(channels=128),
            guidance=GUIDANCE,
            **overrides,
        )

    return build


@pytest.fixture
def samples(labelled):
    return [labelled(i, address=(0, i)) for i in (3, 7)]


def test_the_guide_is_the_stored_model_with_its_own_embeddings(
    guided, weaker, samples
):
    model, (other, _) = guided(), weaker
    z = torch.randn(2, 4, 4, 4)
    level = model.diffusion_scheduler.levels()[0]
    with torch.no_grad():
        own, guide = (
            m.predict_z_0(z, level, m.conditioner(samples))
            for m in (model, other)
        )
        z_0 = model.denoise_for(samples)(z, level)
    torch.testing.assert_close(z_0, guide + 2 * (own - guide))
    assert not torch.allclose(own, guide, atol=0.1)


def test_it_is_frozen_and_in_evaluation(guided):
    guide = guided().train().guide
    assert not any(m.training for m in guide.modules())
    assert not any(w.requires_grad for w in guide.parameters())


def test_nothing_else_knows_it(guided, tiny_ldm):
    """Neither checkpoints nor the optimizer nor the average."""
    model = guided()
    plain = tiny_ldm(denoiser=dict(channels=128))
    assert [*model.state_dict()] == [*plain.state_dict()]
    wrapper = build_optim_wrapper(
        model, dict(type='OptimWrapper', optimizer=dict(type='AdamW'))
    )
    optimized = {
        id(weight)
        for group in wrapper.optimizer.param_groups
        for weight in group['params']
    }
    assert not optimized & {id(w) for w in model.guide.parameters()}

    class Runner:
        bare_model = model

    hook = ModuleEMAHook()
    hook.before_run(Runner)
    assert {*hook.raw} <= {*plain.state_dict()}


def test_checkpoints_go_from_and_to_a_model_without_a_guide(guided, tiny_ldm):
    model, plain = guided(), tiny_ldm(denoiser=dict(channels=128))
    weights = {n: w.clone() for n, w in model.guide.state_dict().items()}
    load_weights(model, plain.state_dict(), 'plain.pth')
    load_weights(plain, model.state_dict(), 'guided.pth')
    for name, weight in model.guide.state_dict().items():
        assert torch.equal(weight, weights[name]), name


def test_it_moves_with_the_model(guided):
    model = guided().to(torch.float64)
    assert all(w.dtype == torch.float64 for w in model.guide.parameters())
    assert next(model.denoiser.parameters()).dtype == torch.float64


def test_an_unconditional_model_is_guided_too(tiny_ldm, labelled, tmp_path):
    none = dict(
        conditioner=dict(embedders=[]), denoiser=dict(context_dim=None)
    )
    path = str(tmp_path / 'weaker.pth')
    write_checkpoint(dict(state_dict=tiny_ldm(**none).state_dict()), path)
    torch.manual_seed(2)
    model = tiny_ldm(
        guide=dict(DENOISER, context_dim=None),
        guide_checkpoint=path,
        guidance=GUIDANCE,
        **none,
    )
    sample = [labelled(3, address=(0, 0))]
    guided = model.sample(sample)
    model.guidance.scales = (1.0,)
    assert not torch.allclose(guided, model.sample(sample), atol=0.1)


def test_a_checkpoint_that_does_not_fit_is_refused(tiny_ldm, weaker):
    with pytest.raises(
        ValueError, match='model.guide_checkpoint=.* does not fit this Guide'
    ):
        tiny_ldm(
            guide=dict(DENOISER, channels=128),
            guide_checkpoint=weaker[1],
            guidance=GUIDANCE,
        )


def test_a_checkpoint_of_something_else_is_refused(tiny_ldm, tmp_path):
    path = str(tmp_path / 'autoencoder.pth')
    write_checkpoint(tiny_ldm().autoencoder.state_dict(), path)
    with pytest.raises(ValueError, match='not in the file: denoiser'):
        tiny_ldm(guide=DENOISER, guide_checkpoint=path, guidance=GUIDANCE)


def test_code_in_a_checkpoint_is_refused(tiny_ldm, tmp_path):
    path = tmp_path / 'weaker.pth'
    torch.save(dict(state_dict={}, code=print), path)
    with pytest.raises(ValueError, match='which is refused'):
        read_checkpoint(path)
    with pytest.raises(ValueError, match='which is refused'):
        tiny_ldm(guide=DENOISER, guide_checkpoint=str(path), guidance=GUIDANCE)


def test_a_missing_checkpoint_is_named(tiny_ldm):
    with pytest.raises(FileNotFoundError, match="guide_checkpoint='nowhere"):
        tiny_ldm(
            guide=DENOISER,
            guide_checkpoint='nowhere.pth',
            guidance=GUIDANCE,
        )


def test_half_a_guide_is_refused(tiny_ldm):
    for half in (dict(guide=DENOISER), dict(guide_checkpoint='weaker.pth')):
        with pytest.raises(ValueError, match='give both or neither'):
            tiny_ldm(guidance=GUIDANCE, **half)


@pytest.mark.parametrize(
    'guidance',
    [
        dict(type='NoGuidance'),
        dict(type='ClassifierFreeGuidance', scale=2.0),
        dict(type='SlotGuidance', scales=dict(tokens=2.0)),
    ],
    ids=lambda guidance: guidance['type'],
)
def test_a_guide_that_guidance_does_not_use_is_refused(
    tiny_ldm, weaker, guidance
):
    with pytest.raises(ValueError, match="type='AutoGuidance'"):
        tiny_ldm(guide=DENOISER, guide_checkpoint=weaker[1], guidance=guidance)


def test_a_guide_that_does_not_fit_the_parts_is_refused(tiny_ldm, tmp_path):
    path = str(tmp_path / 'weaker.pth')
    weaker = tiny_ldm(
        autoencoder=dict(latent_channels=3),
        denoiser=dict(in_channels=3, out_channels=3),
    )
    write_checkpoint(dict(state_dict=weaker.state_dict()), path)
    with pytest.raises(ValueError, match='set guide.in_channels=4'):
        tiny_ldm(
            guide=dict(DENOISER, in_channels=3, out_channels=3),
            guide_checkpoint=path,
            guidance=GUIDANCE,
        )
