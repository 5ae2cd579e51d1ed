"""What the editor gives its conditioner, and asks of it."""

import warnings

import pytest
import torch

from mmldm.utils.checkpoint import write_checkpoint

GUIDANCE = dict(type='ClassifierFreeGuidance', scale=2.0)
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
def samples(labelled):
    return [labelled(3, address=(0, 0)), labelled(7, address=(0, 1))]


@pytest.fixture
def inputs():
    return torch.rand(2, 3, 8, 8) * 2 - 1


def encoders(conditioner):
    """What the embedder of every call may encode images by."""
    calls = []
    conditioner.embedders[0].register_forward_pre_hook(
        lambda _, args: calls.append(args[2])
    )
    return calls


def test_embedders_are_given_the_first_stages_encode(
    tiny_ldm, inputs, samples
):
    """In training, and for the condition and the null one in sampling."""
    model = tiny_ldm(guidance=GUIDANCE, conditioner=dict(drop_prob=0.1))
    calls = encoders(model.conditioner)
    model.loss(inputs, samples)
    model.sample(samples)
    assert calls == [model.autoencoder.encode] * 3


def test_embedders_of_the_guide_are_given_it_too(tiny_ldm, samples, tmp_path):
    path = str(tmp_path / 'weaker.pth')
    write_checkpoint(dict(state_dict=tiny_ldm().state_dict()), path)
    model = tiny_ldm(
        guide=DENOISER,
        guide_checkpoint=path,
        guidance=dict(type='AutoGuidance', scale=2.0),
    )
    calls = encoders(model.guide.conditioner)
    model.sample(samples)
    assert calls == [model.autoencoder.encode]


def classes(null):
    return dict(type='ClassEmbedder', num_classes=10, embed_dim=8, null=null)


def test_guidance_without_a_null_condition_is_refused(tiny_ldm):
    with pytest.raises(
        ValueError, match='ClassEmbedder of the conditioner has none: set'
    ):
        tiny_ldm(
            guidance=GUIDANCE, conditioner=dict(embedders=[classes('none')])
        )


def test_a_class_that_cannot_be_left_out_needs_no_guidance(tiny_ldm, samples):
    model = tiny_ldm(conditioner=dict(embedders=[classes('none')]))
    assert model.sample(samples).isfinite().all()


UNTRAINED = 'null condition, which is not trained with .*drop_prob=0'


def test_training_without_dropping_warns_once(tiny_ldm, inputs, samples):
    model = tiny_ldm(guidance=GUIDANCE)
    with pytest.warns(UserWarning, match=UNTRAINED) as found:
        model.loss(inputs, samples)
        model.loss(inputs, samples)
    assert len(found) == 1


@pytest.mark.parametrize(
    'guidance, drop_prob', [(GUIDANCE, 0.1), (dict(type='NoGuidance'), 0.0)]
)
def test_there_is_no_warning_where_all_is_trained(
    tiny_ldm, inputs, samples, guidance, drop_prob
):
    model = tiny_ldm(guidance=guidance, conditioner=dict(drop_prob=drop_prob))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        model.loss(inputs, samples)


def test_sampling_does_not_warn(tiny_ldm, samples):
    """A converted model says nothing of how it was trained."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        tiny_ldm(guidance=GUIDANCE).sample(samples)
