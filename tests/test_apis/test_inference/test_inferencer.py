"""Images from Python, by arguments."""

import json
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from mmldm.apis import LatentDiffusionInferencer
from mmldm.diffusion import DDIM, ClassifierFreeGuidance, Sampling, Windows
from mmldm.registry import MODELS


def pixels(images):
    return [np.asarray(image) for image in images]


def test_it_generates_what_the_model_predicts(generate, model, labelled):
    samples = [labelled(3, (5, i)) for i in (0, 1)]
    expected = [s.pred_img for s in model.predict(None, samples)]
    found = generate(label=3, num=2, seed=5)
    for image, wanted in zip(pixels(found), expected, strict=True):
        assert np.array_equal(image, wanted.permute(1, 2, 0))


def test_every_label_has_as_many_images_in_order(generate):
    found = generate(label=[3, 7], num=2, return_datasamples=True)
    assert [sample.label for sample in found] == [3, 3, 7, 7]
    alone = pixels(generate(label=7, num=2))
    batch = pixels(generate(label=[3, 7], num=2, batch_size=3))[2:]
    for one, other in zip(alone, batch, strict=True):
        assert abs(one.astype(int) - other).max() <= 1


def test_settings_are_of_one_call(generate, model, labelled):
    """They arrive, and the model stays as it is."""
    before = pixels(generate(label=3))
    scheduler = model.diffusion_scheduler
    parts = scheduler.solver, scheduler.num_steps, model.guidance
    other = generate(
        label=3, solver='Heun', grid='KarrasGrid', steps=5, guidance_scale=3
    )
    assert not np.array_equal(pixels(other)[0], before[0])
    assert (scheduler.solver, scheduler.num_steps, model.guidance) == parts
    assert np.array_equal(pixels(generate(label=3))[0], before[0])


def test_settings_do_what_a_model_with_them_does(generate, model, labelled):
    found = pixels(generate(label=3, solver='DDIM', steps=4))
    model.diffusion_scheduler.solver = DDIM()
    model.diffusion_scheduler.num_steps = 4
    (sample,) = model.predict(None, [labelled(3, (0, 0))])
    assert np.array_equal(found[0], sample.pred_img.permute(1, 2, 0))


