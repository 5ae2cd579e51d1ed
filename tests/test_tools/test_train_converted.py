"""A converted model is trained further by the config beside it."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from mmldm.apis import init_model
from mmldm.apis.recipes import how_to_train
from mmldm.converters import model_config
from mmldm.datasets.image_files import read_image
from mmldm.utils import SampleRandom
from mmldm.utils.model_file import read_model_file

# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')

CASES = [
    'class_vq_f4',
    'inpainting_vq_f4',
    'layout_vq_f4',
    'semantic_vq_f4',
    'superres_vq_f4',
    'text_kl_f8',
    'uncond_kl_f8',
    'uncond_vq_f4',
]
SHORT = [
    'train_cfg.max_iters=3',
    'train_dataloader.global_batch_size=2',
    'train_dataloader.num_workers=0',
    'model.diffusion_scheduler.num_steps=1',
    'default_hooks.validation_loss.num_images=1',
]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Four images with maps, and again in the folders of two classes."""
    root, rng = tmp_path_factory.mktemp('data'), np.random.default_rng(0)
    for i in range(4):
        image = Image.fromarray(rng.integers(0, 256, (72, 80, 3), np.uint8))
        labels = Image.fromarray(rng.integers(0, 13, (72, 80), np.uint8))
        for name, content in (('images', image), ('maps', labels)):
            path = root / f'pairs/{name}/{i}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            content.save(path)
        path = root / f'classes/{"ab"[i % 2]}/{i}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    return root


def write_tokens(root, length):
    """As many tokens beside each image as a model reads."""
    (root / 'tokens').mkdir(exist_ok=True)
    for path in (root / 'images').iterdir():
        tokens = np.random.default_rng(0).integers(0, 100, length)
        np.save(root / 'tokens' / f'{path.stem}.npy', tokens)


@pytest.fixture
def convert(reference, call_tool, tmp_path, monkeypatch):
    """Converts a reference model into a folder of its name."""
    monkeypatch.chdir(tmp_path)

    def convert(name):
        config = reference.config(name)
        Path('model.yaml').write_text(yaml.safe_dump(dict(model=config)))
        torch.save(reference.checkpoint(name), 'model.ckpt')
        files = 'model.yaml', 'model.ckpt', name
        call_tool('model_converters/compvis_to_mmldm', *files)
        return tmp_path / name

    return convert


@pytest.fixture
def train(run_tool, monkeypatch):
    """Trains a folder's config; the first batch with its loss, the runner."""

    def train(out_dir, data_root, *options):
        steps = []

        def kept(model):
            real = model.loss

            def loss(inputs, data_samples, iteration=0):
                weights = {k: v.clone() for k, v in model.state_dict().items()}
                found = real(inputs, data_samples, iteration)
                steps.append((inputs, data_samples, weights, found))
                return found

            return loss

        def hooked(runner):
            model = runner.bare_model
            monkeypatch.setattr(model, 'loss', kept(model))

        monkeypatch.setattr('mmldm.engine.runner.check_required_hooks', hooked)
        runner = run_tool(
            *('train', out_dir / 'config.py', '--cfg-options'),
            f'train_dataloader.dataset.data_root={data_root}',
            *(*SHORT, *options),
        )
        return steps[0], runner

    return train


def loss_of_the_original(model, reference, name, inputs, samples):
    """The error of its network, from the tables of the original itself."""
    random = SampleRandom.of(samples)
    encode = model.autoencoder.encode
    z_0 = encode(inputs, random.normal('posterior'))
    cond = model.conditioner(samples, random, encode)
    t = (1000 * random.uniform('time')).long()
    noise = random.normal('noise')(z_0)
    kept = reference.values(name)['alphas_cumprod'][t, None, None, None]
    z_t = kept.sqrt() * z_0 + (1 - kept).sqrt() * noise
    error = model.denoiser(z_t, t.float(), cond) - noise
    l1 = reference.original(name).get('loss_type', 'l2') == 'l1'
    return (error.abs() if l1 else error.square()).mean()


