"""Wrong values, wrong flags and damaged data, drawn at random.

    python tests/reliability/fuzz.py --runs 200

Each run takes something sound and makes one thing of it wrong: a value of a
config, a value of a flag, or bytes of a data file. The tool must say so in
one line. A run counts as

one line    it was refused as it should be
said        it went on, and a warning names what is wrong
silent      it ended as if nothing was wrong
traceback   no line that is meant for a user
hung        ten seconds of computing, or a minute of waiting
memory      more than 2 GB

What is silent is listed: some values and bytes are not wrong after all.
"""

import argparse
import json
import random
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Before numpy, whose threads it forbids.
from children import READING, Child, prepare, tool

# isort: split
import sound
from mmengine.config import Config
from report import Report
from sound_configs import DATA
from wrong import ANNOTATIONS, FLAGS, INSERTS, TOOLS, VALUES

MEMORY, BUSY, LIMIT = 2000, 10, 60
COLUMNS = (
    *('runs', 'one line', 'said', 'silent', 'traceback', 'hung', 'memory'),
)
GOOD = ('runs', 'one line', 'said', 'silent')
# In lines that say what was left out.
WARNING = re.compile('warning|left out|damaged|skipped', re.IGNORECASE)
ENDS = {'done': 'silent', 'refused': 'one line', 'killed': 'traceback'}


class Run(NamedTuple):
    """What is tried.

    Attributes:
        kind: Row of the table.
        text: What is wrong.
        work: The tool.
        name: What a warning names: a file, a key, a flag.
    """

    kind: str
    text: str
    work: Callable[[], None]
    name: str


class Fuzzer:
    """Draws runs.

    Args:
        folder: With the sound files.
        rng: Of the draws.
    """

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.sound = folder
        self.rng = rng
        self.inside = folder.parent / 'in'
        config = Config.fromfile(folder / 'digits.py').to_dict()
        self.paths = [*_leaves(config, '')]

    def draw(self) -> Run:
        """One run; its files are in ``inside``."""
        shutil.rmtree(self.inside, ignore_errors=True)
        self.inside.mkdir()
        kinds = (self.config, self.options, self.images, self.tables)
        return self.rng.choice(kinds)()

    def config(self) -> Run:
        """A key of a config with a value of another kind."""
        path, old = self.rng.choice(self.paths)
        value = self.rng.choice(
            [v for v in VALUES if type(v) is not type(old) or v != old]
        )
        given = json.dumps(value)
        return Run(
            'configs',
            f'{path}={given} (was {old!r:.60})',
            lambda: _train_with(self.sound / 'digits.py', path, value),
            path.rpartition('.')[2],
        )

    def options(self) -> Run:
        """A flag of a tool with a value that makes no sense."""
        name, *arguments = self.rng.choice(self._tools())
        flags = TOOLS[name]
        flag = self.rng.choice(flags)
        values = self.rng.choices(FLAGS, k=self.rng.choice((1, 1, 1, 2)))
        command = [*arguments, flag, *values]
        return Run(
            'flags',
            ' '.join(map(str, [name, flag, *map(repr, values)])),
            tool(name, *command),
            flag,
        )

    def _tools(self) -> list[tuple[Any, ...]]:
        model = self.sound / 'class.safetensors'
        return [
            ('sample', model, '--num', 1, '--steps', 1, '--label', 1),
            ('train', self.sound / 'digits.py', '--work-dir', 'work'),
            ('test', self.sound / 'digits.py', self.sound / 'class.pth'),
            ('model_converters/publish_model', model, 'published'),
            ('analysis_tools/browse_dataset', self.sound / 'digits.py'),
        ]

    def sound_runs(self) -> Iterator[Run]:
        """What is damaged later, whole."""
        for name, annotation, content in ANNOTATIONS:
            shutil.rmtree(self.inside, ignore_errors=True)
            shutil.copytree(self.sound / 'images', self.inside / 'images')
            (self.inside / 'images' / name).write_text(content)
            self._write_data(annotation.format(file=name))
            for work in BROWSE, TRAIN:
                yield Run('sound', name, work, name)
        work = tool('train', self.sound / 'digits.py', '--work-dir', 'work')
        yield Run('sound', 'digits.py', work, 'digits.py')

    def images(self) -> Run:
        """Images with bytes changed, cut off, or of something else."""
        shutil.copytree(self.sound / 'images', self.inside / 'images')
        path = self.inside / 'images' / f'{self.rng.choice("abcd")}.png'
        text = self._damage(path)
        if self.rng.random() < 1 / 3:
            path.rename(path.with_suffix('.jpg'))
            text += ', as .jpg'
        self._write_data('')
        work = self.rng.choice((BROWSE, TRAIN))
        return Run('images', text, work, path.stem)

    def tables(self) -> Run:
        """Captions and boxes with bytes changed or cut off."""
        shutil.copytree(self.sound / 'images', self.inside / 'images')
        name, annotation, content = self.rng.choice(ANNOTATIONS)
        path = self.inside / 'images' / name
        path.write_text(content)
        text = f'{name}: {self._damage(path)}'
        self._write_data(annotation.format(file=name))
        return Run('tables', text, self.rng.choice((BROWSE, TRAIN)), name)

    def _damage(self, path: Path) -> str:
        """Change the bytes of a file; in words."""
        content = bytearray(path.read_bytes())
        kind = self.rng.choice(('flip', 'cut', 'insert', 'noise', 'swap'))
        number = self.rng.choice((1, 3, 30))
        for _ in range(number):
            place = self.rng.randrange(len(content) or 1)
            if kind == 'flip' and content:
                content[place] = self.rng.randrange(256)
            elif kind == 'insert':
                content[place:place] = self.rng.choice(INSERTS)
            elif kind == 'swap':
                content[place : place + 2] = content[place : place + 2][::-1]
        if kind == 'cut':
            del content[self.rng.randrange(len(content)) :]
        elif kind == 'noise':
            content = bytearray(self.rng.randbytes(len(content)))
        path.write_bytes(content)
        return f'{path.name}: {kind} {number}'

    def _write_data(self, annotation: str) -> None:
        text = DATA.format(
            root=self.sound, annotation=annotation, transforms=[]
        )
        (self.inside / 'data.py').write_text(text)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of all in a config, dicts and lists too."""
    if path:
        yield path, node
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list | tuple):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        yield from _leaves(value, f'{path}.{key}'.lstrip('.'))


def _train_with(base: Path, path: str, value: Any) -> None:
    """Train by a config file with a value at a path."""
    config = Config.fromfile(base)
    *steps, last = path.split('.')
    node: Any = config._cfg_dict
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node[step]
    if isinstance(node, tuple):
        return _train_with(base, '.'.join(steps), (value,))
    node[int(last) if isinstance(node, list) else last] = value
    Path('config.py').write_text(_as_text(config))
    tool('train', 'config.py', '--work-dir', 'work')()


def _as_text(config: Config) -> str:
    """As plain assignments; mmengine's own text fails on odd values."""
    content = config._cfg_dict.to_dict()
    lines = [f'{key} = {value!r}' for key, value in content.items()]
    return 'inf, nan = float("inf"), float("nan")\n' + '\n'.join(lines)


