"""What we write is read, and drawn with, by plain diffusers."""

import json

import diffusers
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmldm.converters import whole_model, write_diffusers
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:Expected types for vqvae'),
]
SCHEDULER = dict(
    type='DiffusionScheduler',
    noise_schedule=dict(type='ScaledLinearBetas'),
    prediction=dict(type='EpsilonPrediction'),
    loss_weighting=dict(type='UniformWeighting'),
    timestep_sampler=dict(type='UniformTimesteps'),
    time_grid=dict(type='CompVisGrid'),
    solver=dict(type='DDIM'),
    num_steps=10,
)
LDM = dict(
    type='LatentDiffusion',
    autoencoder=dict(
        type='AutoencoderVQ',
        latent_channels=3,
        channels=32,
        channel_mults=(1, 2),
        num_res_blocks=1,
        quantizer=dict(num_codes=64),
    ),
    denoiser=dict(
        type='DenoisingUNet',
        in_channels=3,
        out_channels=3,
        channels=64,
        channel_mults=(1, 2),
        num_res_blocks=1,
        attn_factors=(2,),
    ),
    conditioner=dict(type='Conditioner'),
    diffusion_scheduler=SCHEDULER,
    guidance=dict(type='NoGuidance'),
    image_size=16,
)
KL = dict(
    type='AutoencoderKL',
    latent_channels=3,
    channels=32,
    channel_mults=(1, 2),
    num_res_blocks=1,
    attn_factors=(2,),
    latent_scale=0.4,
)


TRANSFORMER = dict(
    type='DiffusionTransformer',
    in_channels=3,
    out_channels=3,
    channels=32,
    num_layers=1,
    num_heads=2,
)


def changed(part, **options):
    return LDM | {part: LDM[part] | options}


@pytest.fixture
def export(tmp_path, awaken):
    """Builds, writes, and gives the model, the folder and the notes."""

    def export(config):
        model = awaken(MODELS.build(config)).eval()
        written, *notes = write_diffusers(
            model.state_dict(), config, tmp_path / 'out'
        )
        return model, tmp_path / 'out', notes

    return export


@torch.no_grad()
def drawn(model, **said):
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, 3, 8, 8, generator=generator)
    z = model.sample([LDMDataSample(**said)], start=start)
    return to_images(model.autoencoder.decode(z))[0]


def assert_same_image(theirs, ours):
    theirs = torch.as_tensor(np.asarray(theirs)).permute(2, 0, 1)
    assert (theirs.int() - ours.int()).abs().max() <= 2
    assert ours.float().std() > 5


@pytest.mark.parametrize(
    'config',
    [
        LDM,
        LDM | dict(autoencoder=KL),
        changed(
            'diffusion_scheduler',
            solver=dict(type='PLMS', coordinates='ve'),
        ),
        changed(
            'diffusion_scheduler',
            time_grid=dict(type='LeadingGrid', unit_start=True),
        ),
    ],
)
def test_a_pipeline_draws_as_ours(export, config):
    model, folder, notes = export(config)
    assert notes == []
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    assert type(pipeline).__name__ == 'LDMPipeline'
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        generator=torch.Generator().manual_seed(0), num_inference_steps=10
    ).images[0]
    assert_same_image(image, drawn(model))


def test_the_model_card_of_ldm_celebahq_256_runs_unchanged(export):
    model, folder, _ = export(LDM)
    unet = diffusers.UNet2DModel.from_pretrained(folder, subfolder='unet')
    vqvae = diffusers.VQModel.from_pretrained(folder, subfolder='vqvae')
    scheduler = diffusers.DDIMScheduler.from_config(
        folder, subfolder='scheduler'
    )
    image = torch.randn(
        (1, unet.config.in_channels, *[unet.config.sample_size] * 2),
        generator=torch.manual_seed(0),
    )
    scheduler.set_timesteps(num_inference_steps=200)
    for t in scheduler.timesteps:
        with torch.no_grad():
            residual = unet(image, t)['sample']
        image = scheduler.step(residual, t, image, eta=0.0)['prev_sample']
    with torch.no_grad():
        image = vqvae.decode(image)['sample']
    image = image.permute(0, 2, 3, 1).clamp(-1, 1)[0] * 127.5 + 127.5
    model.diffusion_scheduler.num_steps = 200
    assert_same_image(image.round(), drawn(model))


