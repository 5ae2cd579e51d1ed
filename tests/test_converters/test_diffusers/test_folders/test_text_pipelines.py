"""What pipelines of text take for granted when we write them."""

import json

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file

from mmldm.converters import whole_model, write_diffusers
from mmldm.diffusion import Sampling
from mmldm.structures import LDMDataSample

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
]


def test_stable_diffusion_is_warned_of_no_offset_that_nothing_reads(
    small, tmp_path
):
    folder = small.saved(small.stable_diffusion(tmp_path), tmp_path / 'theirs')
    weights, config = small.read(folder)
    grid = dict(type='TrailingGrid')
    config['diffusion_scheduler'] |= dict(time_grid=grid)
    write_diffusers(weights, config, tmp_path / 'back')
    path = tmp_path / 'back/scheduler/scheduler_config.json'
    content = json.loads(path.read_text())
    assert content['timestep_spacing'] == 'trailing'
    assert content['steps_offset'] == 1


def test_an_offset_that_stable_diffusion_changes_is_noted(small, tmp_path):
    folder = small.saved(small.stable_diffusion(tmp_path), tmp_path / 'theirs')
    weights, config = small.read(folder)
    grid = dict(type='LeadingGrid', offset=0)
    config['diffusion_scheduler'] |= dict(time_grid=grid)
    notes = write_diffusers(weights, config, tmp_path / 'back')
    assert notes[-1].startswith('StableDiffusionPipeline sets steps_offset=1')


def test_a_text_encoder_of_a_file_of_its_own_is_written(small, tmp_path):
    folder = small.saved(small.stable_diffusion(tmp_path), tmp_path / 'theirs')
    weights, config = small.read(folder)
    config['conditioner'] = dict(
        type='Conditioner',
        embedders=[
            dict(
                type='TextEncoder',
                pretrained=str(folder / 'text_encoder'),
                tokenizer=str(folder / 'tokenizer'),
            )
        ],
    )
    model = small.build(config, weights)
    assert not any('network.' in name for name in model.state_dict())
    model.cfg = Config(dict(model=config))
    write_diffusers(*whole_model(model), tmp_path / 'back')
    before, after = small.tensors(folder), small.tensors(tmp_path / 'back')
    after = {n.replace('text_model.', ''): w for n, w in after.items()}
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_layer_that_nothing_reads_is_there_where_ours_has_none(
    small, tmp_path
):
    folder = small.saved(small.text_to_image(tmp_path), tmp_path / 'theirs')
    weights, config = small.read(folder)
    config['conditioner']['embedders'][0]['logits'] = False
    weights = {n: w for n, w in weights.items() if 'to_logits' not in n}
    write_diffusers(weights, config, tmp_path / 'back')
    found = load_file(tmp_path / 'back/bert/model.safetensors')
    expected = load_file(folder / 'bert/model.safetensors')
    assert found.keys() == expected.keys()
    for kind in ('weight', 'bias'):
        name = f'to_logits.{kind}'
        assert found[name].shape == expected[name].shape


@pytest.mark.parametrize(
    'change, note',
    [
        (dict(max_length=9), 'takes captions of 77 tokens, and this model 9'),
        (dict(levels=2), 'multiply height and width by 4'),
    ],
)
def test_what_the_text_pipeline_takes_for_granted(
    small, change, note, tmp_path
):
    pipeline = small.text_to_image(tmp_path)
    if 'levels' in change:
        pipeline.vqvae = small.kl(change['levels'])
    weights, config = small.read(small.saved(pipeline, tmp_path / 'theirs'))
    if 'max_length' in change:
        embedder = config['conditioner']['embedders'][0]
        embedder |= change
        name = 'conditioner.embedders.0.position_embed.weight'
        weights[name] = weights[name][: change['max_length']]
    _, *notes = write_diffusers(weights, config, tmp_path / 'back')
    assert any(note in found for found in notes)
    assert (tmp_path / 'back/model_index.json').exists() == (
        'levels' in change
    )


@pytest.mark.parametrize('kind', ['stable_diffusion', 'text_to_image'])
def test_a_text_model_draws_without_a_text(small, tmp_path, kind):
    """It follows the empty caption, which it was trained with too."""
    pipeline = getattr(small, kind)(tmp_path)
    weights, config = small.read(small.saved(pipeline, tmp_path / 'theirs'))
    model = small.build(config, weights)
    assert model.conditioner.drop_prob == 0.1
    view = model.sampling_by(Sampling(unconditional=True))
    sample = LDMDataSample()
    sample.caption = ''
    expected, _ = model.conditions([sample])
    followed, _ = view.conditions([LDMDataSample()])
    assert torch.equal(followed.tokens, expected.tokens)


def test_a_token_that_fills_captions_is_written(small, tmp_path):
    """As in Stable Diffusion 2; the tokenizer's folder has another one."""
    from transformers import CLIPTokenizer

    folder = small.saved(small.stable_diffusion(tmp_path), tmp_path / 'theirs')
    weights, config = small.read(folder)
    config['conditioner']['embedders'][0]['pad_id'] = 0
    write_diffusers(weights, config, tmp_path / 'back')
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / 'back/tokenizer')
    assert tokenizer.pad_token == 'a'
