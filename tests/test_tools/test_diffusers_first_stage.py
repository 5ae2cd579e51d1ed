"""A diffusion model on the latents of networks that only diffusers has."""

import diffusers
import pytest
import torch

from mmldm.apis import init_model, publish_model
from mmldm.structures import LDMDataSample
from mmldm.utils.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')
CONFIG = """
_base_ = '{root}/configs/ldm/ldm_kl-f4_class_1xb64-600_digits-32x32.py'
model = dict(
    autoencoder=dict(
        type='DiffusersAutoencoder', pretrained='{folder}'),
    autoencoder_checkpoint=None,
    denoiser=dict(
        channels=32, channel_mults=(1,), num_res_blocks=1, attn_factors=()),
    diffusion_scheduler=dict(num_steps=2))
train_dataloader = dict(global_batch_size=4)
val_dataloader = dict(dataset=dict(num_samples=4))
train_cfg = dict(max_iters=20, val_interval=20)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=20),
    latent_scale=dict(num_samples=8))
"""
DC = dict(
    latent_channels=8,
    encoder_block_types='ResBlock',
    decoder_block_types='ResBlock',
    encoder_block_out_channels=(8, 8, 8, 8, 16, 16),
    decoder_block_out_channels=(8, 8, 8, 8, 16, 16),
    encoder_layers_per_block=(0, 1, 1, 1, 1, 1),
    decoder_layers_per_block=(1,) * 6,
    encoder_qkv_multiscales=((),) * 6,
    decoder_qkv_multiscales=((),) * 6,
)
TINY = dict(
    encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4
)


@pytest.mark.parametrize(
    'name, options', [('AutoencoderDC', DC), ('AutoencoderTiny', TINY)]
)
def test_it_is_trained_published_and_drawn(
    name, options, run_tool, tmp_path, request
):
    network = getattr(diffusers, name)(**options)
    network.save_pretrained(tmp_path / 'stage')
    path = tmp_path / 'config.py'
    path.write_text(
        CONFIG.format(root=request.config.rootpath, folder=tmp_path / 'stage')
    )
    runner = run_tool('train', path, '--work-dir', tmp_path / 'work')
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 20
    # The measured scale; random networks make latents of any size.
    z = runner.model.autoencoder.encode(torch.rand(8, 3, 32, 32) * 2 - 1)
    assert z.std() < 10
    state = read_checkpoint(tmp_path / 'work/iter_20.pth')['state_dict']
    assert not any('autoencoder.network.' in key for key in state)
    drawn = draw(tmp_path / 'work')
    published = publish_model(tmp_path / 'work', tmp_path / 'model')
    (tmp_path / 'stage').rename(tmp_path / 'elsewhere')
    assert torch.equal(draw(published), drawn)


def draw(source):
    model = init_model(source, device='cpu')
    sample = LDMDataSample(metainfo=dict(address=(0, 0), img_shape=(32, 32)))
    return model.predict(None, [sample.set_gt_label(3)])[0].pred_img
