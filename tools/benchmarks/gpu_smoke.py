"""Six minutes on a GPU: does mmldm run, agree with the CPU, and how fast?

    python tools/benchmarks/gpu_smoke.py --json gpu.json
    python tools/benchmarks/gpu_smoke.py --tiny --device cpu    # a rehearsal

Sections, in this order:

  facts        name, memory, speed of a matrix product and of a copy, and
               whether its group norm keeps channels_last
  waits        places of a training step and of sampling that wait for the GPU
  step         the training step of the 274 M denoiser: images/s, share of peak
  compiled     the same under torch.compile
  sampling     images/s in bfloat16, and compiled
  first_stage  images/s of a VQ-f4 step with its discriminator
  agreement    losses of a digits training on the GPU and on the CPU
  resume       a resumed training against one that nothing interrupted

A section that fails is reported and the others go on. After each, all results
are written. A section that would begin after --budget seconds is left out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from interleaved import checked, parser_of, report

from mmldm.apis import run_tool

Section = Callable[[argparse.Namespace], dict[str, Any]]


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = parser_of(__doc__, repeats=8)
    parser.set_defaults(device='cuda')
    parser.add_argument(
        '--tiny', action='store_true', help='sizes of a rehearsal on a CPU'
    )
    parser.add_argument('--budget', type=int, default=330, help='seconds')
    parser.add_argument(
        '--only', nargs='+', metavar='SECTION', help='names of sections'
    )
    return checked(parser)


def sized(args: argparse.Namespace, **sizes: Any) -> argparse.Namespace:
    """The flags of another benchmark: ``name=(real, tiny)``."""
    own = {name: pair[args.tiny] for name, pair in sizes.items()}
    shared = dict(repeats=args.repeats, device=args.device, wall=True)
    return argparse.Namespace(**shared, **own)


def pace(run: Callable[[], Any], args: argparse.Namespace) -> float:
    """Mean seconds of runs in a row, with one wait at the end."""
    from interleaved import clock_of

    clock = clock_of(sized(args))
    count = 1 if args.tiny else args.repeats
    for _ in range(1 if args.tiny else 3):
        run()
    start = clock()
    for _ in range(count):
        run()
    return (clock() - start) / count


def facts(args: argparse.Namespace) -> dict[str, Any]:
    """Facts about the device."""
    import torch
    import torch.nn.functional as F
    from interleaved import peak_of

    x = torch.zeros(1, 4, 8, 8, device=args.device)
    x = x.contiguous(memory_format=torch.channels_last)
    norm = F.group_norm(x, 2)
    found: dict[str, Any] = dict(
        group_norm_keeps_channels_last=norm.is_contiguous(
            memory_format=torch.channels_last
        ),
        matmul_tflops=peak_of(args.device, 0.2) / 1e12,
    )
    big = torch.zeros(2**20 if args.tiny else 2**28, device=args.device)
    other = torch.empty_like(big)
    seconds = pace(lambda: other.copy_(big), args)
    found['copy_gb_per_s'] = 2 * big.nbytes / seconds / 1e9
    if args.device.startswith('cuda'):
        facts = torch.cuda.get_device_properties(args.device)
        found |= dict(name=facts.name, gib=facts.total_memory / 2**30)
    return found


def waits(args: argparse.Namespace) -> dict[str, Any]:
    """Places where the host waits for the GPU, by torch's own warnings."""
    import warnings

    import torch
    from first_stage_step import batch_of
    from mmengine.optim import OptimWrapper
    from sampling import model_of

    if not args.device.startswith('cuda'):
        return dict(skipped='only CUDA reports waits')
    flags = sampling_flags(args)
    model = model_of(flags)
    data = batch_of(sized(args, batch_size=(2, 2), size=(64, 64)))
    del data['iteration']
    adam = torch.optim.AdamW(model.denoiser.parameters(), fused=True)
    wrapper = OptimWrapper(adam)
    jobs = dict(
        train_step=lambda: model.train_step(data, wrapper),
        predict=lambda: model.predict(None, data['data_samples']),
    )
    found: dict[str, Any] = {}
    for name, job in jobs.items():
        job()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            torch.cuda.set_sync_debug_mode('warn')
            try:
                job()
            finally:
                torch.cuda.set_sync_debug_mode('default')
        places = [f'{Path(w.filename).name}:{w.lineno}' for w in caught]
        found[name] = {place: places.count(place) for place in places}
    return found


