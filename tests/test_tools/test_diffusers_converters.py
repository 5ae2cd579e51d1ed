"""diffusers_to_mmldm.py and mmldm_to_diffusers.py, as a user runs them."""

import ast
import json
import shutil
import sys
from pathlib import Path

import diffusers
import numpy as np
import PIL.Image
import pytest
import torch
from mmengine.config import Config

from mmldm.apis import init_model
from mmldm.apis.first_stages import take_first_stage
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.model_file import read_model_file

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
]
BLOCKS = dict(layers_per_block=1, block_out_channels=(32, 64))
WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'red', 'bus']


@pytest.fixture
def run(load_converter, tmp_path, monkeypatch, capsys):
    """Runs a tool in tmp_path; what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(name, *arguments):
        tool = load_converter(name)
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        tool.main()
        return capsys.readouterr().out

    return run


@pytest.fixture
def unconditional(tmp_path):
    """A folder of a small LDMPipeline."""
    pipeline = diffusers.LDMPipeline(
        vqvae=diffusers.VQModel(
            down_block_types=('DownEncoderBlock2D',) * 2,
            up_block_types=('UpDecoderBlock2D',) * 2,
            scaling_factor=1.0,
            **BLOCKS,
        ),
        unet=diffusers.UNet2DModel(
            sample_size=8,
            down_block_types=('DownBlock2D', 'AttnDownBlock2D'),
            up_block_types=('AttnUpBlock2D', 'UpBlock2D'),
            **BLOCKS,
        ),
        scheduler=diffusers.DDIMScheduler(
            beta_schedule='scaled_linear', clip_sample=False, steps_offset=1
        ),
    )
    pipeline.save_pretrained(tmp_path / 'theirs')
    return tmp_path / 'theirs'


@pytest.fixture
def text_to_image(tmp_path):
    """A folder of a small LDMTextToImagePipeline."""
    from diffusers.pipelines.latent_diffusion import (
        pipeline_latent_diffusion as library,
    )
    from transformers import BertTokenizer

    (tmp_path / 'vocab.txt').write_text('\n'.join(WORDS))
    bert = library.LDMBertConfig(
        vocab_size=len(WORDS),
        encoder_layers=1,
        encoder_ffn_dim=64,
        encoder_attention_heads=2,
        head_dim=4,
        d_model=16,
    )
    pipeline = diffusers.LDMTextToImagePipeline(
        vqvae=diffusers.AutoencoderKL(
            block_out_channels=(32,) * 4,
            down_block_types=('DownEncoderBlock2D',) * 4,
            up_block_types=('UpDecoderBlock2D',) * 4,
        ),
        bert=library.LDMBertModel(bert).eval(),
        tokenizer=BertTokenizer(str(tmp_path / 'vocab.txt')),
        unet=diffusers.UNet2DConditionModel(
            sample_size=4,
            down_block_types=('DownBlock2D', 'CrossAttnDownBlock2D'),
            up_block_types=('CrossAttnUpBlock2D', 'UpBlock2D'),
            cross_attention_dim=16,
            **BLOCKS,
        ),
        scheduler=diffusers.DDIMScheduler(
            beta_schedule='scaled_linear',
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
    )
    pipeline.save_pretrained(tmp_path / 'theirs')
    return tmp_path / 'theirs'


@torch.no_grad()
def ours(model, size, **said):
    model.diffusion_scheduler.num_steps = 4
    channels = model.autoencoder.latent_channels
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(1, channels, size, size, generator=generator)
    z = model.sample([LDMDataSample(**said)], start=start)
    return to_images(model.autoencoder.decode(z))[0]


def theirs(folder, **said):
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    said = dict(said, generator=generator, num_inference_steps=4)
    image = pipeline(**said).images[0]
    return torch.from_numpy(np.asarray(image)).permute(2, 0, 1)


def assert_same_image(found, expected):
    assert (found.int() - expected.int()).abs().max() <= 2


def test_there_and_back(run, unconditional):
    printed = run('diffusers_to_mmldm', unconditional, 'ours')
    assert printed.startswith('LatentDiffusion with ')
    assert 'mmldm::_base_/models/' in Path('ours/config.py').read_text()
    expected = theirs(unconditional)
    for source in ('ours', 'ours/model.safetensors', unconditional):
        model = init_model(source, device='cpu')
        assert_same_image(ours(model, 8), expected)
    printed = run('mmldm_to_diffusers', 'ours', 'back')
    assert printed.startswith('LDMPipeline: ')
    assert 'Note' not in printed
    assert_same_image(theirs('back'), expected)


def test_a_config_and_a_checkpoint(run, unconditional):
    run('diffusers_to_mmldm', unconditional, 'ours')
    arguments = ['ours/config.py', 'ours/model.safetensors', 'back']
    run('mmldm_to_diffusers', *arguments, '--image-size', '32')
    content = json.loads(Path('back/unet/config.json').read_text())
    assert content['sample_size'] == 16


def test_a_model_takes_its_tokenizer_along(run, text_to_image):
    """Also where it is moved after that."""
    run('diffusers_to_mmldm', text_to_image, 'first')
    said = dict(prompt='a red bus', guidance_scale=5.0)
    expected = theirs(text_to_image, **said)
    shutil.move(text_to_image, 'elsewhere')
    shutil.move('first', 'ours')
    config = read_model_file('ours/model.safetensors')[1]
    (embedder,) = config['conditioner']['embedders']
    assert embedder['tokenizer']['pretrained'] == 'tokenizer'
    for source in ('ours', 'ours/model.safetensors'):
        model = init_model(source, device='cpu')
        found = ours(model, 4, caption='a red bus')
        assert_same_image(found, expected)
    printed = run('mmldm_to_diffusers', 'ours', 'back')
    assert 'Note: guidance_scale=5.0 must be given in the call' in printed
    assert_same_image(theirs('back', **said), expected)


def test_a_first_stage_alone(run, unconditional):
    printed = run('diffusers_to_mmldm', unconditional / 'vqvae', 'ours')
    assert printed.startswith('FirstStage with ')
    run('mmldm_to_diffusers', 'ours', 'back')
    before, after = (
        diffusers.VQModel.from_pretrained(path).state_dict()
        for path in (unconditional / 'vqvae', 'back')
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_is_trained_is_exported(run, config, tmp_path):
    """With a first stage that lies in another file, and no image_size."""
    Path('plain.py').write_text(f"""
