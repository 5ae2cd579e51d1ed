"""The same images from Python as from tools/test.py."""

import json

import numpy as np

from mmldm.apis import LatentDiffusionInferencer
from mmldm.apis.inference import Request
from mmldm.datasets.image_files import read_image


def test_python_generates_the_images_of_a_test(
    run_tool, config, work_dir, tmp_path, call_tool
):
    """Bit for bit: by default, and for every batch size where exact."""
    run_tool('train', config, '--work-dir', work_dir)
    show = tmp_path / 'show'
    run_tool(
        *('test', config, work_dir, '--work-dir', tmp_path / 'test'),
        *('--show-dir', show, '--seed', 5, '--cfg-options'),
        'test_dataloader.batch_size=3',
        'test_dataloader.dataset.num_samples=16',
    )
    wanted = [read_image(str(show / f'images/{i:06d}.png')) for i in range(16)]
    generate = LatentDiffusionInferencer(work_dir, device='cpu')
    requests = [
        Request(dict(gt_label=i % 10), (32, 32), 5, i) for i in range(16)
    ]
    ways = [dict(batch_size=n, exact=True) for n in (1, 3, 16)]
    for way in ({}, *ways):
        for image, sample in zip(
            wanted, generate.stream(requests, **way), strict=True
        ):
            assert np.array_equal(sample.pred_img.permute(1, 2, 0), image)
    rows = tmp_path / 'rows.jsonl'
    rows.write_text(
        ''.join(
            json.dumps(dict(label=i % 10, seed=5, number=i)) + '\n'
            for i in range(16)
        )
    )
    for size in (1, 3, 16):
        out = tmp_path / f'by_{size}'
        flags = ('--from', rows, '--exact', '--batch-size', size)
        call_tool('sample', work_dir, *flags, '--out', out, '--device', 'cpu')
        for i, image in enumerate(wanted):
            path = out / f'images/{i:06d}.png'
            assert np.array_equal(read_image(str(path)), image)
