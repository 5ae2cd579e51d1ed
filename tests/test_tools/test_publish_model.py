"""tools/model_converters/publish_model.py after a training."""

import hashlib
import shutil
import sys
from pathlib import Path

import torch

from mmldm.apis import init_model
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint


def drawn(model, label=3):
    sample = LDMDataSample(metainfo=dict(img_shape=(32, 32), address=(0, 0)))
    return model.predict(None, [sample.set_gt_label(label)])[0].pred_img


def test_what_is_published_draws_what_was_trained(
    run_tool, load_converter, config, work_dir, tmp_path, monkeypatch, capsys
):
    run_tool('train', config, '--work-dir', work_dir)
    tool = load_converter('publish_model')
    capsys.readouterr()  # the training's

    def publish(source, name, *flags):
        out = tmp_path / 'published' / name
        arguments = ['publish_model.py', source, out, *flags]
        monkeypatch.setattr(sys, 'argv', [str(a) for a in arguments])
        tool.main()
        path = Path(capsys.readouterr().out.split(' was written')[0])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path == out.with_name(f'{name}-{digest[:8]}.safetensors')
        return path

    newest = Path(work_dir, 'iter_4.pth')
    averaged = init_model(config, newest, 'cpu')
    content = read_checkpoint(newest)
    raw = content['state_dict'] | content['raw_state_dict']
    write_checkpoint(dict(content, state_dict=raw), tmp_path / 'raw.pth')
    in_training = init_model(config, tmp_path / 'raw.pth', 'cpu')
    assert not torch.equal(drawn(averaged), drawn(in_training))

    for source in (work_dir, newest):
        file = publish(source, 'digits')
        assert torch.equal(drawn(init_model(file)), drawn(averaged))
    assert publish(newest, 'digits', '--weights', 'ema') == file
    assert publish(newest, 'digits', '--config', config) == file
    assert len(list(file.parent.iterdir())) == 1
    other = publish(newest, 'digits', '--weights', 'raw')
    assert torch.equal(drawn(init_model(other)), drawn(in_training))
    small = publish(newest, 'small', '--without-first-stage')
    shutil.copy(tmp_path / 'first_stage.pth', small.parent)
    assert torch.equal(drawn(init_model(small)), drawn(averaged))
    assert small.stat().st_size < file.stat().st_size < newest.stat().st_size