_base_ = '{config}'
model = dict(
    conditioner=dict(_delete_=True, type='Conditioner'),
    denoiser=dict(vector_dim=None),
    guidance=dict(_delete_=True, type='NoGuidance'))
""")
    cfg = Config.fromfile('plain.py')
    take_first_stage(cfg.model)
    model = MODELS.build(cfg.model)
    state = model.state_dict()
    assert 'autoencoder.decoder.0.weight' not in state
    write_checkpoint(dict(state_dict=state), 'plain.pth')
    printed = run('mmldm_to_diffusers', 'plain.py', 'plain.pth', 'out')
    assert 'LDMPipeline: ' in printed
    assert 'IPNDM on EqualErrorGrid, of this model, is not in dif' in printed
    content = json.loads(Path('out/unet/config.json').read_text())
    assert content['sample_size'] == 32 // model.autoencoder.factor
    vae = diffusers.AutoencoderKL.from_pretrained('out/vqvae')
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        z = vae.encode(x).latent_dist.mode() * vae.config.scaling_factor
        torch.testing.assert_close(
            model.autoencoder.encode(x), z, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize('tool', ['diffusers_to_mmldm', 'mmldm_to_diffusers'])
def test_what_is_no_model_is_refused(run, tool, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(
        (ValueError, FileNotFoundError), match='empty is (no|not a) f'
    ):
        run(tool, 'empty', 'out')
    assert not (tmp_path / 'out').exists()


CALL = "__import__('os').system('touch CANARY')"
NAME = f'x"""; {CALL} #'.replace('/', '')