def test_threads_with_other_settings_do_not_disturb_each_other(tiny_ldm):
    model = tiny_ldm(image_size=8, conditioner=dict(drop_prob=0.1))
    generate = LatentDiffusionInferencer(model)
    large = dict(size=(16, 8), window=8, dtype='bfloat16')
    ways = [
        dict(label=3, steps=3),
        dict(label=3, steps=2, solver='Heun', guidance_scale=3.0),
        dict(unconditional=True),
        dict(label=3, negative=5, guidance_scale=2.0, **large),
    ]
    alone = [pixels(generate(**way)) for way in ways]
    together = [[] for _ in ways]

    def work(i):
        for _ in range(3):
            together[i] += pixels(generate(**ways[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found, (wanted,) in zip(together, alone, strict=True):
        assert len(found) == 3
        assert all(np.array_equal(image, wanted) for image in found)


def test_a_stream_of_arguments_yields_the_pictures_of_calls(generate):
    wanted = [
        dict(label=3),
        dict(label=[7, 5], number=4),
        dict(label=1, num=2),
    ]
    stream = generate.stream(wanted, batch_size=3, steps=3)
    first = next(stream)
    found = [first, *stream]
    assert [i.info['mmldm']['label'] for i in found] == [3, 7, 5, 1, 1]
    assert [i.info['mmldm']['number'] for i in found] == [0, 4, 4, 0, 1]
    for image in found:
        (again,) = generate(**image.info['mmldm'])
        error = np.asarray(again).astype(int) - np.asarray(image)
        assert abs(error).max() <= 1
    with pytest.raises(ValueError, match='step is unknown. Valid names: sol'):
        generate.stream(wanted, step=3)
    with pytest.raises(ValueError, match='label=99 is unknown'):
        generate.stream([dict(label=99)])
    with pytest.raises(ValueError, match='steps is the same for all'):
        generate.stream([dict(label=9, steps=3)])
    with pytest.raises(ValueError, match='3 must be a dict of arguments'):
        generate.stream([3])


def test_a_stream_takes_a_generator(generate):
    wanted = (dict(label=label) for label in (3, 7))
    found = [*generate.stream(wanted, steps=2)]
    assert [i.info['mmldm']['label'] for i in found] == [3, 7]


def test_settings_say_that_there_was_an_object(generate):
    guidance = ClassifierFreeGuidance(3.0)
    (image,) = generate(label=3, steps=2, guidance=guidance)
    settings = image.info['mmldm']
    assert settings['guidance']['scales'] == [3.0]
    # Another image would be returned without it.
    with pytest.raises(ValueError, match='must be a Guidance'):
        generate(**settings)


def test_windows_and_tiles_are_of_one_call(generate, model):
    sampling = Sampling(windows=Windows(4), tile_size=64)
    assert generate(label=3, size=(16, 24), sampling=sampling)
    assert model.windows is None
    assert model.autoencoder.tile_size is None


def test_the_callback_hears_of_every_evaluation(generate):
    heard = []
    generate(
        label=3,
        num=2,
        steps=4,
        solver='DDIM',
        callback=lambda n, z_0: heard.append((n, tuple(z_0.shape))),
    )
    assert [n for n, _ in heard] == [1, 2, 3, 4]
    assert {shape for _, shape in heard} == {(2, 4, 4, 4)}


def test_an_image_carries_what_reproduces_it(generate):
    image = generate(label=[3, 7], num=2, seed=9, steps=3)[3]
    settings = image.info['mmldm']
    assert settings == dict(label=7, size=[8, 8], seed=9, number=1, steps=3)
    (again,) = generate(**settings)
    assert abs(np.asarray(again).astype(int) - np.asarray(image)).max() <= 1


def test_settings_of_guidance_reproduce_it_even_through_json(tiny_ldm):
    model = tiny_ldm(image_size=8, conditioner=dict(drop_prob=0.1))
    generate = LatentDiffusionInferencer(model)
    (image,) = generate(
        label=3,
        negative=5,
        size=(8, 12),
        solver=dict(type='DDIM', eta=1.0),
        guidance_scale=2.5,
        guidance_rescale=0.5,
        guidance_interval=(0.1, float('inf')),
    )
    settings = json.loads(json.dumps(image.info['mmldm'], allow_nan=False))
    assert settings['guidance_interval'] == [0.1, None]
    (again,) = generate(**settings)
    assert np.array_equal(np.asarray(again), np.asarray(image))


def test_a_full_gpu_halves_the_batch(generate, model, monkeypatch, caplog):
    sizes, predict = [], type(model).predict

    def full(self, inputs, samples, wrap=None):
        sizes.append(len(samples))
        if len(samples) > 2:
            raise torch.cuda.OutOfMemoryError('full')
        return predict(self, inputs, samples, wrap)

    monkeypatch.setattr(type(model), 'predict', full)
    assert len(generate(label=3, num=5, batch_size=5)) == 5
    assert sizes == [5, 2, 2, 1]


def test_no_condition_is_the_null_one(tiny_ldm, labelled):
    """A scale of 0 leaves nothing but the null condition."""
    model = tiny_ldm(image_size=8, conditioner=dict(drop_prob=0.1))
    generate = LatentDiffusionInferencer(model)
    found = pixels(generate(unconditional=True, num=2))
    wanted = pixels(generate(label=3, guidance_scale=0, num=2))
    for one, other in zip(found, wanted, strict=True):
        assert abs(one.astype(int) - other).max() <= 1
    assert not model.unconditional
    for given in (dict(label=3), dict(negative=3), dict(guidance_scale=2)):
        name = next(iter(given))
        with pytest.raises(ValueError, match=f'{name} has no effect with un'):
            generate(unconditional=True, **given)


def test_a_null_condition_that_was_not_trained_is_refused(tiny_ldm, filler):
    model = tiny_ldm(image_size=8, conditioner=dict(drop_prob=0.0))
    with pytest.raises(ValueError, match='never trained .*drop_prob=0.0'):
        LatentDiffusionInferencer(model)(unconditional=True)
    with pytest.raises(ValueError, match='MaskedImage .* never trained'):
        filler(unconditional=True, size=8)


def test_pictures_are_files_images_arrays_or_tensors(filler, tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    hole = np.zeros((8, 8), np.uint8)
    hole[:, 4:] = 255
    Image.fromarray(array).save(tmp_path / 'image.png')
    Image.fromarray(hole).save(tmp_path / 'mask.png')
    kinds = [
        (tmp_path / 'image.png', tmp_path / 'mask.png'),
        (Image.fromarray(array), Image.fromarray(hole)),
        (array, hole),
        (torch.from_numpy(array).permute(2, 0, 1), torch.from_numpy(hole)),
    ]
    found = [pixels(filler(image=i, mask=m))[0] for i, m in kinds]
    for other in found[1:]:
        assert np.array_equal(other, found[0])
    assert np.array_equal(found[0][:, :4], array[:, :4])


CALL = dict(type='os.system', command='exit 1')


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(), 'gt_label is missing: give label'),
        (dict(label=3, prompt='a cat'), 'prompt is unknown to this model'),
        (dict(label=30), 'label=30 is unknown, expected 0 to 9'),
        (dict(label='cat'), "label='cat' is unknown, expected 0 to 9"),
        (dict(label=3, lable=4), 'lable is unknown. Valid names: label'),
        (dict(label=3, num=0), 'num=0 must be a whole number'),
        (dict(label=3, steps=0), 'steps=0 must be a whole'),
        (dict(label=3, solver='DDIN'), "solver='DDIN' is not known.*DDIM"),
        # The registry of mmengine would import and call these.
        (dict(label=3, solver='os.getcwd'), "'os.getcwd' is not known"),
        (
            dict(label=3, grid=dict(type='DiffusersSigmas', time_grid=CALL)),
            "grid='os.system' is not known",
        ),
        (dict(label=3, solver='KarrasGrid'), 'a KarrasGrid, expected a Solv'),
        (dict(label=3, negative='a dog'), "negative='a dog' is unknown"),
        (dict(label=3, batch_size=0), 'batch_size=0 must be'),
        (dict(label=3, dtype=torch.float16), 'dtype=torch.float16 is not kn'),
        (
            dict(label=3, steps=2, sampling=Sampling()),
            'sampling and steps are both given',
        ),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(generate, arguments, message):
    with pytest.raises(ValueError, match=message):
        generate(**arguments)


def test_a_missing_picture_names_its_argument(filler, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'image: .*none.png'):
        filler(image=tmp_path / 'none.png', mask=np.zeros((8, 8), np.uint8))
    with pytest.raises(ValueError, match='image: expected uint8 RGB'):
        filler(image=np.zeros((8, 8, 3)), mask=np.zeros((8, 8), np.uint8))


def test_another_model_is_refused(tiny_autoencoder):
    first_stage = MODELS.build(
        dict(type='FirstStage', autoencoder=tiny_autoencoder)
    )
    with pytest.raises(ValueError, match='model is a FirstStage, expected'):
        LatentDiffusionInferencer(first_stage)
