"""Trainings and judgements of knobs.py."""

from __future__ import annotations

import copy
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits import TRAINING_ALONE
from knob_list import BASE, SCHEDULER, Knob, Options, Task
from mmengine.config import Config

from mmldm.utils.shipped import config_path

if TYPE_CHECKING:
    from mmldm.engine import LDMRunner

# The schedule of the learning rate ends with the training, and stays.
ALONE = {
    **{k: v for k, v in TRAINING_ALONE.items() if k != 'param_scheduler'},
    'visualizer.vis_backends': [],
    'log_level': 'ERROR',
}
# The guide of autoguidance has this share of the iterations.
EARLY = 4


@dataclass
class Bench:
    """What all runs of a table share.

    Args:
        task: The task.
        out: Folder of all files.
        iterations: Length of a training.
        num: Number of images that are judged.
        steps: Number of sampling steps.
        first_stage: Checkpoint of the first stage; None to train one.
        prepared: First stages whose latents are cached, by their changes.
    """

    task: Task
    out: Path
    iterations: int
    num: int
    steps: int
    first_stage: str | None = None
    prepared: dict[str, Options] = field(default_factory=dict)

    def run(self, name: str, seed: int) -> dict[str, Any]:
        """Train if need be, and judge.

        Args:
            name: Name of the knob.
            seed: Seed of the training and of the images' noise.

        Returns:
            The metrics, and seconds of CPU time.
        """
        knob = self.task.knobs[name]
        self.prepare(knob)
        start = time.process_time()
        trained = self.trained(name if knob.trains else BASE, seed)
        middle = time.process_time()
        metrics = self.judged(name, seed, trained)
        if knob.trains and name != BASE:
            shutil.rmtree(trained)  # the base is needed by other knobs
        seconds = dict(
            training=round(middle - start, 1),
            judging=round(time.process_time() - middle, 1),
        )
        return dict(metrics=metrics, cpu_seconds=seconds)

    def prepare(self, knob: Knob) -> Options:
        """First stage and cached latents of a knob, as options of a config."""
        key = '_'.join(['first-stage', *knob.first_stage]).replace('.', '-')
        if key not in self.prepared:
            options = dict(self._images())
            path = self._first_stage(key, knob)
            if path is not None:
                options['model.autoencoder_checkpoint'] = path
            cache = self.out / f'{key}_latents'
            _cache(self._config(options, self.out / 'caching'), cache)
            self.prepared[key] = options | {'latent_cache': str(cache)}
        return self.prepared[key]

    def trained(self, name: str, seed: int) -> Path:
        """The work directory of a training; it is trained if need be."""
        folder = self.out / f'train_{name}_{seed}'
        if (folder / 'done').is_file():
            return folder
        # The further averages are not resumed.
        shutil.rmtree(folder, ignore_errors=True)
        knob = self.task.knobs[name]
        cfg = self._config(
            {
                **ALONE,
                **self.prepare(knob),
                **knob.options,
                'train_cfg.max_iters': self.iterations,
                'train_dataloader.num_workers': 0,
                'train_dataloader.persistent_workers': False,
                'default_hooks.checkpoint.interval': self.early,
                'default_hooks.checkpoint.max_keep_ckpts': -1,
            },
            folder,
            seed,
        )
        runner = _runner(cfg)
        averages = self._watch_averages(runner) if name == BASE else {}
        runner.train()
        for decay, hook in averages.items():
            self._write_average(folder, decay, hook.average)
        self._remove_others(folder)
        (folder / 'done').touch()
        return folder

    def _remove_others(self, folder: Path) -> None:
        """Remove the checkpoints that no knob needs, 60 MB each."""
        needed = {f'iter_{n}.pth' for n in (self.early, self.iterations)}
        for path in folder.glob('iter_*.pth'):
            if path.name not in needed:
                path.unlink()

    @property
    def early(self) -> int:
        """Iterations of the guide."""
        return max(1, self.iterations // EARLY)

    def judged(self, name: str, seed: int, trained: Path) -> dict[str, float]:
        """The metrics of images that a knob draws."""
        from mmldm.apis.referenced_files import locate_files

        knob = self.task.knobs[name]
        options = {
            **self.prepare(knob),
            **knob.options,
            'log_level': 'ERROR',
            'visualizer.vis_backends': [],
            f'{SCHEDULER}.num_steps': self.steps,
        }
        folder = self.out / f'judge_{name}_{seed}'
        cfg = self._config(options, folder, seed)
        cfg.test_dataloader.dataset.update(num_samples=self.num, seed=seed)
        cfg.load_from = str(trained / self._weights(knob))
        if knob.guided:
            cfg.model.guide = copy.deepcopy(cfg.model.denoiser)
            guide = trained / f'iter_{self.early}.pth'
            cfg.model.guide_checkpoint = str(guide)
        locate_files(cfg.model, cfg.load_from)
        self._add_judges(cfg)
        runner = _runner(cfg)
        metrics = runner.test()
        runner.test_loop.forget_images()
        return {key: float(metrics[key]) for key in self.task.metrics}

    def _weights(self, knob: Knob) -> str:
        if knob.average is not None:
            return _average_file(knob.average)
        return f'iter_{self.iterations}.pth'

    def _add_judges(self, cfg: Config) -> None:
        """Let the task's judges compare with the images of the training."""
        images = cfg.train_dataloader.dataset
        own = cfg.test_evaluator
        judges = [own] if isinstance(own, dict) else [*own]
        for judge in copy.deepcopy([*self.task.judges]):
            if judge['type'] == 'GeneratedImages':
                side = images.size
                network = dict(type='EfficientNetLiteFeatures', side=side)
                judge |= dict(reference=images, features=network)
            else:
                judge |= dict(dataset=images)
            judges.append(judge)
        cfg.test_evaluator = judges

    def _watch_averages(self, runner: LDMRunner) -> dict[float, Any]:
        """Hooks of the averages that some knobs judge."""
        from mmldm.engine.hooks import ModuleEMAHook

        class Average(ModuleEMAHook):
            """One that leaves checkpoints to the config's own average."""

            def before_save_checkpoint(self, runner, checkpoint) -> None:
                pass

        decays = {knob.average for knob in self.task.knobs.values()}
        hooks = {d: Average(decay=d) for d in decays - {None}}
        for hook in hooks.values():
            runner.register_hook(hook)
        return hooks

    def _write_average(
        self, folder: Path, decay: float, average: dict[str, Any]
    ) -> None:
        from mmldm.utils.checkpoint import read_checkpoint, write_checkpoint

        content = read_checkpoint(folder / f'iter_{self.iterations}.pth')
        content['state_dict'].update(average)
        write_checkpoint(content, folder / _average_file(decay))

    def _first_stage(self, key: str, knob: Knob) -> str | None:
        """The first stage of a knob, trained if need be; None: as named."""
        if self.first_stage is not None and not knob.first_stage:
            return str(Path(self.first_stage).resolve())
        if self.task.first_stage is None:
            return None
        from mmldm.apis.run_config import read_run_config
        from mmldm.utils.newest_checkpoint import checkpoints

        folder = self.out / key
        if not (folder / 'done').is_file():
            options = {**ALONE, **knob.first_stage}
            path = config_path(self.task.first_stage)
            cfg = read_run_config(str(path), options, str(folder))
            cfg.resume = bool(checkpoints(folder))
            _runner(cfg).train()
            (folder / 'done').touch()
        return str(folder)

    def _images(self) -> Options:
        """Options of the training's images: random crops are written once."""
        if self.task.crops is None:
            return {}
        folder = self.out / 'crops'
        if not folder.is_dir():
            cfg = self._config({}, self.out / 'caching')
            _write_crops(cfg, folder, self.task.crops)
        dataset = dict(
            _delete_=True,
            type='ImageFolder',
            data_root=str(folder),
            size=64,
            pipeline=[dict(type='LoadImage'), dict(type='PackInputs')],
        )
        return {'train_dataloader.dataset': dataset}

    def _config(
        self, options: Options, work_dir: Path, seed: int = 0
    ) -> Config:
        from mmldm.apis.run_config import read_run_config

        options = {**self.task.options, **options}
        path = config_path(self.task.config)
        return read_run_config(str(path), options, str(work_dir), seed)


def _average_file(decay: float) -> str:
    return f'average_{decay}.pth'


def _runner(cfg: Config) -> LDMRunner:
    from mmldm.apis import build_runner

    # Runs of one process need names of their own.
    cfg.experiment_name = f'{Path(cfg.work_dir).name}-{time.time_ns()}'
    return build_runner(cfg)


def _cache(cfg: Config, folder: Path) -> None:
    """Encode the training's images, as ``tools/cache_latents.py`` does."""
    from mmldm.apis.latent_caching import cache_latents
    from mmldm.engine.batch_sizes import take_single_images
    from mmldm.engine.frozen_parts import check_frozen_parts

    cfg.latent_cache = None
    take_single_images(cfg.train_dataloader)
    cfg.log_level = 'ERROR'
    runner = _runner(cfg)
    check_frozen_parts(runner.bare_model)
    runner.bare_model.eval()
    cache_latents(runner, folder, 32)


def _write_crops(cfg: Config, folder: Path, count: int) -> None:
    """Write random crops of the training's images as PNG files."""
    from PIL import Image

    from mmldm.datasets.samplers import AddressedIndex
    from mmldm.registry import DATASETS
    from mmldm.utils.whole_files import replaced

    images = DATASETS.build(cfg.train_dataloader.dataset)
    aside = folder.with_name('crops_unfinished')
    aside.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        epoch, entry = divmod(number, len(images))
        index = AddressedIndex(entry, seed=0, epoch=epoch, position=number)
        pixels = images[index]['inputs'].permute(1, 2, 0).numpy()
        with replaced(aside / f'{number:05}.png') as path:
            Image.fromarray(pixels).save(path, 'PNG')
    aside.rename(folder)