@pytest.mark.parametrize('name', CASES)
def test_training_begins_from_the_original(
    name, reference, convert, folder, train
):
    """Its loss, and all of its tensors: first stage and conditioner too."""
    out_dir = convert(name)
    data = folder / 'classes'
    if name.startswith(('layout', 'semantic', 'text')):
        data = folder / 'pairs'
        tokens = reference.values(name).get('tokens')
        write_tokens(data, 0 if tokens is None else tokens.shape[1])
    first, runner = train(out_dir, data)
    inputs, samples, weights, losses = first
    stored, _ = read_model_file(out_dir / 'model.safetensors')
    assert stored.keys() == weights.keys()
    assert all(torch.equal(stored[n], weights[n]) for n in stored)
    model = init_model(out_dir, device='cpu')
    with torch.no_grad():
        expected = loss_of_the_original(
            model, reference, name, inputs, samples
        )
    found = losses['loss_denoise']
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert runner.iter == 3
    trained = runner.bare_model.state_dict()
    changed = {n for n in stored if not torch.equal(trained[n], stored[n])}
    assert {n.partition('.')[0] for n in changed} <= {
        'denoiser',
        'conditioner',
    }
    assert 'denoiser.conv_in.weight' in changed


def test_a_moved_folder_begins_from_its_own_weights(
    convert, folder, train, tmp_path
):
    """Not from a file of the same name in the current folder."""
    convert('uncond_vq_f4')
    (tmp_path / 'elsewhere').mkdir()
    moved = (tmp_path / 'uncond_vq_f4').rename(tmp_path / 'elsewhere/mine')
    Path('model.safetensors').write_bytes(b'another model')
    _, runner = train(moved, folder / 'classes')
    assert runner.cfg.load_from == str(moved / 'model.safetensors')
    assert runner.work_dir == str(tmp_path / 'work_dirs/mine')


def test_conditions_without_a_recipe_are_named(reference):
    """A model that is told classes and small images at once."""
    original = reference.config('class_vq_f4')
    params = original['params'] | dict(conditioning_key='hybrid')
    params['unet_config']['params']['in_channels'] = 6
    with pytest.warns(UserWarning, match='are taken for a small image'):
        config = model_config(dict(original, params=params))
    assert re.search(
        'OUT/config.py has no training data: add a train_dataloader with the '
        'fields gt_label, img_lq of a data sample',
        how_to_train(config, 'OUT/config.py'),
    )


OPTIMIZED = """
model = dict(type='FirstStage')
optim_wrapper = dict(optimizer=dict(type='AdamW'))
"""


def test_a_config_without_data_says_so(run_tool, tmp_path):
    (tmp_path / 'config.py').write_text(OPTIMIZED)
    message = 'config.py has no train_dataloader: inherit one of'
    with pytest.raises(ValueError, match=message):
        run_tool('train', tmp_path / 'config.py')


OTHER_DECODER = """
_base_ = 'uncond_vq_f4/config.py'
model = dict(autoencoder_checkpoint='work_dirs/uncond_vq_f4_first-stage')
"""


def test_the_first_stage_is_trained_further_and_used(
    convert, folder, run_tool, call_tool
):
    """Its decoder, on own images; the model draws with it at once."""
    out_dir = convert('uncond_vq_f4')
    options = [o for o in SHORT if not o.startswith(('model.', 'default'))]
    data = f'train_dataloader.dataset.data_root={folder / "classes"}'
    runner = run_tool(
        'train', out_dir / 'first_stage.py', '--cfg-options', data, *options
    )
    before, _ = read_model_file(out_dir / 'model.safetensors')
    after = runner.bare_model.state_dict()
    changed = {
        n for n in after.keys() & before if (after[n] != before[n]).any()
    }
    parts = {name.split('.')[1] for name in changed}
    assert parts == {'decoder', 'post_quant_conv'}
    Path('mine.py').write_text(OTHER_DECODER)
    images = []
    for source in (['uncond_vq_f4'], ['mine.py', 'uncond_vq_f4']):
        call_tool('sample', *source, '--num', 1, '--steps', 1, '--out', 'out')
        images.append(read_image('out/images/000000.png'))
    old, new = images
    assert 0 < np.abs(old.astype(int) - new).mean() < 5


def test_rows_of_classes_learn_ten_times_as_fast(convert, folder, train):
    """As each of them learns from few images, and begins as another class."""
    _, runner = train(convert('class_vq_f4'), folder / 'classes')
    table = runner.bare_model.conditioner.embedders[0].embedding.weight
    rates = {
        weight is table: group['lr']
        for group in runner.optim_wrapper.param_groups
        for weight in group['params']
    }
    assert rates[True] == pytest.approx(10 * rates[False])
