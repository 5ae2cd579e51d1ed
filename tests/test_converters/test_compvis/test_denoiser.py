"""Against what the original computes; see tests/data/reference/README.md."""

import copy

import pytest
import torch
from safetensors.torch import save

from mmldm.converters.compvis.denoiser import UNET_KEYS, denoiser_config
from mmldm.registry import MODELS
from mmldm.structures import Condition
from mmldm.utils.checkpoint import load_weights

PREFIX = 'model.diffusion_model.'
# The smallest models have 32 channels, as many as norm groups.
pytestmark = pytest.mark.filterwarnings('ignore:.*cancels the time embedding')
# Millions of parameters of the published denoisers.
PUBLISHED = {
    'ldm/bsr_sr': 113.62,
    'ldm/celeba256': 274.06,
    'ldm/cin256': 394.98,
    'ldm/cin256-v2': 400.92,
    'ldm/ffhq256': 274.06,
    'ldm/inpainting_big': 387.25,
    'ldm/layout2img-openimages256': 246.28,
    'ldm/lsun_beds256': 274.06,
    'ldm/lsun_churches256': 294.97,
    'ldm/semantic_synthesis256': 215.23,
    'ldm/semantic_synthesis512': 215.23,
    'ldm/text2img256': 403.62,
    'ldm/text2img-large': 872.30,
    'rdm/rdm768': 1335.48,
}
UNET = dict(
    target='ldm.modules.diffusionmodules.openaimodel.UNetModel',
    params=dict(
        image_size=8,
        in_channels=3,
        out_channels=3,
        model_channels=64,
        attention_resolutions=[2],
        num_res_blocks=1,
        channel_mult=[1, 2],
        num_head_channels=32,
    ),
)


def original(**params):
    """UNET with other params; one that is ... is left out."""
    changed = copy.deepcopy(UNET)
    changed['params'].update(params)
    for key, value in params.items():
        if value is ...:
            del changed['params'][key]
    return changed


class Case:
    """A model of the original, converted, and what it was run on."""

    def __init__(self, name, reference):
        config = denoiser_config(reference.original(name)['unet_config'])
        weights = reference.weights(name, PREFIX)
        self.unet = MODELS.build(config).eval()
        load_weights(self.unet, UNET_KEYS.read(weights, config), name)
        self.weights, self.config = weights, config
        self.expected = reference.values(name)
        shape = self.expected['eps'].shape
        self.z_t = reference.gaussian(f'{name}/xt', shape)
        self.t = self.expected['t'].float()
        self.cond = Condition(
            tokens=self.expected.get('context'),
            spatial=self.expected.get('concat'),
        )


def test_a_converted_denoiser_computes_what_the_original_does(
    assert_near, reference, name
):
    case = Case(name, reference)
    with torch.no_grad():
        eps = case.unet(case.z_t, case.t, case.cond)
    assert_near(eps, case.expected['eps'], 1e-5)


def test_bfloat16_autocast_is_within_2_percent(reference, name):
    """Of the largest value, and in the mean."""
    case = Case(name, reference)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        error = case.unet(case.z_t, case.t, case.cond) - case.expected['eps']
    expected = case.expected['eps']
    assert error.abs().max() < 0.02 * expected.abs().max()
    assert error.norm() < 0.02 * expected.norm()


def test_an_export_is_a_copy_that_can_be_written():
    config = denoiser_config(UNET)
    unet = MODELS.build(config)
    theirs = UNET_KEYS.write(unet.state_dict(), config)
    save(theirs)
    save(UNET_KEYS.read(theirs, config))
    before = theirs['out.2.bias'].clone()
    unet.out[2].bias.data += 1
    assert torch.equal(theirs['out.2.bias'], before)


def test_a_vector_has_no_place_there():
    config = denoiser_config(UNET) | dict(vector_dim=6)
    with pytest.raises(ValueError, match='vector_embed.weight of Denois'):
        UNET_KEYS.write(MODELS.build(config).state_dict(), config)


def test_there_and_back_every_number_is_the_same(reference, name):
    case = Case(name, reference)
    back = UNET_KEYS.write(case.unet.state_dict(), case.config)
    assert back.keys() == case.weights.keys()
    for key, weight in case.weights.items():
        assert torch.equal(back[key], weight), key


def meta(shapes):
    return {k: torch.empty(s, device='meta') for k, s in shapes.items()}


def shapes(weights):
    return {name: tuple(weight.shape) for name, weight in weights.items()}


@pytest.fixture(scope='module')
def published(reference):
    return reference.published(('ldm', 'rdm'))


@pytest.mark.parametrize('name', PUBLISHED)
def test_every_tensor_of_a_published_denoiser_has_its_place(name, published):
    model = published[name]
    config = denoiser_config(model['config']['params']['unet_config'])
    theirs = meta(
        {
            key.removeprefix(PREFIX): shape
            for key, shape in model['state_dict'].items()
            if key.startswith(PREFIX)
        }
    )
    with torch.device('meta'):
        unet = MODELS.build(config)
    ours = UNET_KEYS.read(theirs, config)
    assert shapes(ours) == shapes(unet.state_dict())
    assert shapes(UNET_KEYS.write(ours, config)) == shapes(theirs)
    count = sum(p.numel() for p in unet.parameters())
    assert count / 1e6 == pytest.approx(PUBLISHED[name], abs=0.005)


