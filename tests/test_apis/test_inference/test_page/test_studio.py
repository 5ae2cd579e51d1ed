"""Requests of several visitors, with one model."""

import threading

import numpy as np
import pytest
import torch

from mmldm.apis.inference.page import Limits
from mmldm.apis.inference.page import studio as studio_module
from mmldm.apis.inference.page.studio import CANCELLED, Job, Studio, preview
from mmldm.models.data_preprocessors.ldm_data_preprocessor import to_images

ASKED = dict(label=3, num=2, steps=6, seed=5)


@pytest.fixture
def generate(inferencer):
    return inferencer('class')


@pytest.fixture
def studio(generate):
    studio = Studio(generate, Limits(images=8, steps=20, waiting=1))
    yield studio
    studio.close()


class Held:
    """An inferencer that waits before each call, until it is told."""

    def __init__(self, generate):
        self.generate, self.model = generate, generate.model
        self.go = threading.Event()

    def __call__(self, **arguments):
        assert self.go.wait(30)
        return self.generate(**arguments)


@pytest.fixture
def held(generate):
    held = Held(generate)
    studio = Studio(held, Limits(waiting=1))
    yield held, studio
    held.go.set()
    studio.close()


def last(studio, job):
    *_, news = studio.follow(job)
    return news


def test_images_are_those_of_a_call(studio, generate):
    images = last(studio, studio.submit('me', ASKED)).images
    for image, wanted in zip(images, generate(**ASKED), strict=True):
        assert np.array_equal(image, wanted)
        assert image.info == wanted.info


def test_news_tells_evaluations_and_previews_of_each_batch(generate):
    job = Job(generate, 'me', dict(ASKED, num=3, batch_size=2))
    assert len(job.run().images) == 3
    news = [job.news.get(timeout=9) for _ in range(12)]
    assert [n.evaluations for n in news] == [1, 2, 3, 4, 5, 6] * 2
    assert [n.batch for n in news] == [0] * 6 + [1] * 6
    shown = [n.previews and len(n.previews) for n in news]
    assert shown == [2, None, None, None, None, 2, 1, *[None] * 4, 1]


def test_a_preview_is_the_decoded_estimate(generate):
    decode = generate.model.autoencoder.decode
    z_0 = torch.randn(2, 4, 6, 8)
    with torch.no_grad():
        wanted = to_images(decode(z_0))
    for shown, image in zip(preview(decode, z_0), wanted, strict=True):
        assert np.array_equal(shown, image.permute(1, 2, 0))


def test_old_news_is_left_out_but_not_its_previews(generate):
    job = Job(generate, 'me', dict(ASKED, steps=5))
    job.run()
    newest = job.newest(9)
    assert newest.evaluations == 5 and newest.previews


def test_a_cancelled_request_ends_at_its_next_step(studio):
    job = studio.submit('me', dict(ASKED, steps=20))
    news = studio.follow(job)
    assert not next(news).last
    studio.cancel('me')
    assert [n.error for n in news][-1] == CANCELLED
    assert last(studio, studio.submit('me', ASKED)).images


def test_who_stops_listening_cancels(studio):
    job = studio.submit('me', dict(ASKED, steps=20))
    news = studio.follow(job)
    next(news)
    news.close()
    assert job.cancelled.is_set()


def test_a_waiting_request_hears_its_place_and_leaves_at_once(held):
    inferencer, studio = held
    first, second = (studio.submit(who, ASKED) for who in 'ab')
    news = studio.follow(second)
    assert next(news).ahead == 1
    studio.cancel('b')
    assert next(news).error == CANCELLED
    third = studio.submit('c', ASKED)
    inferencer.go.set()
    assert last(studio, first).images and last(studio, third).images


def test_a_full_line_and_a_second_request_are_refused(held):
    _, studio = held
    studio.submit('a', ASKED)
    with pytest.raises(ValueError, match='is being drawn already'):
        studio.submit('a', ASKED)
    studio.submit('b', ASKED)
    with pytest.raises(ValueError, match='busy, and 1 request is waiting'):
        studio.submit('c', ASKED)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(label=99), 'label=99 is unknown'),
        (dict(steps=0), 'steps=0 must be'),
        (dict(prompt='a cat'), 'prompt is unknown to this model'),
        (dict(guidance_scale=float('nan')), 'scale=nan|guidance'),
    ],
)
def test_wrong_input_is_a_line_and_the_studio_lives_on(studio, wrong, message):
    error = last(studio, studio.submit('me', ASKED | wrong)).error
    assert message.split('|')[0] in error and '\n' not in error
    assert last(studio, studio.submit('me', ASKED)).images


def test_our_own_error_is_a_line_and_the_studio_lives_on(studio, monkeypatch):
    def broken(*_):
        raise RuntimeError('two\nlines')

    with monkeypatch.context() as patch:
        patch.setattr(type(studio.generate.model), 'predict', broken)
        job = studio.submit('me', ASKED)
        error = last(studio, job).error
    assert error == 'RuntimeError while drawing: two lines'
    assert last(studio, studio.submit('me', ASKED)).images


def test_a_request_ends_even_if_its_error_cannot_be_logged(
    studio, monkeypatch
):
    def broken(*_):
        raise RuntimeError('broken')

    with monkeypatch.context() as patch:
        patch.setattr(type(studio.generate.model), 'predict', broken)
        patch.setattr(studio_module, 'print_log', broken)
        assert last(studio, studio.submit('me', ASKED)).error
    assert last(studio, studio.submit('me', ASKED)).images


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(num=9), 'num=9 is too much for this page, which allows 8'),
        (dict(steps=21), 'steps=21 is too much .* allows 20'),
        (dict(size=(8, 2000)), 'size=2000 is too much .* allows 1024'),
        (dict(prompt='a' * 2001), 'prompt has 2001 characters'),
    ],
)
def test_bounds_are_kept_whatever_a_browser_sends(studio, wrong, message):
    with pytest.raises(ValueError, match=message):
        studio.submit('me', ASKED | wrong)


def test_a_bound_is_a_count():
    with pytest.raises(ValueError, match='images=0 must be a whole number'):
        Limits(images=0)
