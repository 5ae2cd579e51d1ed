"""Adapters beside those of diffusers: training, drawing, files."""

import json

import diffusers
import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file, save_file

from mmldm.apis import init_model, load_adapters, save_adapter
from mmldm.apis.adapter_files import read_adapter
from mmldm.converters import whole_config, whole_model, write_diffusers
from mmldm.converters.diffusers.lora import (
    METADATA,
    adapter_from_diffusers,
    adapter_to_diffusers,
    networks,
)
from mmldm.models.adapters import active_updates
from mmldm.registry import MODELS
from mmldm.structures import LDMDataSample
from mmldm.utils import SampleRandom
from mmldm.utils.model_file import write_model_file

peft = pytest.importorskip('peft')
pytestmark = [
    pytest.mark.filterwarnings('ignore:.*needs a null condition'),
    pytest.mark.filterwarnings('ignore:.*cancels the time embedding'),
]
THEIRS = ['to_k', 'to_q', 'to_v', 'to_out.0']
TEXT = ['q_proj', 'v_proj']


@pytest.fixture
def folder(small, tmp_path):
    """Stable Diffusion in small, as diffusers saves it."""
    pipeline = small.stable_diffusion(tmp_path)
    return small.saved(pipeline, tmp_path / 'theirs')


@pytest.fixture
def model(folder):
    return init_model(folder, device='cpu')


@pytest.fixture
def trained(small, folder, tmp_path):
    """Builds our model with an adapter of random weights."""

    def trained(**options):
        weights, config = small.read(folder)
        write_model_file(tmp_path / 'base.safetensors', weights, config)
        adapter = dict(type='LoRA', base=str(tmp_path / 'base.safetensors'))
        config['adapter'] = adapter | dict(rank=4) | options
        model = MODELS.build(config).eval()
        model.cfg = Config(dict(model=config))
        torch.manual_seed(5)
        for weight in model.adapter_weights().values():
            torch.nn.init.normal_(weight, std=0.2)
        return model

    return trained


def to_theirs(model):
    """The adapter's weights by their names in diffusers."""
    updates = {
        f'{part}.{name}': update
        for part in ('denoiser', 'conditioner')
        for name, update in active_updates(getattr(model, part)).items()
    }
    found = adapter_to_diffusers(updates, whole_config(model))
    return {n.replace('.text_model.', '.'): w for n, w in found.items()}


def theirs_step(pipeline, optimizer, model, inputs, samples):
    """A training step written with diffusers alone."""
    random = SampleRandom.of(samples)
    posterior = pipeline.vae.encode(inputs).latent_dist
    noise = random.normal('posterior')(posterior.mean)
    z_0 = (posterior.mean + posterior.std * noise) * 0.3
    noise = random.normal('noise')(z_0)
    t = model.diffusion_scheduler.sample_level(random).t.long()
    z_t = pipeline.scheduler.add_noise(z_0, noise, t)
    ids = pipeline.tokenizer(
        [sample.caption for sample in samples],
        padding='max_length',
        max_length=77,
        return_tensors='pt',
    ).input_ids
    tokens = pipeline.text_encoder(ids)[0]
    out = pipeline.unet(z_t, t, tokens).sample
    loss = torch.nn.functional.mse_loss(out, noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def adapters_of(pipeline):
    parts = dict(unet=pipeline.unet, text_encoder=pipeline.text_encoder)
    return {
        f'{part}.{name.replace(".default.", ".")}': weight
        for part, network in parts.items()
        for name, weight in network.named_parameters()
        if 'lora_' in name
    }


def test_five_steps_are_those_of_diffusers_and_peft(
    small, trained, folder, tmp_path
):
    model = trained(text_target=TEXT, alpha=6.0).train()
    model.conditioner.drop_prob = 0.0  # their step drops no caption
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder)
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.vae):
        part.requires_grad_(False)
    for part, names in (
        (pipeline.unet, THEIRS),
        (pipeline.text_encoder, TEXT),
    ):
        part.add_adapter(
            peft.LoraConfig(r=4, lora_alpha=6, target_modules=names)
        )
    ours = model.adapter_weights()
    scaled = to_theirs(model)
    theirs = adapters_of(pipeline)
    for name, weight in theirs.items():
        factor = 1.5 if 'lora_B' in name else 1
        weight.data.copy_(scaled[name] / factor)
    optimizer = torch.optim.AdamW(ours.values(), lr=1e-2)
    others = torch.optim.AdamW(theirs.values(), lr=1e-2)
    pipeline.unet.train()
    for step in range(5):
        samples = [
            LDMDataSample(caption=text, metainfo=dict(address=(step, i)))
            for i, text in enumerate(('a red bus', 'a bed'))
        ]
        inputs = torch.rand(2, 3, 16, 16) * 2 - 1
        expected = theirs_step(pipeline, others, model, inputs, samples)
        optimizer.zero_grad()
        loss = model.loss(inputs, samples)['loss_denoise']
        loss.backward()
        optimizer.step()
        assert loss.item() == pytest.approx(expected, abs=1e-5)
    scaled = to_theirs(model)
    for name, weight in theirs.items():
        factor = 1.5 if 'lora_B' in name else 1
        torch.testing.assert_close(
            scaled[name] / factor,
            weight.data,
            rtol=0,
            atol=1e-4,
        )