def test_every_weight_has_its_place_there(export):
    _, folder, _ = export(LDM)
    for kind, part in (
        (diffusers.UNet2DModel, 'unet'),
        (diffusers.VQModel, 'vqvae'),
    ):
        _, report = kind.from_pretrained(
            folder, subfolder=part, output_loading_info=True
        )
        assert not any(report.values()), report


def small_image(**options):
    embedder = dict(type='LowResolution', **options)
    return changed('denoiser', in_channels=6) | dict(
        conditioner=dict(type='Conditioner', embedders=[embedder])
    )


def test_super_resolution_draws_as_ours(export):
    model, folder, notes = export(small_image())
    assert notes == []
    small = torch.randint(256, (3, 8, 8)).to(torch.uint8)
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        small[None] / 127.5 - 1,
        generator=torch.Generator().manual_seed(0),
        num_inference_steps=10,
    ).images[0]
    assert_same_image(image, drawn(model, img_lq=small))


CLASSES = changed('denoiser', context_dim=8) | dict(
    conditioner=dict(
        type='Conditioner',
        embedders=[dict(type='ClassEmbedder', num_classes=4, embed_dim=8)],
    ),
    guidance=dict(type='ClassifierFreeGuidance', scale=2.5),
)
# As the quickstart's model.
VELOCITY = SCHEDULER | dict(prediction=dict(type='VelocityPrediction'))
VECTOR_CLASSES = changed('denoiser', vector_dim=6) | dict(
    autoencoder=KL,
    conditioner=dict(
        type='Conditioner',
        embedders=[
            dict(
                type='ClassEmbedder', num_classes=4, embed_dim=6, slot='vector'
            )
        ],
    ),
    diffusion_scheduler=VELOCITY,
    guidance=dict(type='ClassifierFreeGuidance', scale=2.5),
)
# As README's model of images of one's own.
OWN_IMAGES = LDM | dict(
    autoencoder=KL
    | dict(
        attn_factors=(),
        mid_attention=False,
        norm_groups=8,
        starts_as_resizing=True,
        latent_scale=[0.4, 2.0, 1.0],
        latent_shift=[0.5, -0.1, 0.0],
    ),
    diffusion_scheduler=VELOCITY,
)


def test_classes_beside_the_time_draw_as_ours(export):
    """All of them, by the loop that docs/en/converters.md shows."""
    model, folder, notes = export(VECTOR_CLASSES)
    assert 'Classes are class_labels of the unet; 4 is no class' in notes
    assert not any('learned is left out' in note for note in notes)
    unet = diffusers.UNet2DModel.from_pretrained(folder, subfolder='unet')
    vae = diffusers.AutoencoderKL.from_pretrained(folder, subfolder='vqvae')
    scheduler = diffusers.DDIMScheduler.from_pretrained(
        folder, subfolder='scheduler'
    )
    scheduler.set_timesteps(10)
    images = []
    for label in range(4):
        z = torch.randn(1, 3, 8, 8, generator=torch.manual_seed(0))
        for t in scheduler.timesteps:
            with torch.no_grad():
                cond, null = (
                    unet(z, t, class_labels=torch.tensor([row])).sample
                    for row in (label, 4)
                )
            out = null + 2.5 * (cond - null)
            z = scheduler.step(out, t, z).prev_sample
        with torch.no_grad():
            image = vae.decode(z / vae.config.scaling_factor).sample[0]
        images.append(((image.clamp(-1, 1) + 1) * 127.5).round())
        sample = LDMDataSample().set_gt_label(label)
        start = torch.randn(1, 3, 8, 8, generator=torch.manual_seed(0))
        with torch.no_grad():
            z = model.sample([sample], start=start)
            ours = to_images(model.autoencoder.decode(z))[0]
        assert_same_image(images[-1].permute(1, 2, 0), ours)
    assert (images[0] - images[1]).abs().max() > 2


