"""Every config is built at reduced width, trained one step and sampled."""

import ast
import copy
import functools
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from PIL import Image

from mmldm.apis import load_config, tool_parser
from mmldm.apis.config.derived import fill_base_batch_size
from mmldm.apis.first_stages import shipped_first_stage
from mmldm.datasets import AddressedDataset
from mmldm.diffusion import Sampling
from mmldm.models.conditioners.pretrained_tokens import PretrainedTokens
from mmldm.models.conditioners.word_tokens import WordTokens
from mmldm.models.editors import complete_model
from mmldm.registry import (
    DATA_SAMPLERS,
    DATASETS,
    DIFFUSION_SCHEDULERS,
    HOOKS,
    MODELS,
)

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / 'configs').glob('[!_]*/*.py'))


def load(path):
    """A copy of a config as the tools load it, with its first stage."""
    return copy.deepcopy(loaded(path))


@functools.cache
def loaded(path):
    """The config of a file, read once."""
    return load_config(tool_parser(None).parse_args([str(path)]))


def narrowed(model):
    """The same model with as few channels and blocks as there can be."""
    if model.autoencoder.type != 'IdentityAutoencoder':
        model.autoencoder.update(channels=32, num_res_blocks=1)
    if model.type == 'LatentClassification':
        model.autoencoder_checkpoint = None
        model.classifier.update(channels=64, num_res_blocks=1)
    elif model.type == 'LatentDiffusion':
        model.autoencoder_checkpoint = None
        narrow_denoiser(model.denoiser)
        model.diffusion_scheduler.num_steps = 2
        for embedder in model.conditioner.get('embedders', []):
            narrow_text(embedder)
    elif model.get('perceptual') and model.perceptual.type == 'LPIPS':
        # Its weights are not here.
        model.perceptual = dict(type='LaplacianPyramidLoss')
    adapter = model.pop('adapter', None)
    built = with_words(MODELS.build(model))
    if adapter is not None:
        built.requires_grad_(False)
        parts = dict(denoiser=built.denoiser, conditioner=built.conditioner)
        MODELS.build(adapter).adapt(parts)
    return built


def narrow_denoiser(denoiser):
    """As few channels and blocks as there can be."""
    denoiser.channels = 64
    if denoiser.type == 'DiffusionTransformer':
        denoiser.update(num_layers=1, num_heads=2)
    else:
        mults = [min(mult, 2) for mult in denoiser.channel_mults]
        denoiser.update(channel_mults=mults, num_res_blocks=1)


def narrow_text(embedder):
    """A transformer of one block, whose weights are not needed."""
    if embedder.type == 'TokenTransformer':
        embedder.update(num_layers=1)
        if embedder.tokenizer.type == 'BertTokens':
            embedder.update(vocab_size=99)
    elif embedder.type == 'TextEncoder':
        width = 768  # of the one that is named
        small = dict(hidden_size=width, num_hidden_layers=1, vocab_size=99)
        embedder.update(config=small, tokenizer=embedder.pretrained)
        embedder.pretrained = None


def with_words(model):
    """The model with a tokenizer that needs no files."""
    for module in model.modules():
        tokenizer = getattr(module, 'tokenizer', None)
        if isinstance(tokenizer, PretrainedTokens):
            words = ['a', 'red', 'circle']
            module.tokenizer = WordTokens(words, tokenizer.max_length)
    return model