def drawn(pipeline, small):
    return small.theirs_draws(pipeline, 3.0)


def test_an_exported_adapter_draws_the_same_in_diffusers(
    small, trained, folder, tmp_path
):
    model = trained(alpha=6.0, text_target=TEXT, target=['to_q', 'conv1'])
    before = small.ours_draws(init_model(folder, device='cpu'), 3.0)
    expected = small.ours_draws(model, 3.0)
    assert (expected.int() - before.int()).abs().max() > 20
    save_adapter(model, tmp_path / 'style.safetensors', diffusers=True)
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None
    )
    pipeline.load_lora_weights(tmp_path / 'style.safetensors')
    small.assert_same_image(drawn(pipeline, small), expected)
    # And by a pipeline that has the merged weights.
    write_diffusers(*whole_model(model), tmp_path / 'merged')
    merged = diffusers.StableDiffusionPipeline.from_pretrained(
        tmp_path / 'merged', safety_checker=None
    )
    small.assert_same_image(drawn(merged, small), expected)


def test_an_exported_adapter_is_read_again(small, trained, folder, tmp_path):
    model = trained(alpha=6.0, text_target=TEXT)
    expected = small.ours_draws(model, 3.0)
    other = init_model(folder, device='cpu')
    for theirs in (True, False):
        path = tmp_path / f'{theirs}.safetensors'
        save_adapter(model, path, diffusers=theirs)
        load_adapters(other, [path])
        small.assert_same_image(small.ours_draws(other, 3.0), expected)


def random_file(folder, tmp_path, **options):
    """(pipeline, file) with an adapter that diffusers saves."""
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(
        folder, safety_checker=None
    )
    for part, names in (
        (pipeline.unet, [*THEIRS, 'proj_in', 'conv1']),
        (pipeline.text_encoder, TEXT),
    ):
        part.add_adapter(peft.LoraConfig(r=2, target_modules=names, **options))
    for weight in adapters_of(pipeline).values():
        torch.nn.init.normal_(weight, std=0.2)
    states = {
        f'{part}_lora_layers': peft.get_peft_model_state_dict(network)
        for part, network in (
            ('unet', pipeline.unet),
            ('text_encoder', pipeline.text_encoder),
        )
    }
    metadata = {
        f'{part}_lora_adapter_metadata': dict(r=2, **options)
        for part in ('unet', 'text_encoder')
    }
    pipeline.save_lora_weights(tmp_path, **states, **metadata)
    return pipeline, tmp_path / 'pytorch_lora_weights.safetensors'


def test_an_adapter_of_diffusers_draws_the_same_here(
    small, model, folder, tmp_path
):
    pipeline, path = random_file(folder, tmp_path, lora_alpha=3)
    load_adapters(model, [path])
    expected = drawn(pipeline, small)
    small.assert_same_image(small.ours_draws(model, 3.0), expected)