@pytest.mark.parametrize(
    'part, key, value',
    [
        ('vqvae', 'mid_block_add_attention', {f'x={CALL}, y': 1}),
        ('vqvae', 'mid_block_add_attention', CALL),
        ('vqvae', 'norm_num_groups', {f'x={CALL}, y': 1}),
        ('vqvae', 'scaling_factor', [{f'x={CALL}, y': 1}]),
        ('unet', 'attention_head_dim', {f'x={CALL}, y': 1}),
        ('unet', 'layers_per_block', f'1), {CALL}, ('),
        ('unet', 'attention_head_dim', 10**400),
        ('vqvae', 'sample_size', -(10**400)),
        ('scheduler', 'beta_start', float('nan')),
        ('scheduler', 'beta_start', {f'x={CALL}, y': 1}),
        ('scheduler', 'beta_end', CALL),
        ('scheduler', 'steps_offset', {f'x={CALL}, y': 1}),
    ],
)
def test_no_value_of_a_folder_becomes_code(
    run, unconditional, part, key, value
):
    """Neither is anything written, nor executed."""
    names = dict(scheduler='scheduler_config.json')
    path = unconditional / part / names.get(part, 'config.json')
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, key: value}))
    with pytest.raises(ValueError):
        run('diffusers_to_mmldm', unconditional, 'ours')
    assert not Path('ours/config.py').exists()
    assert not Path('CANARY').exists()


def test_no_name_of_a_folder_becomes_code(run, unconditional):
    shutil.move(unconditional, NAME)
    out_dir = f"'+{CALL}+'"
    run('diffusers_to_mmldm', NAME, out_dir)
    tree = ast.parse(Path(out_dir, 'config.py').read_text())
    assert all(isinstance(node, ast.Assign) for node in tree.body)
    model = Config.fromfile(f'{out_dir}/config.py').model
    assert MODELS.build(model)
    init_model(out_dir, device='cpu')
    assert json.loads(Path(out_dir, 'model.json').read_text())
    assert not Path('CANARY').exists()


def test_a_tokenizer_links_to_nothing_outside(run, text_to_image, tmp_path):
    (tmp_path / 'secret.txt').write_text('secret')
    (text_to_image / 'tokenizer/merges.txt').symlink_to('../../secret.txt')
    with pytest.raises(ValueError, match='merges.txt is a link that leads'):
        run('diffusers_to_mmldm', text_to_image, 'ours')
    assert not Path('ours').exists()
    with pytest.raises(ValueError, match='merges.txt is a link that leads'):
        init_model(text_to_image, device='cpu')


def test_what_is_no_tokenizer_is_left_out(run, text_to_image):
    (text_to_image / 'tokenizer/evil.py').touch()
    printed = run('diffusers_to_mmldm', text_to_image, 'ours')
    assert 'Left out of tokenizer: evil.py' in printed
    assert not Path('ours/tokenizer/evil.py').exists()


@pytest.mark.parametrize('kind', [{}, {'a': 1}, [], 3, 'x', [None, None]])
def test_what_is_no_part_of_a_pipeline_is_none(run, unconditional, kind):
    path = unconditional / 'model_index.json'
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, 'safety_checker': kind, 'x': kind}))
    printed = run('diffusers_to_mmldm', unconditional, 'ours')
    assert 'safety_checker' not in printed


def test_a_converted_text_model_trains_on_texts_beside_images(
    text_to_image, run, run_tool, tmp_path
):
    """From its own weights, which a step of 1e-7 hardly changes."""
    assert 'Train it further' in run(
        'diffusers_to_mmldm', text_to_image, 'ours'
    )
    (tmp_path / 'data').mkdir()
    for i, suffix in enumerate(('txt', 'txt', 'caption')):
        image = PIL.Image.new('RGB', (40, 32), (90 * i, 9, 9))
        image.save(tmp_path / f'data/{i}.png')
        (tmp_path / f'data/{i}.{suffix}').write_text('a red bus')
    runner = run_tool(
        *('train', 'ours/config.py', '--cfg-options'),
        f'train_dataloader.dataset.data_root={tmp_path / "data"}',
        'train_dataloader.global_batch_size=2',
        'train_dataloader.num_workers=0',
        'train_cfg.max_iters=1',
        'model.diffusion_scheduler.num_steps=1',
        'default_hooks.validation_loss.num_images=1',
    )
    assert runner.iter == 1
    dataset = runner.train_dataloader.dataset
    assert dataset[0]['data_samples'].caption == 'a red bus'
    stored, _ = read_model_file('ours/model.safetensors')
    for name, weight in runner.bare_model.state_dict().items():
        torch.testing.assert_close(weight, stored[name], rtol=0, atol=1e-6)