def test_classes_travel_beside_tokens(export):
    """What fills another slot changes nothing for the vector."""
    config = CLASSES | dict(
        denoiser=CLASSES['denoiser'] | dict(vector_dim=6),
        conditioner=dict(
            type='Conditioner',
            embedders=[
                *CLASSES['conditioner']['embedders'],
                *VECTOR_CLASSES['conditioner']['embedders'],
            ],
        ),
    )
    model, folder, _ = export(config)
    unet, report = diffusers.UNet2DConditionModel.from_pretrained(
        folder, subfolder='unet', output_loading_info=True
    )
    assert not any(report.values()), report
    labels = torch.tensor([2, 0])
    embedded = unet.class_embedding(labels)
    embedding = model.conditioner.embedders[1].embedding
    expected = model.denoiser.vector_embed(embedding(labels))
    torch.testing.assert_close(embedded, expected)


def test_a_vector_of_more_than_classes_is_refused(export):
    (embedder,) = VECTOR_CLASSES['conditioner']['embedders']
    two = dict(type='Conditioner', embedders=[embedder, embedder])
    config = VECTOR_CLASSES | dict(
        conditioner=two,
        denoiser=VECTOR_CLASSES['denoiser'] | dict(vector_dim=12),
    )
    with pytest.raises(ValueError, match='vector_dim=12: .* ClassEmbedder'):
        export(config)


# As that of FLUX; its shift has no place in the pipeline.
SHIFTED = LDM | dict(
    autoencoder=KL
    | dict(quant_conv=False, post_quant_conv=False, latent_shift=0.5)
)


GREY = LDM | dict(autoencoder=KL | dict(type='GreyAutoencoderKL'))


def test_grey_images_are_grey_there(export):
    model, folder, notes = export(GREY)
    assert notes == []
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        generator=torch.Generator().manual_seed(0), num_inference_steps=10
    ).images[0]
    assert_same_image(image, drawn(model))
    assert np.ptp(np.asarray(image).astype(int), axis=2).max() <= 1


@pytest.mark.parametrize('config', [OWN_IMAGES, SHIFTED])
def test_a_scale_that_pipelines_lack_draws_as_ours(export, config):
    model, folder, (note,) = export(config)
    assert note.startswith('latent_scale and latent_shift of each channel')
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    assert pipeline.vqvae.config.scaling_factor == 1
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        generator=torch.Generator().manual_seed(0), num_inference_steps=10
    ).images[0]
    assert_same_image(image, drawn(model))


TINY = dict(
    type='DiffusersAutoencoder',
    config=dict(
        _class_name='AutoencoderTiny',
        latent_channels=3,
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ),
    latent_scale=0.4,
)


def test_a_network_of_diffusers_is_written_as_it_is(export):
    model, folder, notes = export(LDM | dict(autoencoder=TINY))
    assert notes == []
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    assert type(pipeline.vqvae).__name__ == 'AutoencoderTiny'
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(
        generator=torch.Generator().manual_seed(0), num_inference_steps=10
    ).images[0]
    assert_same_image(image, drawn(model))


def test_its_shift_has_no_place(export):
    config = LDM | dict(autoencoder=TINY | dict(latent_shift=0.5))
    message = 'latent_shift=.* AutoencoderTiny in a .* no shift: measure one'
    with pytest.raises(ValueError, match=message):
        export(config)


def test_its_folder_is_read_for_the_export(tmp_path):
    network = diffusers.AutoencoderTiny.from_config(TINY['config'])
    network.save_pretrained(tmp_path)
    stage = dict(type=TINY['type'], pretrained=str(tmp_path))
    model = MODELS.build(LDM | dict(autoencoder=stage))
    model.cfg = Config(dict(model=LDM | dict(autoencoder=stage)))
    weights, config = whole_model(model)
    assert config['autoencoder']['config']['latent_channels'] == 3
    alone = MODELS.build(config['autoencoder'])
    for name, weight in alone.network.state_dict().items():
        found = weights[f'autoencoder.network.{name}']
        assert torch.equal(found, network.state_dict()[name])
        assert found.shape == weight.shape


