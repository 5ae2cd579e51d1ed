"""A test of generated images that is interrupted, and goes on."""

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric

from mmldm.engine import GenerationLoop
from mmldm.registry import DIFFUSION_SCHEDULERS, METRICS
from mmldm.utils.image_store import ImageStore, image_path

NUM_IMAGES = 20


class Interruption(Exception):
    """The end of the electric current."""


@METRICS.register_module()
class Seen(BaseMetric):
    """The images that the metrics get, in order."""

    def process(self, data_batch, data_samples):
        self.results += [sample['pred_img'] for sample in data_samples]

    def compute_metrics(self, results):
        Seen.images = torch.stack(results)
        return dict(mean=float(Seen.images.double().mean()))


@pytest.fixture
def tested(build_runner, training_config, first):
    """Builds the runner of a test; counts what its model draws."""
    training_config.update(
        test_dataloader=dict(
            batch_size=7,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='GenerationRequests',
                num_samples=NUM_IMAGES,
                num_classes=10,
                size=8,
                pipeline=[dict(type='PackInputs')],
            ),
        ),
        test_evaluator=dict(type='Seen'),
        test_cfg=dict(),
        load_from=first.work_dir,
    )

    def tested(**options):
        runner = build_runner(**options)
        runner.drawn = []
        predict = runner.model.predict

        def counting(inputs, samples):
            runner.drawn.append([s.sample_idx for s in samples])
            return predict(inputs, samples)

        runner.model.predict = counting
        return runner

    return tested


@pytest.fixture
def whole(tested):
    """Metrics and images of a test without interruption."""
    metrics = tested().test()
    return metrics, Seen.images


def interrupt(runner, monkeypatch, after):
    """Run a test that ends before it has written another image."""
    write = ImageStore.write

    def failing(self, number, image):
        if number == after:
            raise Interruption
        write(self, number, image)

    with monkeypatch.context() as patch, pytest.raises(Interruption):
        patch.setattr(ImageStore, 'write', failing)
        runner.test()


def test_it_goes_on_with_the_images_that_are_there(
    tested, whole, monkeypatch, tmp_path
):
    """Only the group in which it ended, and later ones, are drawn."""
    work = str(tmp_path / 'other')
    interrupt(tested(work_dir=work), monkeypatch, after=11)
    runner = tested(work_dir=work)
    assert runner.test() == whole[0]
    assert torch.equal(Seen.images, whole[1])
    assert runner.drawn == [[*range(8, 16)], [*range(16, 20)]]


@pytest.mark.parametrize('batch_size', [1, 50])
def test_any_batch_size_gives_the_same(tested, whole, batch_size, tmp_path):
    metrics = tested(
        test_dataloader__batch_size=batch_size, work_dir=str(tmp_path / 'w')
    ).test()
    assert metrics == whole[0]
    assert torch.equal(Seen.images, whole[1])


def test_the_batch_size_is_used_on_request(tested, tmp_path):
    runner = tested(test_cfg__same_everywhere=False)
    runner.test()
    assert [*map(len, runner.drawn)] == [7, 7, 6]


def test_a_test_samples_by_its_own_settings(tested, whole):
    """The model keeps its own."""
    steps = len(tested().model.diffusion_scheduler.levels())
    runner = tested(test_cfg__sampling=dict(solver='Heun', steps=5))
    del runner.model.predict  # the spy is bound to the model itself
    seen, solver = [], type(runner.model.diffusion_scheduler.solver)
    heun = DIFFUSION_SCHEDULERS.get('Heun')
    with pytest.MonkeyPatch.context() as patch:
        call = heun.__call__
        patch.setattr(
            heun,
            '__call__',
            lambda self, denoise, z, levels, *rest: (
                seen.append(len(levels))
                or call(self, denoise, z, levels, *rest)
            ),
        )
        runner.test()
    assert {*seen} == {6}
    assert not torch.equal(Seen.images, whole[1])
    own = runner.model.diffusion_scheduler
    assert type(own.solver) is solver and len(own.levels()) == steps
    settings = runner.test_loop.sampling.settings
    assert settings['num_steps'] == 5 and settings['solver']['type'] == 'Heun'


