"""Trainings from a cache are trainings from the images."""

import json

import pytest
import torch
from mmengine.dataset import pseudo_collate

from mmldm.datasets import AddressedIndex, CachedLatents
from mmldm.datasets.latent_cache import MANIFEST, part_file, read_manifest
from mmldm.engine.cached_training import CachedTraining, first_stage_hash

FLIPS = (
    "train_dataloader.dataset.pipeline=[{'type': 'RandomFlip'}, "
    "{'type': 'PackInputs'}]"
)


@pytest.fixture
def cache(run_tool, config, work_dir, tmp_path):
    """Makes a cache of 20 mirrored digits; the runner, and its folder."""

    def cache(pipeline=FLIPS):
        root = tmp_path / 'cache'
        options = (pipeline, 'train_dataloader.dataset.indices=20')
        flags = ('--work-dir', work_dir, '--batch-size', 7)
        runner = run_tool(
            'cache_latents', config, root, *flags, '--cfg-options', *options
        )
        return runner, root

    return cache


def dataset_config(runner):
    return runner.cfg.train_dataloader.dataset.to_dict()


@pytest.mark.parametrize(
    'dtype, error', [('float32', 1e-5), ('float16', 0.01)]
)
def test_losses_are_those_of_the_images(cache, dtype, error):
    """In several epochs, in which other images are mirrored."""
    runner, root = cache()
    if dtype != 'float32':
        convert(root, getattr(torch, dtype))
    images = runner.train_dataloader.dataset
    for flip in images.pipeline.transforms[:1]:
        flip.prob = 0.5
    cached = CachedLatents(str(root), dataset_config(runner))
    model = runner.bare_model
    for epoch in range(3):
        indices = [
            AddressedIndex(i, seed=1, epoch=epoch, position=20 * epoch + i)
            for i in range(20)
        ]
        one, two = (
            model.data_preprocessor(pseudo_collate([data[i] for i in indices]))
            for data in (images, cached)
        )
        assert two['inputs'] is None
        expected, found = (loss(model, batch).item() for batch in (one, two))
        assert found == pytest.approx(expected, rel=error)
    with torch.autocast('cpu', torch.bfloat16):
        assert loss(model, two).item() == pytest.approx(expected, rel=0.05)


def loss(model, batch):
    return model.loss(batch['inputs'], batch['data_samples'])['loss_denoise']


def convert(root, dtype):
    """Store the moments of a cache in another type."""
    from safetensors.torch import load_file, save_file

    file = part_file(root, 0)
    tensors = load_file(file)
    tensors['moments'] = tensors['moments'].to(dtype)
    save_file(tensors, file)


def test_mirrored_images_are_encoded_not_mirrored_latents(cache):
    _, root = cache()
    manifest = read_manifest(root)
    assert (manifest['versions'], manifest['flip_prob']) == (2, 0.5)
    dataset = CachedLatents(str(root))
    assert len(dataset) == 20
    assert dataset.metainfo['classes'][3] == '3'


def test_a_training_from_the_cache_runs_and_resumes(
    cache, run_tool, config, work_dir
):
    runner, root = cache()
    options = (
        f'latent_cache={root}',
        FLIPS,
        'train_dataloader.dataset.indices=20',
    )
    flags = ('--work-dir', work_dir, '--cfg-options', *options)
    trained = run_tool('train', config, *flags)
    assert isinstance(trained.train_dataloader.dataset, CachedLatents)
    # The stored config stays that of the images.
    stored = trained.cfg.train_dataloader.dataset.type
    assert stored == runner.cfg.train_dataloader.dataset.type


def test_other_data_are_refused(cache):
    runner, root = cache()
    other = dataset_config(runner) | dict(split='test')
    with pytest.raises(ValueError, match='dataset.split=.train. there'):
        CachedLatents(str(root), other)


def test_another_first_stage_is_refused(cache):
    runner, root = cache()
    dataset, model = CachedLatents(str(root)), runner.bare_model
    CachedTraining(dataset, model)
    other = first_stage_hash(model)[::-1]
    dataset.manifest['first_stage'] = other
    with pytest.raises(ValueError, match='latent_cache=.*make the cache anew'):
        CachedTraining(dataset, model)
    with pytest.raises(ValueError, match='another cache: first_stage'):
        rewrite(root, first_stage=other)
        cache()
    (root / MANIFEST).write_text('{')
    with pytest.raises(ValueError, match='manifest.json is not a manifest'):
        cache()
    with pytest.raises(ValueError, match='manifest.json is not a manifest'):
        CachedLatents(str(root))


def rewrite(root, **changes):
    file = root / MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_cache_that_is_not_complete_goes_on(cache):
    _, root = cache()
    content = part_file(root, 0).read_bytes()
    part_file(root, 0).unlink()
    with pytest.raises(FileNotFoundError, match='lacks 1 of 1 parts'):
        CachedLatents(str(root))
    cache()
    assert part_file(root, 0).read_bytes() == content


def test_random_crops_are_refused(cache):
    crops = (
        "train_dataloader.dataset.pipeline=[{'type': 'Crop', 'size': 16, "
        "'random': True}, {'type': 'PackInputs'}]"
    )
    with pytest.raises(ValueError, match='pipeline.0 .* is random'):
        cache(crops)


def test_a_folder_without_cache_names_the_tool(tmp_path):
    with pytest.raises(FileNotFoundError, match='tools/cache_latents.py'):
        CachedLatents(str(tmp_path))