def as_kohya(weights, alpha):
    found = {}
    for name, weight in weights.items():
        layer, kind, _ = name.rsplit('.', 2)
        layer = layer.replace('text_encoder.', 'lora_te.text_model.')
        layer = layer.replace('unet.', 'lora_unet.').replace('.', '_')
        word = dict(lora_A='lora_down', lora_B='lora_up')[kind]
        found[f'{layer}.{word}.weight'] = weight
        found[f'{layer}.alpha'] = torch.tensor(alpha)
    return found


def as_old(weights):
    found = {}
    for name, weight in weights.items():
        layer, kind, _ = name.rsplit('.', 2)
        outer, _, inner = layer.removesuffix('.0').rpartition('.')
        word = dict(lora_A='down', lora_B='up')[kind]
        found[f'{outer}.processor.{inner}_lora.{word}.weight'] = weight
    return found


def test_older_names_and_those_of_kohya_are_read(folder, model, tmp_path):
    _, path = random_file(folder, tmp_path)
    scaled = read_adapter(path, model).updates
    weights = load_file(path)
    save_file(as_kohya(weights, 1.0), tmp_path / 'kohya.safetensors')
    found = read_adapter(tmp_path / 'kohya.safetensors', model).updates
    assert found.keys() == scaled.keys()
    for name, (down, up) in scaled.items():
        torch.testing.assert_close(found[name].down, down)
        torch.testing.assert_close(2 * found[name].up, up)
    attention = {n: w for n, w in weights.items() if '.attn' in n}
    save_file(as_old(attention), tmp_path / 'old.safetensors')
    old = read_adapter(tmp_path / 'old.safetensors', model).updates
    assert {*old} == {n for n in scaled if '_attn.' in n and 'denoiser' in n}
    assert all(torch.equal(old[name].down, scaled[name].down) for name in old)


def test_an_adapter_of_another_model_is_refused(model, folder, tmp_path):
    _, path = random_file(folder, tmp_path)
    weights = load_file(path)
    name = next(n for n in weights if 'attn2.to_k.lora_A' in n)
    wide = {**weights, name: torch.zeros(2, 768)}
    save_file(wide, tmp_path / 'wide.safetensors')
    with pytest.raises(ValueError, match='768 inputs.*use the model that'):
        load_adapters(model, [tmp_path / 'wide.safetensors'])
    weights['unet.mid_block.foo.lora_A.weight'] = torch.zeros(2, 3)
    save_file(weights, tmp_path / 'odd.safetensors')
    with pytest.raises(ValueError, match='no place in this model: .*foo'):
        load_adapters(model, [tmp_path / 'odd.safetensors'])


# Changes of a sound adapter, and the refusals.
DAMAGES = [
    ({'lora_down.weight': torch.zeros(0, 32)}, r'\(0, 32\), .*, which do not'),
    ({'lora_up.weight': torch.zeros(3)}, 'which do not belong together'),
    ({'lora_down.weight': torch.tensor(1.0)}, 'which do not belong'),
    ({'alpha': torch.ones(2)}, r'alpha \(2,\), which do not belong'),
    ({METADATA: {'unet.lora_alpha': {}}}, 'lora_alpha={}, expected num'),
    ({METADATA: {'unet.alpha_pattern': 1}}, 'pattern=1, expected num'),
    ({METADATA: {'unet.lora_alpha': 10**400}}, 'expected numbers'),
]


def test_a_damaged_adapter_is_refused(model):
    config = whole_config(model)
    pairs = networks(config)[0].pairs().values()
    names = [pair.theirs[0].removesuffix('.weight') for pair in pairs]
    name = next(n for n in names if 'attn' in n).replace('.', '_')
    sound = {
        'lora_down.weight': torch.zeros(2, 32),
        'lora_up.weight': torch.zeros(32, 2),
    }
    for change, message in DAMAGES:
        weights = {**sound, **change}
        metadata = {METADATA: json.dumps(weights.pop(METADATA, {}))}
        named = {f'lora_unet_{name}.{k}': w for k, w in weights.items()}
        with pytest.raises(ValueError, match=message):
            adapter_from_diffusers(named, metadata, config)
