import json
import shutil
import warnings

import pytest
import torch
from mmengine.config import Config

from mmldm.apis import init_model, publish_model
from mmldm.models.conditioners import ClassEmbedder
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.model_file import read_model_file
from mmldm.utils.stored_config import store_config


def write_training(path, model, config, **content):
    """A checkpoint as the Runner writes it."""
    checkpoint = dict(
        state_dict=model.state_dict(),
        optimizer=dict(state={0: dict(exp_avg=torch.ones(1000))}),
        message_hub=dict(log_scalars={}),
        meta=dict(cfg=store_config(dict(model=config)), iter=4),
    )
    write_checkpoint(checkpoint | content, path)


@pytest.fixture
def save(tmp_path, awaken):
    """Builds a model and writes its checkpoint."""

    def save(config, **content):
        model = MODELS.build(config).eval()
        if hasattr(model, 'denoiser'):
            awaken(model.denoiser)
        path = tmp_path / 'iter_4.pth'
        write_training(path, model, config, **content)
        return path, model

    return save


@pytest.fixture
def first_stage(tmp_path, ldm_config):
    """The file of a first stage."""
    path = tmp_path / 'first' / 'iter_9.pth'
    path.parent.mkdir()
    model = MODELS.build(ldm_config())
    write_checkpoint(dict(state_dict=model.autoencoder.state_dict()), path)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'out' / 'model'


def draw(model, sample):
    return model.predict(None, [sample])[0].pred_img


def test_a_first_stage_of_its_own_file_is_included(
    save, first_stage, ldm_config, out, labelled
):
    config = ldm_config(autoencoder_checkpoint=str(first_stage)).to_dict()
    path, model = save(config)
    assert 'autoencoder.encoder.0.weight' not in model.state_dict()
    file = publish_model(path, out)
    first_stage.unlink()
    path.unlink()
    published = init_model(file)
    assert published.cfg.model.get('autoencoder_checkpoint') is None
    sample = labelled(3, address=(0, 0))
    assert torch.equal(draw(published, sample), draw(model, sample))
    names = {'autoencoder.encoder.0.weight', 'denoiser.conv_in.weight'}
    weights = read_model_file(file)[0]
    assert names < set(weights)
    assert 'autoencoder_hash' not in weights


@pytest.mark.parametrize('whole', [False, True], ids=['file', 'work_dir'])
def test_a_first_stage_left_out_is_a_neighbour(
    save, first_stage, ldm_config, out, labelled, whole
):
    reference = str(first_stage.parent if whole else first_stage)
    path, model = save(ldm_config(autoencoder_checkpoint=reference).to_dict())
    file = publish_model(path, out, with_first_stage=False)
    weights, config = read_model_file(file)
    assert config['autoencoder_checkpoint'] == 'iter_9.pth'
    assert not [n for n in weights if n.startswith('autoencoder.enc')]
    with pytest.raises(FileNotFoundError, match='put iter_9.pth beside it'):
        init_model(file)
    first_stage.rename(file.with_name('iter_9.pth'))
    sample = labelled(3, address=(0, 0))
    assert torch.equal(draw(init_model(file), sample), draw(model, sample))
    other = MODELS.build(config['autoencoder']).state_dict()
    write_checkpoint(dict(state_dict=other), file.with_name('iter_9.pth'))
    with pytest.raises(ValueError, match='trained on a first stage whose'):
        init_model(file)


def test_a_first_stage_in_no_other_file_cannot_be_left_out(
    save, ldm_config, out
):
    path, _ = save(ldm_config().to_dict())
    with pytest.raises(ValueError, match='in no other file'):
        publish_model(path, out, with_first_stage=False)


def test_nothing_of_the_training_is_published(
    save, tiny_autoencoder, ldm_config, out
):
    first = dict(
        type='FirstStage',
        autoencoder=tiny_autoencoder,
        perceptual=dict(type='LaplacianPyramidLoss'),
        adversarial=dict(
            type='AdversarialLoss',
            weight=0.5,
            start=2,
            discriminator=dict(
                type='PatchDiscriminator', channels=8, num_layers=2
            ),
        ),
    )
    ldm = ldm_config(log_variance=dict(type='LearnedLogVariance')).to_dict()
    for config, parts in (
        (first, ('perceptual', 'adversarial')),
        (ldm, ('log_variance',)),
    ):
        path, model = save(config)
        weights, published = read_model_file(publish_model(path, out))
        kept = {
            name: weight
            for name, weight in model.state_dict().items()
            if not name.startswith(parts)
        }
        assert len(kept) < len(model.state_dict())
        torch.testing.assert_close(weights, kept, rtol=0, atol=0)
        wanted = {k: v for k, v in config.items() if k not in parts}
        assert published == json.loads(json.dumps(wanted))


@pytest.fixture
def averaged(save, ldm_config):
    """A checkpoint with an average, and the weights in training."""
    config = ldm_config().to_dict()
    model = MODELS.build(config)
    weights = model.denoiser.state_dict(prefix='denoiser.')
    raw = {name: weight + 1 for name, weight in weights.items()}
    return save(config, raw_state_dict=raw, ema_num_updates=4)


