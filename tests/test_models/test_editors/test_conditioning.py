"""What the editor gives its conditioner, and asks of it."""

import warnings

import pytest
import torch

from mmldm.diffusion import Sampling
from mmldm.models.conditioners.back_projection import back_project
from mmldm.models.conditioners.filling import blend
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
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


UNTRAINED = 'null condition of .*, which is not trained with .*drop_prob=0'


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


TOLD_TWICE = [classes('extra'), {**classes('extra'), 'slot': 'vector'}]
SLOT_GUIDANCE = dict(type='SlotGuidance', scales=dict(vector=2.0))


@pytest.mark.parametrize(
    'guidance, drop_prob, warns',
    [
        (GUIDANCE, [0.1, 0.0], True),
        (GUIDANCE, [0.1, 0.1], False),
        (SLOT_GUIDANCE, [0.0, 0.1], False),
        (SLOT_GUIDANCE, [0.1, 0.0], True),
        (SLOT_GUIDANCE, 0.1, False),
    ],
)
def test_the_warning_is_of_what_guidance_leaves_out(
    tiny_ldm, inputs, samples, guidance, drop_prob, warns
):
    model = tiny_ldm(
        guidance=guidance,
        conditioner=dict(embedders=TOLD_TWICE, drop_prob=drop_prob),
        denoiser=dict(vector_dim=8),
    )
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter('always')
        model.loss(inputs, samples)
    assert len(found) == warns
    assert all('drop_prob=[0.' in str(warning.message) for warning in found)


def test_conditions_are_dropped_apart_in_training(tiny_ldm, inputs, samples):
    """The denoiser is told one of two."""
    for drop_prob in ([0.0, 1.0], [1.0, 0.0]):
        model = tiny_ldm(
            conditioner=dict(embedders=TOLD_TWICE, drop_prob=drop_prob),
            denoiser=dict(vector_dim=8),
        )
        seen = []
        model.denoiser.register_forward_pre_hook(
            lambda _, args, seen=seen: seen.append(args[2])
        )
        model.loss(inputs, samples)
        tokens, vector = (
            e.embedding.weight[[10, 10] if prob else [3, 7]]
            for e, prob in zip(
                model.conditioner.embedders, drop_prob, strict=True
            )
        )
        torch.testing.assert_close(seen[0].tokens[:, 0], tokens)
        torch.testing.assert_close(seen[0].vector, vector)