BROWSE = tool('analysis_tools/browse_dataset', 'data.py', '--num', 4)
TRAIN = tool('train', 'data.py', '--work-dir', 'work')


def try_run(run: Run, fuzzer: Fuzzer) -> tuple[str, str]:
    """Its column, and what was printed."""
    log = fuzzer.inside.parent / 'log'
    log.unlink(missing_ok=True)
    child = Child(run.work, log, fuzzer.inside)
    outcome = child.finish(LIMIT, MEMORY, BUSY)
    end = ENDS.get(outcome.end, outcome.end)
    if end == 'silent' and any(
        run.name in line and WARNING.search(line)
        for line in outcome.log.splitlines()
    ):
        end = 'said'
    return end, outcome.log


def try_all(fuzzer: Fuzzer, runs: int, report: Report) -> None:
    """Fill the report; all but one line is printed."""
    for run in fuzzer.sound_runs():
        end, log = try_run(run, fuzzer)
        if end != 'silent':
            sys.exit(f'sound {run.text}: {end}\n{log[-2000:]}')
    for _ in range(runs):
        run = fuzzer.draw()
        end, log = try_run(run, fuzzer)
        report.add(run.kind, {'runs': 1, end: 1})
        if end not in ('one line', 'said'):
            last = log.rstrip().splitlines()[-1:]
            shown = last if end == 'traceback' else ''
            print(f'{end}: {run.kind}: {run.text} {shown}', flush=True)


def main() -> None:
    """Fuzz."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--runs', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    prepare(*READING)
    # Stopped from outside, it prints what it has.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('stopped'))
    report = Report(COLUMNS, GOOD)
    with tempfile.TemporaryDirectory(prefix='fuzz_') as name:
        folder = Path(name).resolve()
        log = folder / 'sound.log'
        work = Child(lambda: sound.write_all(folder / 'sound'), log)
        made = work.finish(300)
        assert made.end == 'done', made.log
        fuzzer = Fuzzer(folder / 'sound', random.Random(args.seed))
        try:
            try_all(fuzzer, args.runs, report)
        finally:
            print(report)
    sys.exit(not report.is_good)


if __name__ == '__main__':
    main()