@pytest.mark.parametrize(
    'which, raw', [(None, False), ('ema', False), ('raw', True)]
)
def test_the_average_is_published_unless_asked_otherwise(
    averaged, out, which, raw
):
    path, model = averaged
    content = torch.load(path, weights_only=True)
    expected = dict(content['state_dict'])
    expected.update(content['raw_state_dict'] if raw else {})
    weights, _ = read_model_file(publish_model(path, out, which))
    torch.testing.assert_close(weights, expected, rtol=0, atol=0)


def test_weights_that_are_not_there_are_not_given(
    save, averaged, ldm_config, out
):
    path, _ = averaged
    file = publish_model(path, out)
    for which in ('ema', 'raw'):
        match = f'one set of weights.*{which!r} is given: omit which'
        with pytest.raises(ValueError, match=match):
            publish_model(file, out, which)
    path, _ = save(ldm_config().to_dict())
    with pytest.raises(ValueError, match="kept no average.*set which='raw'"):
        publish_model(path, out, 'ema')
    assert publish_model(path, out, 'raw') == publish_model(path, out)


def test_the_same_model_has_the_same_name(averaged, out):
    path, _ = averaged
    file = publish_model(path, out)
    for source, name in (
        (path, out),
        (path, f'{out}.safetensors'),
        (file, out),
        (file.parent, out),
    ):
        if source == file.parent:
            Config(dict(model=read_model_file(file)[1])).dump(
                file.parent / 'config.py'
            )
            file.rename(file.parent / 'model.safetensors')
        assert publish_model(source, name) == file
    assert publish_model(path, out, 'raw') != file


def test_names_with_dots_stay(averaged, out):
    path, _ = averaged
    file = publish_model(path, out.with_name('ldm_v1.5'))
    assert file.name.startswith('ldm_v1.5-')
    for name in ('a.pth', 'a.ckpt'):
        with pytest.raises(ValueError, match='not the name of a model file'):
            publish_model(path, out.with_name(name))


def test_another_config_may_be_given(averaged, out, ldm_config, tmp_path):
    path, _ = averaged
    other = ldm_config(diffusion_scheduler=dict(num_steps=7)).to_dict()
    Config(dict(model=other)).dump(tmp_path / 'other.py')
    file = publish_model(path, out, config=tmp_path / 'other.py')
    config = read_model_file(file)[1]
    assert config['diffusion_scheduler']['num_steps'] == 7


def test_a_model_with_a_guide_is_refused(save, averaged, ldm_config, out):
    weak, _ = averaged
    denoiser = ldm_config().denoiser
    path = weak.rename(weak.with_name('weak.pth'))
    config = ldm_config(
        guide=denoiser,
        guide_checkpoint=str(path),
        guidance=dict(type='AutoGuidance', scale=2.0),
    ).to_dict()
    guided, _ = save(config)
    assert init_model(guided).guide is not None
    with pytest.raises(ValueError, match='another one, model.guide, which'):
        publish_model(guided, out)


class Noted(ClassEmbedder):
    """An embedder of a user's."""

    def __init__(self, notes: str, **arguments) -> None:
        super().__init__(**arguments)
        self.notes = notes


def test_what_no_reader_would_take_is_not_written(save, ldm_config, out):
    MODELS.register_module(module=Noted)
    embedder = dict(type='Noted', num_classes=10, embed_dim=8)
    try:
        for notes in ('short', '/home/me'):
            embedders = [dict(embedder, notes=notes)]
            config = ldm_config(conditioner=dict(embedders=embedders))
            path, _ = save(config.to_dict())
            if notes == 'short':
                publish_model(path, out)
                continue
            with pytest.raises(
                ValueError, match="notes='/home/me', and a text"
            ):
                publish_model(path, out.parent / 'other' / 'name')
    finally:
        del MODELS.module_dict['Noted']
    assert not (out.parent / 'other').exists()


CLIP = dict(
    vocab_size=18,
    hidden_size=8,
    intermediate_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    max_position_embeddings=7,
    bos_token_id=16,
    eos_token_id=17,
)


@pytest.mark.parametrize('tokenizer', ['someone/clip', '/home/me/clip'])
def test_a_pretrained_text_encoder_is_included(
    save, ldm_config, out, tmp_path, tokenizer
):
    from transformers import CLIPTextConfig, CLIPTextModel

    folder = tmp_path / 'clip'
    CLIPTextModel(CLIPTextConfig(**CLIP)).save_pretrained(folder)
    config = ldm_config(
        conditioner=dict(
            embedders=[
                dict(
                    type='TextEncoder',
                    pretrained=str(folder),
                    tokenizer=tokenizer,
                    max_length=5,
                    layer='penultimate',
                )
            ]
        )
    ).to_dict()
    path, model = save(config)
    expected = model.conditioner.embedders[0].network.state_dict()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        file = publish_model(path, out)
    told = [str(warning.message) for warning in caught]
    others_lack_it = any(
        f'{tokenizer}, which other users do not have' in t for t in told
    )
    assert others_lack_it == tokenizer.startswith('/')
    shutil.rmtree(folder)
    published = init_model(file).conditioner.embedders[0]
    torch.testing.assert_close(
        published.network.state_dict(), expected, rtol=0, atol=0
    )
    assert published.layer == 'penultimate'
    assert published.tokenizer.pretrained == tokenizer
    assert published.tokenizer.max_length == 5
