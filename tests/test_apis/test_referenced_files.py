"""A work directory is of use wherever it lies, and from any folder."""

import argparse
import runpy
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.apis import build_model, init_model, load_config, tool_parser
from mmldm.apis.referenced_files import anchor_files, locate_files
from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint
from mmldm.utils.stored_config import store_config

ROOT = Path(__file__).parents[2]
FIRST = 'work_dirs/first/iter_9.pth'


@pytest.fixture
def trained(tmp_path, monkeypatch, ldm_config, awaken):
    """Trains in tmp_path/NAME: work_dirs/first and work_dirs/ldm."""

    def train(name='lab', work_dir='work_dirs/ldm', seed=0):
        torch.manual_seed(seed)
        (tmp_path / name / 'work_dirs/first').mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        first = MODELS.build(ldm_config()).autoencoder
        write_checkpoint(dict(state_dict=first.state_dict()), FIRST)
        config = ldm_config(autoencoder_checkpoint=FIRST)
        cfg = Config(dict(model=config, work_dir=str(work_dir)))
        anchor_files(cfg.model, cfg.work_dir)
        model = MODELS.build(cfg.model).eval()
        awaken(model.denoiser)
        folder = tmp_path / name / work_dir
        folder.mkdir()
        cfg.dump(folder / 'tiny.py')
        checkpoint = dict(
            state_dict=model.state_dict(),
            meta=dict(cfg=store_config(cfg.to_dict())),
        )
        write_checkpoint(checkpoint, folder / 'iter_4.pth')
        return folder, model

    return train


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Goes to another folder."""

    def go():
        (tmp_path / 'elsewhere').mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / 'elsewhere')

    return go


def ways(folder):
    """A model out of its folder, by each of the doors."""
    yield init_model(folder)
    yield init_model(folder / 'iter_4.pth')
    yield init_model(folder / 'tiny.py', folder)
    yield build_model(Config.fromfile(folder / 'tiny.py'), folder)


def assert_whole(model, trained):
    read, written = (m.autoencoder.state_dict() for m in (model, trained))
    for name, weight in written.items():
        assert torch.equal(read[name], weight)


def test_a_model_is_read_from_any_folder(trained, elsewhere):
    folder, model = trained()
    elsewhere()
    for found in ways(folder):
        assert_whole(found, model)


def test_it_may_move_with_its_first_stage(trained, elsewhere, tmp_path):
    folder, model = trained()
    elsewhere()
    shutil.move(tmp_path / 'lab', tmp_path / 'moved')
    for found in ways(
        tmp_path / 'moved' / folder.relative_to(tmp_path / 'lab')
    ):
        assert_whole(found, model)


def test_a_work_directory_elsewhere_finds_it(trained, elsewhere, tmp_path):
    """No folder above it has the first stage: the path is absolute."""
    folder, model = trained(work_dir=tmp_path / 'scratch')
    elsewhere()
    for found in ways(folder):
        assert_whole(found, model)


def test_a_namesake_in_the_current_folder_is_another(trained):
    """As in a second clone, where all is trained anew."""
    folder, model = trained()
    trained('clone', seed=1)
    for found in ways(folder):
        assert_whole(found, model)


def test_from_the_folder_of_the_training_paths_stay_as_they_are(trained):
    folder, _ = trained()
    cfg = Config.fromfile(folder / 'tiny.py')
    assert cfg.model.autoencoder_checkpoint == FIRST
    locate_files(cfg.model, 'work_dirs/ldm')
    assert cfg.model.autoencoder_checkpoint == FIRST


def test_a_guide_is_found_too(tmp_path, monkeypatch):
    (tmp_path / 'guide.pth').touch()
    (tmp_path / 'work').mkdir()
    model = dict(
        type='LatentDiffusion',
        guide_checkpoint='guide.pth',
        autoencoder_checkpoint=None,
    )
    locate_files(model, tmp_path / 'work/iter_4.pth')
    assert model['guide_checkpoint'] == str(tmp_path / 'guide.pth')
    assert model['autoencoder_checkpoint'] is None
    monkeypatch.chdir(tmp_path)
    model = dict(type='LatentDiffusion', guide_checkpoint='guide.pth')
    anchor_files(model, '/scratch/run')
    assert model['guide_checkpoint'] == str(tmp_path / 'guide.pth')


class Aligned:
    """A part of the user's, which names a file and something else."""

    files = ('teacher',)

    def __init__(self, teacher: str, checkpoint: str) -> None: ...


def test_a_class_says_which_arguments_name_files(tmp_path, monkeypatch):
    """In any part of a model; an argument's name says nothing."""
    monkeypatch.setitem(MODELS.module_dict, 'Aligned', Aligned)
    for name in ('a.pth', 'openai'):
        (tmp_path / name).touch()
    part = dict(type='Aligned', teacher='a.pth', checkpoint='a.pth')
    encoder = dict(type='TextEncoder', pretrained='openai', tokenizer='a.pth')
    model = dict(
        type='FirstStage',
        losses=[dict(part, teacher='b.pth'), dict(x=part)],
        conditioner=dict(embedders=[encoder]),
    )
    locate_files(model, tmp_path / 'work/iter_4.pth')
    assert model['losses'][0] == dict(part, teacher='b.pth')
    found = dict(teacher=str(tmp_path / 'a.pth'), checkpoint='a.pth')
    assert model['losses'][1]['x'] == dict(type='Aligned', **found)
    assert encoder['pretrained'] == str(tmp_path / 'openai')
    assert encoder['tokenizer'] == 'a.pth'


def test_what_is_nowhere_is_named_as_it_was_written(trained, elsewhere):
    folder, _ = trained()
    elsewhere()
    shutil.rmtree(folder.parent / 'first')
    with pytest.raises(FileNotFoundError, match=f"='{FIRST}' does not exist"):
        init_model(folder)


def test_a_training_stores_where_its_first_stage_lies(trained, tmp_path):
    trained()
    config = tmp_path / 'child.py'
    config.write_text(
        f"model = dict(type='LatentDiffusion', autoencoder_checkpoint="
        f"'{FIRST}')"
    )

    def stored(*flags):
        args = tool_parser(None).parse_args([str(config), *flags])
        return load_config(args).model.autoencoder_checkpoint

    assert stored() == FIRST
    below, outside = tmp_path / 'lab/deep/run', tmp_path / 'scratch'
    assert stored('--work-dir', str(below)) == FIRST
    absolute = str(tmp_path / 'lab' / FIRST)
    assert stored('--work-dir', str(outside)) == absolute


def test_a_test_finds_it_from_any_folder(trained, elsewhere):
    folder, _ = trained()
    elsewhere()
    dataset = dict(type='DigitsDataset')
    cfg = Config(
        dict(
            model=dict(type='LatentDiffusion', autoencoder_checkpoint=FIRST),
            test_dataloader=dict(dataset=dataset),
        )
    )
    flags = argparse.Namespace(
        checkpoint=folder, seed=None, show_dir=None, npz=None
    )
    runpy.run_path(ROOT / 'tools/test.py')['apply_flags'](cfg, flags)
    found = folder.parents[1] / FIRST
    assert cfg.model.autoencoder_checkpoint == str(found)
