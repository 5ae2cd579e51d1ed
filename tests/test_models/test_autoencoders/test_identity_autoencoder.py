import torch

from mmldm.registry import MODELS


def test_latents_are_pixels():
    model = MODELS.build(dict(type='IdentityAutoencoder'))
    x = torch.randn(2, 3, 5, 7)
    torch.testing.assert_close(model.encode(x), x, rtol=0, atol=0)
    torch.testing.assert_close(model.decode(x, (5, 7)), x, rtol=0, atol=0)
    assert (model.latent_channels, model.factor) == (3, 1)
    assert not [*model.parameters()]


def test_a_diffusion_model_in_pixel_space_trains_and_samples(
    tiny_ldm, labelled
):
    model = tiny_ldm(
        autoencoder=dict(_delete_=True, type='IdentityAutoencoder'),
        denoiser=dict(in_channels=3, out_channels=3),
    )
    samples = [labelled(i, address=(0, i)) for i in range(2)]
    images = torch.rand(2, 3, 8, 8) * 2 - 1
    model.loss(images, samples)['loss_denoise'].backward()
    predicted = model.predict(None, samples)
    assert predicted[0].pred_img.shape == (3, 8, 8)
    assert predicted[0].pred_img.float().std() > 0