def step(args: argparse.Namespace, compile: bool = False) -> dict[str, Any]:
    """Speed and memory of our training step."""
    import torch
    from interleaved import share_of_peak
    from training_step import operations, ours

    flags = sized(
        args,
        batch_size=(64, 1),
        size=(64, 8),
        channels=(224, 32),
        compile=(compile, False),
    )
    start = time.perf_counter()
    run = ours(flags)
    run()
    first = time.perf_counter() - start
    seconds = pace(run, args)
    found = dict(
        images_per_s=flags.batch_size / seconds,
        first_step_s=first,
        **share_of_peak(operations(flags), seconds, args.device),
    )
    if args.device.startswith('cuda'):
        found['peak_gib'] = torch.cuda.max_memory_allocated() / 2**30
    return found


def compiled(args: argparse.Namespace) -> dict[str, Any]:
    """:func:`step` under torch.compile; a rehearsal does not compile."""
    return step(args, compile=True)


def sampling_flags(args: argparse.Namespace) -> argparse.Namespace:
    """The flags of ``sampling.py``."""
    return sized(
        args,
        batch_size=(64, 2),
        size=(64, 8),
        steps=(12, 2),
        channels=(224, 32),
        stage_channels=(128, 32),
    )


def sampling(args: argparse.Namespace) -> dict[str, Any]:
    """Sampled images a second."""
    from sampling import model_of

    from mmldm.diffusion import Sampling
    from mmldm.structures import LDMDataSample

    flags = sampling_flags(args)
    model, found = model_of(flags), {}
    samples = [
        LDMDataSample(metainfo=dict(address=(0, i)))
        for i in range(flags.batch_size)
    ]
    for compile in (False,) if args.tiny else (False, True):
        way = Sampling(dtype='bfloat16', compile=compile)
        view = model.sampling_by(way)
        seconds = pace(lambda view=view: view.predict(None, samples), args)
        name = 'compiled' if compile else 'eager'
        found[f'{name}_images_per_s'] = flags.batch_size / seconds
    return found


def first_stage(args: argparse.Namespace) -> dict[str, Any]:
    """Speed of a first stage's training step in bfloat16."""
    import first_stage_step as benchmark

    flags = sized(
        args,
        batch_size=(8, 2),
        size=(256, 64),
        channels=(128, 32),
        amp=(True, True),
    )
    with TemporaryDirectory() as flags.folder:
        model = benchmark.first_stage(flags)
    wrapper = benchmark.optimizers(model, amp=True)
    data = benchmark.batch_of(flags)
    seconds = pace(lambda: model.train_step(data, wrapper), args)
    return dict(images_per_s=flags.batch_size / seconds)


def agreement(args: argparse.Namespace) -> dict[str, Any]:
    """Losses of the digits' first stage on the device and on the CPU."""
    from gpu_trainings import differences, losses_of

    count = 2 if args.tiny else 20
    with TemporaryDirectory() as folder:
        both = [
            losses_of(Path(folder, name), count, on)
            for name, on in (('cpu', 'cpu'), ('device', args.device))
        ]
    return differences(*both)


def resume(args: argparse.Namespace) -> dict[str, Any]:
    """Weights after an interruption against those without one."""
    from gpu_trainings import resumed_difference

    with TemporaryDirectory() as folder:
        return resumed_difference(folder, 4 if args.tiny else 20, args.device)


SECTIONS: Sequence[Section] = (
    *(facts, waits, step, compiled, sampling, first_stage),
    *(agreement, resume),
)


def run_section(
    section: Section, args: argparse.Namespace, left: float
) -> dict[str, Any]:
    """The results of a section, or why there are none."""
    if left < 0:
        return dict(skipped=f'--budget {args.budget} is spent')
    start = time.perf_counter()
    try:
        found = section(args)
    except Exception as error:
        found = dict(error=f'{type(error).__name__}: {error}'[:600])
    return {**found, 'seconds': round(time.perf_counter() - start, 1)}


def main() -> None:
    """Measure and print the results."""
    args = parse_args()
    import mmldm.engine  # noqa: F401

    end, results = time.perf_counter() + args.budget, {}
    for section in SECTIONS:
        name = section.__name__
        if args.only and name not in args.only:
            continue
        left = end - time.perf_counter()
        results[name] = run_section(section, args, left)
        print(name, json.dumps(results[name]), flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(results, indent=1))
    report(args, **results)


if __name__ == '__main__':
    run_tool(main)