def test_sampling_does_not_warn(tiny_ldm, samples):
    """A converted model says nothing of how it was trained."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        tiny_ldm(guidance=GUIDANCE).sample(samples)


def spatial(**embedder):
    """Overrides for a model that is told nothing else."""
    channels = 5 if embedder['type'] == 'MaskedImage' else 3
    return dict(
        conditioner=dict(embedders=[embedder], drop_prob=0.5),
        denoiser=dict(context_dim=None, in_channels=4 + channels),
        autoencoder=dict(latent_scale=0.3, latent_shift=0.1),
        guidance=GUIDANCE,
    )


def inpainting_sample(labelled, address):
    sample = labelled(0, address=address)
    sample.gt_img = torch.randint(256, (3, 8, 8), dtype=torch.uint8)
    sample.mask = torch.eye(8, dtype=torch.uint8)[None]
    return sample


def test_a_masked_image_is_the_mode_of_its_scaled_latent(tiny_ldm, labelled):
    model = tiny_ldm(**spatial(type='MaskedImage', latent_channels=4))
    samples = [inpainting_sample(labelled, (0, i)) for i in range(2)]
    calls = []
    model.denoiser.register_forward_pre_hook(
        lambda _, args: calls.append(args[2].spatial)
    )
    model.sample(samples)
    images = torch.stack([sample.gt_img for sample in samples])
    masked = (images / 127.5 - 1).masked_fill(samples[0].mask.bool(), -1)
    with torch.no_grad():
        mean = model.autoencoder.posterior(masked).mean
    null, given = calls[0].chunk(2)
    torch.testing.assert_close(given[:, :4], (mean - 0.1) * 0.3)
    assert not torch.allclose(null[:, :4], given[:, :4])


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_an_inpainting_model_trains_and_samples(
    tiny_ldm, inputs, labelled, dtype
):
    model = tiny_ldm(**spatial(type='MaskedImage', latent_channels=4))
    model.to(dtype)
    samples = [inpainting_sample(labelled, (0, i)) for i in range(2)]
    losses = model.loss(inputs.to(dtype), samples)
    losses['loss_denoise'].backward()
    assert losses['loss_denoise'].isfinite()
    assert model.predict(None, samples)[0].pred_img.shape == (3, 8, 8)


def test_a_condition_of_another_size_is_refused(tiny_ldm, inputs, samples):
    """In training and in sampling."""
    model = tiny_ldm(**spatial(type='LowResolution'))
    for sample in samples:
        sample.img_lq = torch.zeros(3, 2, 4, dtype=torch.uint8)
        sample.set_metainfo(dict(img_path='a.png'))
    message = 'spatial condition of a.png is 2x4, but its latent is 4x4'
    with pytest.raises(ValueError, match=message):
        model.loss(inputs, samples)
    with pytest.raises(ValueError, match=message):
        model.sample(samples)


# A slot filled by one embedder, and two by two.
EVERYTHING = [
    dict(type='SemanticMap', num_classes=3, num_stages=1, embed_dim=2),
    dict(type='ClassEmbedder', num_classes=10, embed_dim=8),
    dict(type='LowResolution'),
    dict(type='ClassEmbedder', num_classes=10, embed_dim=6, slot='vector'),
    dict(type='PrecomputedFeatures', embed_dim=8),
]
SLOTS = dict(in_channels=4 + 2 + 3, vector_dim=6, attn_factors=(1,))


def described(labelled, place):
    sample = labelled(place, address=(0, place))
    sample.gt_sem_seg = torch.randint(3, (1, 8, 8))
    sample.img_lq = torch.randint(256, (3, 4, 4), dtype=torch.uint8)
    sample.features = torch.randn(2, 8)
    return sample


def test_a_model_may_be_told_several_things_at_once(
    tiny_ldm, inputs, labelled
):
    """Each changes what it draws, and what is learned of each learns."""
    model = tiny_ldm(
        conditioner=dict(embedders=EVERYTHING, drop_prob=0.0),
        denoiser=SLOTS,
        guidance=GUIDANCE,
    )
    samples = [described(labelled, i) for i in range(2)]
    with pytest.warns(UserWarning, match=UNTRAINED):
        model.loss(inputs, samples)['loss_denoise'].backward()
    assert all(w.grad.any() for w in model.conditioner.parameters())
    usual = model.sample(samples)[1]
    other = described(labelled, 5)
    for field in ('gt_sem_seg', 'gt_label', 'img_lq', 'features'):
        changed = samples[1].clone()
        changed.set_field(other.get(field), field)
        drawn = model.sample([samples[0], changed])[1]
        assert not torch.allclose(drawn, usual, atol=1e-3)


@pytest.mark.parametrize(
    'key, value, cause',
    [
        ('in_channels', 9, 'the conditioner concatenates 5'),
        ('vector_dim', 6, 'the conditioner yields vector of dimension 6'),
        ('context_dim', 8, 'the conditioner yields tokens of dimension 8'),
    ],
)
def test_joined_slots_are_as_wide_as_all_of_them(tiny_ldm, key, value, cause):
    with pytest.raises(ValueError, match=f'{cause}: set .*{key}={value}'):
        tiny_ldm(
            conditioner=dict(embedders=EVERYTHING),
            denoiser={**SLOTS, key: value + 1},
        )


@pytest.fixture
def holed(labelled):
    """Builds a sample with an image and a hole in it."""

    def build(label):
        sample = labelled(label, address=(0, label))
        sample.gt_img = torch.randint(256, (3, 8, 8), dtype=torch.uint8)
        sample.mask = (torch.rand(1, 8, 8) < 0.5).byte()
        return sample

    return build


def test_a_model_that_fills_holes_leaves_what_is_known(tiny_ldm, holed):
    """Bit by bit, and the hole as it was drawn."""
    model = tiny_ldm(
        denoiser=dict(in_channels=9, context_dim=None),
        conditioner=dict(
            embedders=[dict(type='MaskedImage', latent_channels=4)]
        ),
    )
    samples = [holed(0), holed(1)]
    drawn = to_images(model.autoencoder.decode(model.sample(samples)))
    for sample, image in zip(model.predict(None, samples), drawn, strict=True):
        hole = sample.mask[0].bool()
        assert sample.pred_img[:, hole].equal(image[:, hole])
        assert sample.pred_img[:, ~hole].equal(sample.gt_img[:, ~hole])
        assert not image[:, ~hole].equal(sample.gt_img[:, ~hole])


def test_a_hole_is_blended_into_what_is_known(tiny_ldm, holed):
    model = tiny_ldm(
        **spatial(type='MaskedImage', latent_channels=4, blends=True)
    )
    sample = holed(0)
    drawn = to_images(model.autoencoder.decode(model.sample([sample])))
    known, hole = sample.gt_img[None], sample.mask[None].bool()
    image = model.predict(None, [sample])[0].pred_img[None]
    assert image.equal(torch.where(hole, blend(drawn, known, hole), known))
    assert not image.equal(torch.where(hole, drawn, known))


def test_an_enlarged_image_agrees_with_the_small_one(tiny_ldm, labelled):
    """After back-projection; a model without condition stays as it is."""
    model = tiny_ldm(
        **spatial(type='LowResolution', back_projections=20),
        image_size=8,
    )
    sample = labelled(0, address=(0, 0))
    sample.img_lq = torch.randint(100, 150, (3, 4, 4), dtype=torch.uint8)
    drawn = to_images(model.autoencoder.decode(model.sample([sample])))
    expected = back_project(drawn, sample.img_lq[None], 20)[0]
    image = model.predict(None, [sample])[0].pred_img
    assert image.equal(expected)
    assert not image.equal(drawn[0])
    free = model.sampling_by(Sampling(unconditional=True))
    drawn = to_images(free.autoencoder.decode(free.sample([sample])))
    assert free.predict(None, [sample])[0].pred_img.equal(drawn[0])


def test_a_model_that_is_shown_no_image_draws_all_of_it(tiny_ldm, holed):
    model = tiny_ldm()
    sample = holed(0)
    drawn = to_images(model.autoencoder.decode(model.sample([sample])))
    assert model.predict(None, [sample])[0].pred_img.equal(drawn[0])