def samples_for(model, labelled, size):
    """Two data samples with every condition that a config may read."""
    samples = []
    latent_size = [side // model.autoencoder.factor for side in size]
    for i in range(2):
        sample = labelled(i, address=(0, i), img_shape=size)
        sample.caption = 'a red circle'
        sample.layout = [(i, (0.25, 0.5, 0.5, 0.25))]
        sample.gt_sem_seg = torch.full((1, *size), i)
        sample.features = torch.ones(2, 768)
        images = dict(
            gt_img=torch.zeros(3, *size, dtype=torch.uint8),
            mask=torch.ones(1, *size, dtype=torch.uint8),
            img_lq=torch.zeros(3, *latent_size, dtype=torch.uint8),
        )
        sample.set_tensor_data(images)
        samples.append(sample)
    return samples


def load_all(kind):
    """Every config of a kind of model."""
    return [path for path in CONFIGS if path.parent.name == kind]


@pytest.mark.parametrize('path', load_all('ldm'), ids=lambda path: path.stem)
def test_the_paper_s_sampler_suits_the_model(path):
    """And a published result has the metrics of its row."""
    cfg = load(path)
    sampling = cfg.test_cfg.get('sampling')
    if path.stem in paper_results():
        metrics = cfg.test_evaluator
        assert metrics, 'no metric of the row in the paper'
        assert sampling
    if sampling:
        scheduler = DIFFUSION_SCHEDULERS.build(cfg.model.diffusion_scheduler)
        way = Sampling.of(**sampling)
        assert len(way.applied(scheduler).levels()) == sampling['steps'] + 1


def paper_results():
    """Names of the configs with results of the paper's tables 1 to 9."""
    content = yaml.safe_load((ROOT / 'configs/ldm/metafile.yml').read_text())
    return {m['Name'] for m in content['Models'] if m.get('Results')}


@pytest.mark.parametrize('path', load_all('ldm'), ids=lambda path: path.stem)
def test_a_diffusion_model_trains_and_predicts(path, labelled):
    cfg = load(path)
    model = narrowed(cfg.model)
    # Image distances of losses need 16 pixels a side.
    size = (max(16, 2 * model.autoencoder.factor),) * 2
    samples = samples_for(model, labelled, size)
    images = torch.rand(2, 3, *size) * 2 - 1
    losses = model.loss(images, samples)
    sum(losses.values()).backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert trained
    assert all(p.grad is not None for p in trained)
    predicted = model.predict(images, samples)
    assert predicted[1].pred_img.shape == (3, *size)


@pytest.mark.parametrize(
    'path', load_all('classifier'), ids=lambda path: path.stem
)
def test_a_classifier_trains_and_predicts(path, labelled):
    cfg = load(path)
    model = narrowed(cfg.model)
    samples = samples_for(model, labelled, (16, 16))
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    model.loss(images, samples)['loss_classify'].backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert trained
    assert all(p.grad is not None for p in trained)
    predicted = model.predict(images, samples)
    assert {*predicted[1].pred_labels} == {'t_0', 't_250', 't_500', 't_750'}


@pytest.mark.parametrize(
    'path', load_all('autoencoder'), ids=lambda path: path.stem
)
def test_a_first_stage_trains_and_predicts(path, labelled, awaken):
    """With all of its losses, by the optimizers of its config."""
    cfg = load(path)
    model = narrowed(cfg.model)
    awaken(model.autoencoder)
    samples = samples_for(model, labelled, (32, 32))
    batch = dict(
        inputs=[*torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)],
        data_samples=samples,
    )
    adversarial = model.adversarial
    start = adversarial.start + adversarial.ramp if adversarial else 0
    batch['iteration'] = start
    before = {
        name: weight.detach().clone()
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    with DefaultScope.overwrite_default_scope('mmldm'):
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    logged = model.train_step(batch, wrapper)
    assert ('loss_adversarial' in logged) == (adversarial is not None)
    assert before
    # A hinge loss within its margin pulls the bias of logits both ways alike.
    for name in [name for name in before if name.startswith('adversarial')]:
        if name.endswith('bias') and before[name].numel() == 1:
            del before[name]
    for name, weight in model.named_parameters():
        assert name not in before or (weight != before[name]).any(), name
    predicted = model.predict(torch.rand(2, 3, 32, 32) * 2 - 1, samples)
    assert predicted[1].pred_img.shape == (3, 32, 32)


@pytest.mark.parametrize(
    'path',
    load_all('ldm') + load_all('classifier'),
    ids=lambda path: path.stem,
)
def test_the_first_stage_is_one_of_ours_and_says_itself_what_it_is(path):
    model = Config.fromfile(path).model
    stated = model.get('autoencoder') or {}
    if 'type' in stated:
        assert stated.type == 'IdentityAutoencoder'
        assert 'autoencoder_checkpoint' not in model
    else:
        assert shipped_first_stage(model.autoencoder_checkpoint)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_the_name_says_what_is_in_the_config(path):
    """{algorithm}_{autoencoder}[_{task}]_{gpus}xb{batch}-{iters}_{data}."""
    cfg = load(path)
    *_, run, data = path.stem.split('_')
    gpus, rest = run.split('xb')
    batch, iters = rest.split('-')
    number = int(iters.rstrip('k')) * (1000 if iters.endswith('k') else 1)
    assert cfg.train_dataloader.global_batch_size == int(gpus) * int(batch)
    assert cfg.train_cfg.max_iters == number
    assert cfg.auto_scale_lr.base_batch_size == int(gpus) * int(batch)
    size = cfg.train_dataloader.dataset.size
    assert data.endswith(f'-{size}x{size}')


@pytest.mark.parametrize(
    'path',
    sorted((ROOT / 'configs/_base_/models').glob('*.py')),
    ids=lambda path: path.stem,
)
def test_a_base_of_models_states_an_editor(path):
    # Converters choose the nearest of these files.
    assert Config.fromfile(path).model.type in MODELS


def test_no_config_states_what_follows():
    for path in CONFIGS:
        cfg = Config.fromfile(path)
        stated = cfg.pop('auto_scale_lr', None)
        fill_base_batch_size(cfg)
        assert stated is None or stated != cfg.auto_scale_lr, path
        fills_in = MODELS.get(cfg.model.type).fills_in
        for key, arguments in fills_in.items():
            part = cfg.model
            for name in key.split('.'):
                part = part.get(name) or {}
            for config in part if isinstance(part, list) else [part]:
                assert not {*arguments} & config.keys(), (path, key)


def schedules_of(config):
    """All configs of schedules, of one optimizer or of several."""
    found = config.get('param_scheduler', [])
    if isinstance(found, dict):
        return [entry for entries in found.values() for entry in entries]
    return found


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_schedule_ends_with_the_training_by_itself(path):
    """A longer training needs one key."""
    config = loaded(path)
    for entry in schedules_of(config):
        assert entry.get('end') != config.train_cfg.max_iters


def what_is_read(conditioner):
    """Fields of data samples."""
    fields = set()
    for embedder in conditioner.get('embedders', []):
        if embedder.type == 'TokenTransformer':
            embedder = embedder.tokenizer
        fields.update(MODELS.get(embedder.type).reads)
    return fields


class OneImage(AddressedDataset):
    """Some image, and fields that its annotations would have."""

    def __init__(self, entry, size, pipeline):
        self.entry = dict(entry, size=size)
        super().__init__(pipeline, serialize_data=False)

    def load_data_list(self):
        return [self.entry]


def dataset_of(config, folder):
    """The data set of a config, whose files are not here."""
    if config.type == 'Photographs':
        config.packages = ()
    if config.type == 'GenerationRequests':
        config.serialize_data = False  # which collects all garbage
    if config.type not in ('ImageFolder', 'ImageShards', 'LSUN'):
        return DATASETS.build(config)
    entry = dict(img_path=str(folder / 'image.png'))
    sources = [config.type, *(a.type for a in config.get('annotations', []))]
    for source in sources:
        entry |= FIELDS.get(source, {})
    for key in FILES.keys() & entry:
        entry[key] = str(folder / FILES[key])
    return OneImage(entry, config.size, config.pipeline)


FILES = dict(map_path='map.png', features_path='features.npy')
CAPTIONS = dict(captions=['a red circle'])
LAYOUT = dict(layout=[(0, (0.25, 0.5, 0.5, 0.25)), (1, (0.1, 0.1, 0.5, 0.5))])
FIELDS = dict(
    CaptionFiles=CAPTIONS,
    CocoBoxes=LAYOUT,
    CocoCaptions=CAPTIONS,
    FeatureFiles=dict(features_path=None),
    FolderClasses=dict(gt_label=0),
    ImageShards=CAPTIONS,
    LabelMaps=dict(map_path=None),
    OpenImagesBoxes=LAYOUT,
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """With an image, and what its pixels show."""
    folder = tmp_path_factory.mktemp('data')
    Image.new('RGB', (300, 280)).save(folder / 'image.png')
    Image.new('L', (300, 280)).save(folder / 'map.png')
    np.save(folder / 'features.npy', np.zeros((4, 768)))
    return folder


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_the_data_have_what_the_model_reads(path, folder):
    cfg = load(path)
    wanted = what_is_read(cfg.model.get('conditioner', {}))
    for phase in ('train', 'val', 'test'):
        dataset = dataset_of(cfg[f'{phase}_dataloader'].dataset, folder)
        sample = dataset[0]['data_samples']
        assert wanted <= {*sample.keys()}
        DATA_SAMPLERS.build(
            cfg[f'{phase}_dataloader'].sampler,
            default_args=dict(dataset=dataset, seed=0),
        )
    for hook in cfg.default_hooks.values():
        HOOKS.build(hook)


@pytest.mark.parametrize(
    'name, millions',
    [
        ('autoencoder/autoencoder_kl-f4_8xb8-200k_images-256x256', 55.312),
        ('autoencoder/autoencoder_kl-f4_1xb10-177k_images-256x256', 55.312),
        ('autoencoder/autoencoder_kl-f8_1xb4-247k_images-256x256', 83.654),
        ('autoencoder/autoencoder_kl-f16_1xb6-443k_images-256x256', 69.611),
        ('autoencoder/autoencoder_kl-f32_1xb6-407k_images-256x256', 103.880),
        ('autoencoder/autoencoder_vq-f4_1xb8-533k_images-256x256', 55.323),
        (
            'autoencoder/autoencoder_vq-f4-noattn_1xb8-658k_images-256x256',
            53.219,
        ),
        ('autoencoder/autoencoder_vq-f8_1xb10-971k_images-256x256', 67.717),
        (
            'autoencoder/autoencoder_vq-f8-n256_1xb10-1609k_images-256x256',
            67.653,
        ),
        ('autoencoder/autoencoder_vq-f16_1xb14-1101k_images-256x256', 69.593),
        ('ldm/ldm_kl-f4_8xb8-200k_images-256x256', 274.056),
    ],
)
def test_published_architectures_have_their_size(name, millions):
    """Parameters of the first stages and of the CelebA-HQ LDM-4's UNet."""
    model = complete_model(load(ROOT / 'configs' / f'{name}.py').model)
    network = model.get('denoiser', model['autoencoder'])
    with torch.device('meta'):
        network = MODELS.build(network)
    count = sum(p.numel() for p in network.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=1e-3)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_its_commands_can_be_pasted(path):
    """They name the file itself, and tools that are there."""
    text = ast.get_docstring(ast.parse(path.read_text())).replace('\\\n', ' ')
    commands = [
        shlex.split(line.partition(': ')[2])
        for line in text.splitlines()
        if re.match(r'\w+: +(python|bash) ', line)
    ]
    if other := re.search(
        r'^Train and (?:judge|draw): as (\S+)\.$', text, re.M
    ):
        assert (path.parent / other[1]).is_file()
        return
    trained = {arg for command in commands for arg in command[2:]}
    assert str(path.relative_to(ROOT)) in trained
    # The tool's second argument is the folder that it writes.
    made = {c[3] for c in commands if c[1] == 'tools/cache_latents.py'}
    for command in commands:
        assert (ROOT / command[1]).is_file()
        named = {a for a in command[2:] if a.startswith('configs/')}
        assert all((ROOT / name).is_file() for name in named)
        folders = {a for a in command[2:] if a.startswith('work_dirs/')}
        assert folders <= {f'work_dirs/{path.stem}', *made}
