"""The same images as by pipelines that diffusers saved, both ways."""

import json

import diffusers
import pytest
import torch

from mmldm.converters import read_diffusers, write_diffusers

pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
]


def scales(pipeline):
    """Of guidance, where there is any."""
    has_text = {'bert', 'text_encoder'} & {*pipeline.components}
    return (1.0, 3.0) if has_text else (None,)


def test_a_folder_of_theirs_draws_the_same_here(small, pipeline, tmp_path):
    folder = small.saved(pipeline, tmp_path / 'theirs')
    found = read_diffusers(folder)
    assert found.notes == []
    model = small.build(found.config, found.weights)
    for scale in scales(pipeline):
        small.assert_same_image(
            small.ours_draws(model, scale), small.theirs_draws(pipeline, scale)
        )


def test_what_is_read_is_written_again(small, pipeline, tmp_path):
    """No tensor and no key changes, and plain diffusers draws with it."""
    folder, out_dir = (
        small.saved(pipeline, tmp_path / 'theirs'),
        tmp_path / 'back',
    )
    found = read_diffusers(folder)
    written, *notes = write_diffusers(found.weights, found.config, out_dir)
    assert written.startswith(f'{type(pipeline).__name__}: ')
    assert all('guidance_scale' in note for note in notes)
    before, after = small.tensors(folder), small.tensors(out_dir)
    assert {n.replace('text_model.', '') for n in after} == {*before}
    for name, weight in after.items():
        assert torch.equal(weight, before[name.replace('text_model.', '')])
    back = diffusers.DiffusionPipeline.from_pretrained(out_dir)
    assert_same_configs(pipeline, back)
    small.assert_same_image(
        small.theirs_draws(back, 3.0), small.theirs_draws(pipeline, 3.0)
    )


def assert_same_configs(before, after):
    assert before.components.keys() == after.components.keys()
    for name, part in before.components.items():
        if not hasattr(part, 'config'):
            continue
        was, now = (
            dict(getattr(p.components[name].config, 'to_dict', dict)())
            or dict(p.components[name].config)
            for p in (before, after)
        )
        for key in was.keys() - UNSAID:
            same = json.dumps(was[key]) == json.dumps(now[key])
            assert same or (key, was[key]) == ('vq_embed_dim', None), key


# Where it is from, and what training alone reads.
UNSAID = {
    '_diffusers_version',
    '_name_or_path',
    '_use_default_values',
    'attention_dropout',
    'dropout',
    'dtype',
    'transformers_version',
}


def test_super_resolution_scales_no_latents(small, tmp_path):
    """Whatever its first stage says, by default 0.18215."""
    pipeline = small.super_resolution(tmp_path)
    pipeline.vqvae = small.vq()
    found = read_diffusers(small.saved(pipeline, tmp_path / 'theirs'))
    assert found.config['autoencoder']['latent_scale'] == 1
    model = small.build(found.config, found.weights)
    small.assert_same_image(
        small.ours_draws(model), small.theirs_draws(pipeline)
    )


def test_two_keys_are_as_the_pipeline_of_stable_diffusion_sets_them(
    small, tmp_path
):
    """Whatever the file of its scheduler says."""
    folder = small.saved(small.stable_diffusion(tmp_path), tmp_path / 'theirs')
    path = folder / 'scheduler/scheduler_config.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | dict(steps_offset=0)))
    grid = read_diffusers(folder).config['diffusion_scheduler']['time_grid']
    assert grid['offset'] == 1


def test_what_draws_nothing_is_left_out_and_named(small, tmp_path):
    folder = small.saved(small.stable_diffusion(tmp_path), tmp_path / 'theirs')
    path = folder / 'model_index.json'
    checker = ['stable_diffusion', 'StableDiffusionSafetyChecker']
    content = json.loads(path.read_text()) | dict(safety_checker=checker)
    path.write_text(json.dumps(content))
    (note,) = read_diffusers(folder).notes
    assert note.startswith('safety_checker is left out')
