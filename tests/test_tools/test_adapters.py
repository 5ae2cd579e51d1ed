"""An adapter from its training to files and to a merged model."""

import pytest
import torch

from mmldm.apis import init_model, load_adapters
from mmldm.datasets.image_files import read_image
from mmldm.structures import LDMDataSample

pytest.importorskip('peft')


def drawn(model):
    sample = LDMDataSample(metainfo=dict(img_shape=(32, 32), address=(0, 0)))
    return model.predict(None, [sample.set_gt_label(3)])[0].pred_img.int()


@pytest.mark.slow
def test_an_adapter_is_trained_exported_drawn_with_and_merged(
    run_tool, call_tool, config, tmp_path, capsys
):
    base, work = str(tmp_path / 'base'), str(tmp_path / 'work')
    few = 'train_cfg.max_iters=2'
    run_tool('train', config, '--work-dir', base, '--cfg-options', few)
    options = ['model.adapter.type=LoRA', f'model.adapter.base={base}']
    options += ['model.adapter.rank=2', 'model.adapter.alpha=9e4']
    options += ['model.adapter.target=[out.2]']
    run_tool(
        *('train', config, '--work-dir', work, '--cfg-options', few),
        *options,
    )
    trained = drawn(init_model(work, device='cpu'))
    model = init_model(base, device='cpu')
    before = drawn(model)
    assert (trained - before).abs().max() > 10
    file = tmp_path / 'style.safetensors'
    call_tool('model_converters/export_adapter', work, file)
    assert file.stat().st_size < 2**20
    load_adapters(model, [file])
    out = tmp_path / 'drawn'
    few = '--label', 3, '--num', 1, '--out', out, '--adapter'
    for text, old in ((file, ''), (file, '1 were'), (f'{file}:0', '')):
        capsys.readouterr()
        call_tool('sample', base, *few, text)
        assert ('were there' in capsys.readouterr().out) == bool(old)
        (path,) = (out / 'images').iterdir()
        image = torch.from_numpy(read_image(str(path))).permute(2, 0, 1).int()
        expected = before if ':0' in str(text) else trained
        assert (image - expected).abs().max() <= 2
    assert (drawn(model) - trained).abs().max() <= 2
    capsys.readouterr()
    out = tmp_path / 'merged'
    call_tool('model_converters/publish_model', base, out, '--adapter', file)
    merged = capsys.readouterr().out.split(' was written')[0]
    assert (drawn(init_model(merged)) - trained).abs().max() <= 2
    assert not any('lora' in n for n in init_model(merged).state_dict())
