"""The tool that adds noise to the latents of a first stage."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmldm.registry import MODELS
from mmldm.utils.checkpoint import write_checkpoint

ROOT = Path(__file__).parents[2]
TOOL = 'analysis_tools/latent_noise'
CONFIG = """
_base_ = '{root}/configs/autoencoder/autoencoder_kl-f4_1xb16-2k_photographs-64x64.py'
test_dataloader = dict(batch_size=2, dataset=dict(indices=[0, 70, 141]))
"""  # noqa: E501


@pytest.fixture
def first_stage(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(CONFIG.format(root=ROOT))
    torch.manual_seed(5)
    model = MODELS.build(Config.fromfile(config).model)
    path = tmp_path / 'iter_7.pth'
    write_checkpoint(dict(state_dict=model.state_dict()), path)
    return config, path


def test_more_noise_costs_more(run_tool, first_stage, work_dir, capsys):
    config, checkpoint = first_stage
    flags = ('--work-dir', work_dir, '--noise', 0.1, 0.4)
    run_tool(TOOL, config, checkpoint.parent, *flags)
    lines = capsys.readouterr().out.splitlines()
    (first,) = [i for i, line in enumerate(lines) if 'cost, dB' in line]
    rows = [
        [float(v) for v in line.split()] for line in lines[first + 1 :][:3]
    ]
    assert [row[0] for row in rows] == [0, 0.1, 0.4]
    assert [row[1] for row in rows] == sorted(
        (row[1] for row in rows), reverse=True
    )
    assert rows[0][4] == 0 and 1 < rows[1][4] < rows[2][4]
    for row in rows:
        assert row[4] == pytest.approx(rows[0][1] - row[1], abs=0.011)


def test_a_second_stage_is_refused(run_tool, config, tmp_path):
    with pytest.raises(
        ValueError, match='has a LatentDiffusion, expected a F'
    ):
        run_tool(TOOL, config, tmp_path, '--work-dir', tmp_path / 'work')


def test_images_must_be_there(run_tool, first_stage, work_dir):
    flags = ('--work-dir', work_dir, '--cfg-options')
    nothing = [f'test_{k}=None' for k in ('dataloader', 'cfg', 'evaluator')]
    with pytest.raises(ValueError, match='no test_dataloader: set it'):
        run_tool(TOOL, *first_stage, *flags, *nothing)


def test_noise_must_be_there(run_tool, first_stage, work_dir):
    with pytest.raises(ValueError, match=r'--noise 0 must be above 0'):
        run_tool(TOOL, *first_stage, '--work-dir', work_dir, '--noise', 0)