def test_all_published_models_are_tested(published):
    assert published.keys() == PUBLISHED.keys()


# What the reference cases leave out: an upsampling block without attention
# before it, and a level with two blocks.
PLACES = {
    'time_embed.mlp.2.bias': 'time_embed.2.bias',
    'conv_in.bias': 'input_blocks.0.0.bias',
    'down.0.blocks.1.res.embed.bias': 'input_blocks.2.0.emb_layers.1.bias',
    'down.0.resample.conv.bias': 'input_blocks.3.0.op.bias',
    'down.2.blocks.0.attention.norm.bias': 'input_blocks.7.1.norm.bias',
    'mid.0.attention.out.bias': 'middle_block.1.proj_out.bias',
    'mid.1.res.conv2.bias': 'middle_block.2.out_layers.3.bias',
    'up.0.blocks.2.attention.norm.bias': 'output_blocks.2.1.norm.bias',
    'up.0.resample.conv.bias': 'output_blocks.2.2.conv.bias',
    'up.1.resample.conv.bias': 'output_blocks.5.1.conv.bias',
    'up.2.blocks.0.res.skip.bias': 'output_blocks.6.0.skip_connection.bias',
    'out.2.bias': 'out.2.bias',
}


def test_blocks_are_in_the_order_of_the_original():
    config = denoiser_config(
        original(
            num_res_blocks=2,
            channel_mult=[1, 2, 2],
            attention_resolutions=[4],
        )
    )
    unet = MODELS.build(config)
    ours = {n: torch.randn_like(w) for n, w in unet.state_dict().items()}
    theirs = UNET_KEYS.write(ours, config)
    for name, place in PLACES.items():
        assert torch.equal(ours[name], theirs[place]), name


def test_heads_lie_together_in_the_original():
    """Rows of a head: its queries, its keys, its values."""
    config = denoiser_config(original())
    ours = MODELS.build(config).state_dict()
    theirs = UNET_KEYS.write(ours, config)
    rows = ours['mid.0.attention.qkv.weight']
    q, k, v = rows.view(3, 4, 32, 128)  # part, head, row, column
    second = theirs['middle_block.1.qkv.weight'].view(4, 96, 128)[1]
    torch.testing.assert_close(second, torch.cat([q[1], k[1], v[1]]))


@pytest.mark.parametrize(
    'params, ours',
    [
        (dict(num_head_channels=16), dict(head_channels=16, depth=1)),
        (
            dict(num_head_channels=..., num_heads=8),
            dict(num_heads=8, depth=1),
        ),
        # The original then works the number of heads out anew.
        (dict(num_heads=8), dict(head_channels=32, depth=1)),
        (
            dict(
                transformer_depth=3,
                use_spatial_transformer=True,
                context_dim=8,
            ),
            dict(head_channels=32, depth=3),
        ),
    ],
)
def test_attention_is_as_the_config_says(params, ours):
    assert denoiser_config(original(**params))['attention'] == ours


def test_residual_blocks_are_as_the_config_says():
    config = denoiser_config(
        original(dropout=0.1, use_scale_shift_norm=True, resblock_updown=True)
    )
    assert config['res_block'] == dict(
        dropout=0.1, scale_shift=True, updown=True
    )


@pytest.mark.parametrize(
    'key, value',
    [
        ('use_fp16', True),
        ('use_checkpoint', True),
        ('legacy', False),
        ('image_size', 999),
    ],
)
def test_what_is_no_matter_of_the_network_is_passed_over(key, value):
    assert denoiser_config(original(**{key: value})) == denoiser_config(UNET)


@pytest.mark.parametrize(
    'params, message',
    [
        (dict(model_channels=...), 'params.model_channels is missing'),
        (dict(num_head_channels=...), 'num_heads and params.num_head_chan'),
        (dict(context_dim=8), 'use_spatial_transformer=False does not suit'),
        (dict(use_spatial_transformer=True), 'params.context_dim=None'),
        (dict(dims=3), 'params.dims=3 has no counterpart here: only 2 has'),
        (dict(num_classes=10), 'params.num_classes=10 has no counterpart'),
        (dict(n_embed=512), 'params.n_embed=512 has no counterpart'),
        (
            dict(use_new_attention_order=True),
            'has no counterpart here: only False',
        ),
        (dict(magic=1), 'params.magic=1 is not known'),
    ],
)
def test_a_config_that_asks_for_more_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        denoiser_config(original(**params))


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="target='EncoderUNetModel' cannot"):
        denoiser_config(dict(target='EncoderUNetModel', params={}))


def test_weights_of_another_width_are_refused():
    config = denoiser_config(UNET)
    theirs = UNET_KEYS.write(MODELS.build(config).state_dict(), config)
    theirs['out.2.bias'] = torch.zeros(7)
    with pytest.raises(ValueError, match=r'out.2.bias has shape \(7,\)'):
        UNET_KEYS.read(theirs, config)