# Captions alone would have a pipeline.
SEVERAL = CLASSES | dict(
    conditioner=dict(
        type='Conditioner',
        embedders=[
            dict(
                type='TokenTransformer',
                tokenizer=dict(type='BertTokens'),
                vocab_size=9,
                max_length=77,
                embed_dim=8,
                num_layers=1,
            ),
            *CLASSES['conditioner']['embedders'],
        ],
    )
)


@pytest.mark.parametrize(
    'config, why',
    [
        (CLASSES, 'diffusers has none for conditions by ClassEmbedder'),
        (SEVERAL, 'for conditions by TokenTransformer, ClassEmbedder'),
        (
            small_image() | dict(autoencoder=KL),
            'takes as many latent channels as an image has, 3, and no scale; ',
        ),
    ],
)
def test_without_a_pipeline_the_parts_are_written(export, config, why):
    model, folder, (note, *others) = export(config)
    assert note.startswith('No pipeline uses these parts: ')
    assert why in note
    # A small image has no weights.
    learned = bool([*model.conditioner.parameters()])
    assert any('learned is left out' in n for n in others) == learned
    assert sorted(path.name for path in folder.iterdir()) == [
        'scheduler',
        'unet',
        'vqvae',
    ]
    name = json.loads((folder / 'unet/config.json').read_text())['_class_name']
    unet = getattr(diffusers, name).from_pretrained(folder, subfolder='unet')
    assert torch.equal(unet.conv_in.weight, model.denoiser.conv_in.weight)


@pytest.mark.parametrize(
    'config, note',
    [
        (CLASSES, 'guidance_scale=2.5 must be given in the call'),
        (
            LDM | dict(log_variance=dict(type='LearnedLogVariance')),
            'log_variance, which weighs losses, is left out',
        ),
        (
            small_image(back_projections=2),
            'LowResolution.back_projections is left out',
        ),
        (
            changed(
                'diffusion_scheduler',
                solver=dict(type='IPNDM'),
                time_grid=dict(type='EqualErrorGrid'),
            ),
            'IPNDM on EqualErrorGrid, of this model, is not in diffusers',
        ),
    ],
)
def test_what_is_not_as_ours_is_said(export, config, note):
    notes = export(config)[2]
    assert any(found.startswith(note) for found in notes)


@pytest.mark.parametrize(
    'config, message',
    [
        (LDM | dict(image_size=None), 'model.image_size is missing'),
        (LDM | dict(image_size=[16, 32]), '16x32 is no square.*--image-size'),
        (changed('denoiser', res_block=dict(updown=True)), 'updown=True'),
        (
            LDM | dict(denoiser=TRANSFORMER),
            "denoiser.type='DiffusionTransformer' has no .*publish_model.py",
        ),
        (changed('autoencoder', image_skip=True), 'image_skip=True has no co'),
        (
            changed('autoencoder', latent_scale=[1, 2, 3]),
            r'latent_scale=\[1.0, 2.0, 3.0\] has no .* without per_channel',
        ),
        (
            changed(
                'diffusion_scheduler',
                noise_schedule=dict(type='RectifiedFlow'),
                time_grid=dict(type='TrailingGrid'),
            ),
            "noise_schedule.type='RectifiedFlow' has no betas",
        ),
    ],
)
def test_what_cannot_be_expressed_is_refused_and_nothing_written(
    export, config, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        export(config)
    assert not (tmp_path / 'out').exists()


def test_another_editor_is_refused(tmp_path):
    with pytest.raises(ValueError, match="model.type='LatentClassif.* has no"):
        write_diffusers({}, dict(type='LatentClassification'), tmp_path)


def test_a_tokenizer_that_is_not_to_be_had_is_refused(export, tmp_path):
    tokens = dict(type='BertTokens', pretrained=str(tmp_path / 'nowhere'))
    transformer = dict(
        type='TokenTransformer',
        tokenizer=tokens,
        vocab_size=9,
        max_length=77,
        embed_dim=8,
        num_layers=1,
        logits=True,
    )
    config = changed('denoiser', context_dim=8) | dict(
        conditioner=dict(type='Conditioner', embedders=[transformer])
    )
    with pytest.raises(ValueError, match='nowhere.* give the folder'):
        export(config)
    assert not (tmp_path / 'out').exists()
