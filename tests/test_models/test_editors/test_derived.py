"""Arguments that follow from other parts may be left out of a config."""

import pytest
import torch

from mmldm.models.denoisers import DenoisingUNet
from mmldm.models.editors import complete_model
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

DENOISER = dict(
    type='DenoisingUNet', channels=64, channel_mults=(1,), num_res_blocks=1
)
# For a first stage of 4 channels and two pixels a position.
EMBEDDERS = [
    dict(type='MaskedImage'),
    dict(type='SemanticMap', num_classes=3, embed_dim=2),
    dict(type='ClassEmbedder', num_classes=10, embed_dim=8),
    dict(type='ClassEmbedder', num_classes=10, embed_dim=6, slot='vector'),
]
NUMBERS = dict(
    in_channels=4 + (4 + 1) + 2, out_channels=4, context_dim=8, vector_dim=6
)


@MODELS.register_module()
class TokenDenoiser(DenoisingUNet):
    """A network of another project, which takes no vector."""

    def __init__(self, in_channels, out_channels, context_dim=768):
        super().__init__(
            in_channels, out_channels, 64, (1,), 1, context_dim=context_dim
        )


@pytest.fixture
def config(ldm_config):
    """A tiny model's, in which no number that follows is stated."""

    def build(denoiser=DENOISER, embedders=EMBEDDERS, **overrides):
        config = ldm_config(**overrides)
        config['denoiser'] = dict(denoiser)
        config['conditioner']['embedders'] = [dict(e) for e in embedders]
        return config

    return build


def numbers(network):
    return {key: getattr(network, key) for key in NUMBERS}


def test_a_denoiser_is_built_for_the_other_parts(config):
    model = MODELS.build(config())
    assert numbers(model.denoiser) == NUMBERS
    masked, placed = model.conditioner.embedders[:2]
    assert (masked.dim, placed.factor) == (4 + 1, 2)


def test_without_conditions_there_are_only_latents(config):
    denoiser = MODELS.build(config(embedders=[])).denoiser
    assert numbers(denoiser) == dict(
        in_channels=4, out_channels=4, context_dim=None, vector_dim=None
    )


@pytest.mark.parametrize('kind', ['DenoisingUNet', 'DiffusionTransformer'])
def test_a_learned_variance_is_as_many_outputs_again(config, kind):
    denoiser = dict(type=kind, channels=64)
    variance = dict(variance=dict(type='LearnedVariance'))
    given = config(denoiser, EMBEDDERS[3:], diffusion_scheduler=variance)
    expected = dict(
        in_channels=4, out_channels=2 * 4, context_dim=None, vector_dim=6
    )
    assert numbers(MODELS.build(given).denoiser) == expected
    assert complete_model(given)['denoiser']['out_channels'] == 2 * 4


def test_any_denoiser_gets_what_its_class_takes(config):
    """In place of a default, too; what it does not take is refused."""
    model = config(dict(type='TokenDenoiser'), EMBEDDERS[2:3])
    assert MODELS.build(model).denoiser.context_dim == 8
    with pytest.raises(ValueError, match='set denoiser.vector_dim=6'):
        MODELS.build(config(dict(type='TokenDenoiser')))


def test_optimizers_see_the_denoiser_before_the_conditioner(config):
    """Their state goes by the place of a weight."""
    model = MODELS.build(config())
    parts = [n.partition('.')[0] for n, _ in model.named_parameters()]
    trained = [part for part in parts if part != 'autoencoder']
    assert [*dict.fromkeys(trained)] == ['denoiser', 'conditioner']


def test_a_guide_is_built_for_them_too(config, tmp_path):
    path = str(tmp_path / 'weaker.pth')
    weaker = MODELS.build(config())
    write_checkpoint(dict(state_dict=weaker.state_dict()), path)
    model = MODELS.build(
        config(
            guide=dict(DENOISER),
            guide_checkpoint=path,
            guidance=dict(type='AutoGuidance', scale=2.0),
        )
    )
    assert numbers(model.guide.denoiser) == NUMBERS
    assert model.guide.conditioner.embedders[0].dim == 4 + 1


def test_a_classifier_is_built_for_the_latents(ldm_config):
    parts = {
        key: ldm_config()[key]
        for key in ('autoencoder', 'diffusion_scheduler')
    }
    network = dict(type='LatentClassifier', num_classes=3, channels=64)
    config = dict(type='LatentClassification', classifier=network, **parts)
    assert MODELS.build(dict(config)).classifier.in_channels == 4
    assert complete_model(config)['classifier']['in_channels'] == 4


def test_stated_latent_channels_of_an_embedder_are_checked(config):
    stated = dict(type='MaskedImage', latent_channels=3)
    with pytest.raises(
        ValueError, match='set conditioner.embedders.0.latent_channels=4'
    ):
        MODELS.build(config(embedders=[stated]))


@pytest.mark.parametrize(
    ('part', 'argument'),
    [
        (DENOISER, 'in_channels'),
        (dict(type='MaskedImage'), 'latent_channels'),
        (EMBEDDERS[1], 'num_stages'),
        (dict(type='LatentClassifier', num_classes=3), 'in_channels'),
    ],
)
def test_a_part_alone_needs_the_argument(part, argument):
    with pytest.raises(TypeError, match=argument):
        MODELS.build(dict(part))


def test_a_config_is_completed_with_and_without_the_model(config):
    """As it is built; what it says stays, and the config as it was."""
    given = config(dict(DENOISER, context_dim=8))
    model = MODELS.build(config())
    for completed in (complete_model(given), complete_model(given, model)):
        assert {**completed['denoiser'], **NUMBERS} == completed['denoiser']
        embedders = completed['conditioner']['embedders']
        assert embedders[0]['latent_channels'] == 4
        assert embedders[1]['num_stages'] == 1
        assert given == config(dict(DENOISER, context_dim=8))
        with torch.device('meta'):
            built = MODELS.build(completed['denoiser'])
        assert numbers(built) == NUMBERS


def test_a_learned_variance_doubles_the_outputs(config):
    variance = dict(variance=dict(type='LearnedVariance'))
    given = config(diffusion_scheduler=variance)
    model = MODELS.build(given)
    assert model.denoiser.out_channels == 8
    for completed in (complete_model(given), complete_model(given, model)):
        assert completed['denoiser']['out_channels'] == 8


def test_a_first_stage_alone_is_complete():
    config = dict(type='FirstStage', autoencoder=dict(type='AutoencoderKL'))
    assert complete_model(config) == config
