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


def main() -> None:
    """Draw a strip for each setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', help='work directory of the digits model')
    parser.add_argument('out', type=Path, help='folder of the strips')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    draw = Strips(LatentDiffusionInferencer(args.model), args.out)
    draw.each('steps', ({'steps': n} for n in (2, 3, 5, 10, 15, 50)))
    solvers = ('DDIM', 'Euler', 'Heun', 'DPMSolverPP', 'UniPC', 'IPNDM')
    draw.each('solver', ({'solver': n, 'steps': 5} for n in solvers))
    random = ('DDPM', 'EulerAncestral')
    draw.each('random', ({'solver': n, 'steps': 50} for n in random))
    grids = ('LeadingGrid', 'TrailingGrid', 'KarrasGrid', 'LogSNRGrid')
    draw.each(
        'grid', ({'grid': n, 'steps': 5} for n in (*grids, 'EqualErrorGrid'))
    )
    scales = (1.0, 1.5, 2.0, 4.0, 8.0)
    draw.each('scale', ({'guidance_scale': n} for n in scales))
    draw.each(
        'rescale',
        ({'guidance_scale': 8.0, 'guidance_rescale': r} for r in (0, 0.5, 1)),
    )
    intervals = ((0, 1000), (0.3, 5), (0, 1), (1, 1000))
    draw.each(
        'interval',
        ({'guidance_scale': 8.0, 'guidance_interval': i} for i in intervals),
    )
    draw.each('seed', ({'seed': n} for n in range(4)))
    draw.each('negative', ({'negative': n} for n in (None, 1, 8)))
    draw.strength((0.2, 0.4, 0.6, 0.8, 1.0))


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
