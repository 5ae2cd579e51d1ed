"""How a call samples: guidance, windows, precision, compilation, batches."""

import numpy as np
import pytest
import torch

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference import batch_size
from mmldm.apis.inference.arguments import sampling_of
from mmldm.diffusion import ClassifierFreeGuidance
from mmldm.models.layers import ResBlock

GUIDED = dict(
    _delete_=True,
    type='ClassifierFreeGuidance',
    scale=3.0,
    rescale=0.2,
    interval=(0.5, 4.0),
)


@pytest.fixture
def guided(tiny_ldm):
    return tiny_ldm(
        image_size=8, guidance=GUIDED, conditioner=dict(drop_prob=0.1)
    )


def numbers(guidance):
    return (*guidance.scales, guidance.rescale, guidance.low, guidance.high)


@pytest.mark.parametrize(
    'given, expected',
    [
        (dict(guidance_scale=2), (2, 0.2, 0.5, 4.0)),
        (dict(guidance_rescale=0.7), (3.0, 0.7, 0.5, 4.0)),
        (dict(guidance_interval=(0, None)), (3.0, 0.2, 0, np.inf)),
    ],
)
def test_what_is_not_given_of_guidance_is_the_models(guided, given, expected):
    assert numbers(sampling_of(guided, given).guidance) == expected
    assert numbers(guided.guidance) == (3.0, 0.2, 0.5, 4.0)


def test_guidance_by_numbers_is_guidance_by_its_class(guided):
    generate = LatentDiffusionInferencer(guided)
    (found,) = generate(
        label=3,
        guidance_scale=2.0,
        guidance_rescale=0.5,
        guidance_interval=(0.2, 9.0),
    )
    own = ClassifierFreeGuidance(2.0, 0.5, (0.2, 9.0))
    (wanted,) = generate(label=3, guidance=own)
    assert np.array_equal(found, wanted)


def test_a_window_is_in_pixels(generate, model):
    sampling = sampling_of(model, dict(window=8))
    assert sampling.windows.size * model.autoencoder.factor == 8
    (found,) = generate(label=3, size=(16, 24), window=8)
    (wanted,) = generate(label=3, size=(16, 24), sampling=sampling)
    assert np.array_equal(found, wanted)


def test_the_denoiser_computes_in_the_wanted_precision(generate, model):
    seen = {}
    for name in ('denoiser', 'autoencoder'):
        seen[name] = dtypes = []
        for layer in getattr(model, name).modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.register_forward_hook(
                    lambda layer, x, out, found=dtypes: found.append(out.dtype)
                )
    for dtype in (None, 'bfloat16', 'float32'):
        generate(label=3, dtype=dtype)
        half = dtype == 'bfloat16'
        assert (torch.bfloat16 in seen['denoiser']) == half
        assert {*seen['autoencoder']} == {torch.float32}
        seen['denoiser'].clear()
    assert next(model.parameters()).dtype == torch.float32


def test_networks_are_compiled_once_for_all_calls(generate, model):
    """Denoiser and decoder; the model itself stays as it is."""
    graphs, counts = [], []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    (wanted,) = generate(label=3)
    for label in (3, 3, 7):
        found = generate(label=label, compile=dict(backend=backend))[0]
        if label == 3:
            assert np.array_equal(found, wanted)
        counts.append(len(graphs))
    assert counts[0] > 2
    assert len({*counts}) == 1
    blocks = [m for m in model.modules() if isinstance(m, ResBlock)]
    assert {type(block) for block in blocks} == {ResBlock}


@pytest.fixture
def gpu(monkeypatch):
    """A pretended GPU: 12.5 MB are free, an image needs 1 MB."""
    asked = []

    def peak_of(device, call):
        (sample,) = call()
        asked.append(sample)
        return 2**20

    monkeypatch.setattr(batch_size, 'has_own_memory', lambda device: True)
    monkeypatch.setattr(
        batch_size, 'free_memory', lambda device: int(12.5 * 2**20)
    )
    monkeypatch.setattr(batch_size, 'peak_of', peak_of)
    return asked


@pytest.fixture
def batches(model, monkeypatch):
    """Sizes of the batches that are generated, and their steps."""
    sizes, predict = [], type(model).predict

    def spy(self, inputs, samples, wrap=None):
        sizes.append((len(samples), self.diffusion_scheduler.num_steps))
        return predict(self, inputs, samples, wrap)

    monkeypatch.setattr(type(model), 'predict', spy)
    return sizes


def test_free_memory_sets_the_batch_size(generate, batches, gpu, logged):
    """Of 12.5 MB, 80 % are used; one image is tried, in one step."""
    generate(label=3, num=23, steps=2)
    assert batches == [(1, 1), (10, 2), (10, 2), (3, 2)]
    (line,) = [text for text in logged() if 'batch_size' in text]
    assert 'batch_size=10' in line


def test_a_grid_with_its_own_number_of_steps_is_tried_whole(
    generate, batches, gpu
):
    grid = dict(type='CustomTimes', times=[900, 500])
    generate(label=3, num=9, steps=2, grid=grid)
    assert batches == [(1, 2), (9, 2)]


def test_few_images_need_no_trial(generate, batches, gpu):
    generate(label=3, num=8)
    assert not gpu and [count for count, _ in batches] == [8]


def test_a_given_batch_size_is_kept(generate, batches, gpu):
    generate(label=3, num=6, batch_size=5)
    assert not gpu and [count for count, _ in batches] == [5, 1]


def test_on_a_cpu_eight_images_are_generated_at_a_time(generate, batches):
    generate(label=3, num=11)
    assert [count for count, _ in batches] == [8, 3]


def test_exact_bits_depend_on_the_request_alone(generate, batches):
    whole = generate(label=[3, 7], num=8, exact=True)
    alone = generate(label=7, num=3, batch_size=1, exact=True)
    for found, wanted in zip(alone, whole[8:11], strict=True):
        assert np.array_equal(found, wanted)
    assert {count for count, _ in batches} == {8}


def test_defaults_are_explained(guided):
    settings = LatentDiffusionInferencer(guided).settings
    assert settings['label'].why == 'required: 0 to 9'
    assert settings['guidance_rescale'] == (0.2, 'model.guidance')
    assert settings['steps'] == (2, 'model.diffusion_scheduler.num_steps')
    assert settings['solver'].value == dict(type='DDIM', eta=0.0)
    assert settings['dtype'].value == 'float32'
    assert 'size = 8  # model.image_size' in str(settings)


@pytest.mark.parametrize(
    'solver',
    [
        dict(type='DDIM', eta=0.5),
        dict(_delete_=True, type='IPNDM', order=3, coordinates='flow'),
    ],
)
def test_the_defaults_are_what_a_call_does(tiny_ldm, solver):
    guided = tiny_ldm(
        image_size=8,
        guidance=GUIDED,
        conditioner=dict(drop_prob=0.1),
        diffusion_scheduler=dict(
            solver=solver,
            time_grid=dict(_delete_=True, type='EqualErrorGrid'),
        ),
    )
    generate = LatentDiffusionInferencer(guided)
    given = {
        name: value
        for name, (value, _) in generate.settings.items()
        if name != 'label' and value is not None
    }
    (found,) = generate(label=3, **given)
    (wanted,) = generate(label=3)
    assert np.array_equal(found, wanted)