def test_one_thread_draws(tested, monkeypatch):
    """Rounding depends on their number."""
    runner, threads = tested(), []
    predict = runner.model.predict

    def watched(inputs, samples):
        threads.append(torch.get_num_threads())
        return predict(inputs, samples)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        runner.model.predict = watched
        runner.test()
        assert {*threads} == {1} and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_damaged_image_is_drawn_again(tested, whole, tmp_path):
    folder = next((tmp_path / 'work').glob('unfinished_test_*'))
    path = image_path(folder, 3)
    path.write_bytes(path.read_bytes()[:-20])
    runner = tested()
    assert runner.test() == whole[0]
    assert runner.drawn == [[*range(8)]]


@pytest.mark.parametrize(
    'change',
    [
        dict(test_dataloader__dataset__seed=1),
        dict(model__diffusion_scheduler__num_steps=3),
    ],
)
def test_images_of_another_test_are_not_taken(tested, whole, change):
    runner = tested(**change)
    runner.test()
    assert len(runner.drawn) == 3
    assert not torch.equal(Seen.images, whole[1])


def test_other_weights_draw_anew(tested, whole):
    runner = tested()
    runner.load_or_resume()
    runner._has_loaded = True
    with torch.no_grad():
        next(runner.model.denoiser.parameters()).add_(1)
    runner.test()
    assert len(runner.drawn) == 3


def test_other_files_of_the_data_draw_anew(tmp_path):
    """The config of both tests is the same."""
    from mmldm.engine.data_digest import data_digest

    path = tmp_path / 'mask.png'

    class Data:
        samples_per_entry = 2
        captions = ['a']

        def __len__(self):
            return 2

        def get_data_info(self, idx):
            features = np.arange(5000)
            features[2500] = len(self.captions)
            return dict(
                mask_path=str(path), captions=self.captions, values=features
            )

    data, seen = Data(), set()
    for content in ('', 'white', 'black!'):
        path.write_text(content)
        seen.add(data_digest(data))
        assert data_digest(data) in seen
    assert len(seen) == 3
    for captions in (['b'], ['b', 'c']):
        data.captions = captions
        seen.add(data_digest(data))
    assert len(seen) == 5


def test_another_archive_of_the_data_draws_anew(tmp_path):
    from mmldm.engine.data_digest import data_digest

    archive = tmp_path / '0.tar'

    class Data:
        def __len__(self):
            return 1

        def get_data_info(self, idx):
            return dict(img_path=str(archive / 'key'))

    digests = []
    for content in ('one', 'other'):
        archive.write_text(content)
        digests.append(data_digest(Data()))
    assert digests[0] != digests[1]


def test_another_guide_draws_anew(tested, whole):
    """No state of the model has its weights."""
    runner = tested()
    guide = torch.nn.Linear(1, 1)
    runner.model._guide = (guide,)
    before = runner.test_loop._digest()
    torch.nn.init.ones_(guide.weight)
    assert runner.test_loop._digest() != before


def test_images_are_deleted_once_they_are_not_needed(tested, tmp_path):
    runner = tested()
    runner.test()
    folder = runner.test_loop.store.folder
    assert folder.parent == tmp_path / 'work' and folder.exists()
    runner.test_loop.forget_images()
    assert not folder.exists()
    show = str(tmp_path / 'show')
    runner = tested(
        default_hooks__visualization=dict(type='ImageGridHook', show_dir=show)
    )
    runner.test()
    runner.test_loop.forget_images()
    assert image_path(show, NUM_IMAGES - 1).exists()


def test_an_archive_has_all_images_and_labels(tested, whole, tmp_path):
    tested(test_cfg__npz=str(tmp_path / 'all.npz')).test()
    with np.load(tmp_path / 'all.npz') as arrays:
        images = torch.from_numpy(arrays['arr_0']).permute(0, 3, 1, 2)
        labels = arrays['arr_1'].tolist()
    assert torch.equal(images, whole[1])
    assert labels == [i % 10 for i in range(NUM_IMAGES)]


def test_an_image_that_another_machine_has_is_named(tested, monkeypatch):
    runner = tested()
    monkeypatch.setattr(GenerationLoop, '_generate', lambda self: None)
    with pytest.raises(OSError, match='000000.png is missing.*all machines'):
        runner.test()


def test_a_first_stage_writes_no_archive(build_runner, training_config):
    from mmldm.engine.loop_choice import generation_loop

    with pytest.raises(ValueError, match='test_cfg.npz is for models that'):
        generation_loop(dict(npz='a.npz'), torch.nn.Linear(1, 1))
    assert generation_loop(dict(fp16=True), torch.nn.Linear(1, 1)) == dict(
        fp16=True
    )
