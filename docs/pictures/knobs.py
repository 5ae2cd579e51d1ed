"""Draw the strips of docs/en/sampling.md with the model of the quickstart.

Usage: python docs/pictures/knobs.py work_dirs/quickstart/ldm OUT_DIR

Each strip changes one setting and keeps the noise. It takes a few minutes on
a CPU.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from strips import draw_strips

from mmldm.apis import LatentDiffusionInferencer

DIGITS = [*range(10)]


SOLVERS = ('DDIM', 'Euler', 'Heun', 'DPMSolverPP', 'UniPC', 'IPNDM')
GRIDS = (
    'LeadingGrid',
    'TrailingGrid',
    'KarrasGrid',
    'LogSNRGrid',
    'EqualErrorGrid',
)
STRIPS = dict(
    steps=[dict(steps=n) for n in (2, 3, 5, 10, 15, 50)],
    solver=[dict(solver=name, steps=5) for name in SOLVERS],
    random=[
        dict(solver=name, steps=20) for name in ('DDPM', 'EulerAncestral')
    ],
    grid=[dict(grid=name, steps=5) for name in GRIDS],
    scale=[dict(guidance_scale=x) for x in (1.0, 1.5, 2.0, 4.0, 8.0)],
    rescale=[
        dict(guidance_scale=8.0, guidance_rescale=x) for x in (0, 0.5, 1)
    ],
    interval=[
        dict(guidance_scale=8.0, guidance_interval=x)
        for x in ((0, 1000), (0.3, 5), (0, 1), (1, 1000))
    ],
    seed=[dict(seed=n) for n in range(4)],
    negative=[dict(negative=n) for n in (None, 1, 8)],
)
STRENGTH = 'strength'


def main() -> None:
    """Draw a strip for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', help='work directory of the digits model')
    parser.add_argument('out', type=Path, help='folder of the strips')
    names = [*STRIPS, STRENGTH]
    parser.add_argument(
        '--only', nargs='+', choices=names, default=names, metavar='STRIP'
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    draw = Strips(LatentDiffusionInferencer(args.model), args.out)
    for name in args.only:
        if name == STRENGTH:
            draw.strength((0.2, 0.4, 0.6, 0.8, 1.0))
        else:
            draw.each(name, STRIPS[name])


class Strips:
    """Rows of digits that differ by one setting."""

    def __init__(self, generate: LatentDiffusionInferencer, out: Path) -> None:
        self.generate = generate
        self.out = out

    def each(self, name: str, settings: Iterable[dict]) -> None:
        """A row of the ten digits for each setting."""
        rows = {}
        for arguments in settings:
            given = {'label': DIGITS, 'seed': 4, **arguments}
            title = ', '.join(
                f'{key.removeprefix("guidance_")} {value}'
                for key, value in arguments.items()
            )
            rows[title] = [np.asarray(image) for image in self.draw(given)]
        draw_strips(rows, self.out / f'{name}.png')

    def draw(self, given: dict) -> list:
        """Images; a setting of None is left out."""
        chosen = {k: v for k, v in given.items() if v is not None}
        return self.generate(num=1, **chosen)

    def strength(self, strengths: Iterable[float]) -> None:
        """A three, varied by more and more, towards every digit."""
        (three,) = self.generate(label=3, num=1, seed=4)
        rows = {}
        for strength in strengths:
            images = self.generate.vary(
                three, strength=strength, label=DIGITS, num=1
            )
            rows[f'strength {strength:g}'] = [np.asarray(i) for i in images]
        draw_strips(
            {'from': [np.asarray(three)], **rows}, self.out / 'strength.png'
        )


if __name__ == '__main__':
    main()
