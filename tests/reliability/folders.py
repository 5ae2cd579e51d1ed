"""Poisoned folders of models and tokenizers."""

import json
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import routes
from entries import CODE, COMMAND, EXPRESSION, Entry
from opcodes import NESTED, proto
from routes import Door, give


def entries() -> Iterator[Entry]:
    """What lies beside a model."""
    yield from _tokenizers()
    yield from _model_folders()


def _tokenizers() -> Iterator[Entry]:
    for name, change in TOKENIZERS.items():
        yield Entry(
            'tokenizers of diffusers',
            name,
            partial(_change_tokenizer, change),
            routes.diffusers,
        )
        yield Entry(
            'tokenizers of model files',
            name,
            partial(_change_neighbour, change),
            lambda: routes.model('text.safetensors', '--prompt', 'a'),
        )


def _change_tokenizer(change: Callable, folder: Path) -> None:
    give('diffusers', to=folder)
    os.rename(folder / 'diffusers', folder / 'theirs')
    change(folder / 'theirs' / 'tokenizer')


def _change_neighbour(change: Callable, folder: Path) -> None:
    give('text.safetensors', 'tokenizer', to=folder)
    change(folder / 'tokenizer')


def _link(name: str, target: str) -> Callable[[Path], None]:
    def change(tokenizer: Path) -> None:
        (tokenizer / name).unlink(missing_ok=True)
        (tokenizer / name).symlink_to(target)

    return change


def _link_secret(name: str, file: str = '') -> Callable[[Path], None]:
    """To what the input has no right to: the harness puts it there."""

    def change(tokenizer: Path) -> None:
        secret = routes.SOUND.parent / 'secret' / file
        (tokenizer / name).unlink(missing_ok=True)
        (tokenizer / name).symlink_to(secret)

    return change


def _link_itself(tokenizer: Path) -> None:
    (tokenizer / 'more').symlink_to(tokenizer)


def _file(name: str, content: str) -> Callable[[Path], None]:
    return lambda tokenizer: _write(tokenizer / name, content)


def _write(path: Path, content: str) -> None:
    path.write_text(content)


def _with_code(**keys: Any) -> Callable[[Path], None]:
    """Names a class of the folder's own code."""

    def change(tokenizer: Path) -> None:
        for module in ('evil', 'tokenization_evil', 'tokenizer', '__init__'):
            _write(tokenizer / f'{module}.py', CODE)
        path = tokenizer / 'tokenizer_config.json'
        content = json.loads(path.read_text())
        _write(path, json.dumps({**content, **keys}))
        model = dict(model_type='evil', **keys)
        _write(tokenizer / 'config.json', json.dumps(model))

    return change


def _pipe(tokenizer: Path) -> None:
    (tokenizer / 'vocab.json').unlink()
    os.mkfifo(tokenizer / 'vocab.json')


def _expression(pattern: str) -> Callable[[Path], None]:
    """A regular expression that takes for ever."""

    def change(tokenizer: Path) -> None:
        path = tokenizer / 'tokenizer.json'
        content = json.loads(path.read_text())
        content['pre_tokenizer'] = dict(
            type='Split',
            pattern=dict(Regex=pattern),
            behavior='Isolated',
            invert=False,
        )
        _write(path, json.dumps(content))

    return change


TOKENIZERS: dict[str, Callable[[Path], None]] = {
    'link to a file outside': _link_secret('more.txt', 'file'),
    'link to a folder outside': _link_secret('more'),
    'vocab.json outside': _link_secret('vocab.json', 'file'),
    'tokenizer.json outside': _link_secret('tokenizer.json', 'file'),
    'link to nothing': _link('more.txt', '/nowhere/at/all'),
    'link to a device': _link('more.txt', '/dev/zero'),
    'vocab.json a device': _link('vocab.json', '/dev/zero'),
    'link to the process': _link('more', '/proc/self'),
    'link to itself': _link_itself,
    'a pipe': _pipe,
    'auto_map': _with_code(
        auto_map={'AutoTokenizer': ['evil.EvilTokenizer', None]},
        tokenizer_class='EvilTokenizer',
    ),
    'auto_map of a model': _with_code(
        auto_map={'AutoConfig': 'evil.Config', 'AutoModel': 'evil.Model'}
    ),
    'trusting': _with_code(trust_remote_code=True, code_revision='main'),
    'class of code': _with_code(tokenizer_class='os.system'),
    'class of the folder': _with_code(tokenizer_class='evil.Evil'),
    'chat_template': _with_code(
        chat_template=f'{{{{ {EXPRESSION} }}}}', bos_token=EXPRESSION
    ),
    'tokenizer_file': _with_code(tokenizer_file='/etc/passwd'),
    'vocab_file': _with_code(vocab_file='/etc/passwd', merges_file='/x'),
    'custom object': _with_code(backend='custom', _from_auto=True),
    'slow expression': _expression('(a+)+$|(b|b)*c'),
    'no expression': _expression('(((('),
    'vocab.json a list': _file('vocab.json', '[]'),
    'vocab.json of text ids': _file('vocab.json', '{"a": "os.system"}'),
    'vocab.json of large ids': _file('vocab.json', '{"a": 1000000000000}'),
    'tokenizer.json no JSON': _file('tokenizer.json', 'x'),
    'deep tokenizer.json': _file('tokenizer.json', '[' * 100_000),
    'a pickle': lambda t: (t / 'tokenizer.pkl').write_bytes(proto(4) + NESTED),
}
HELPERS = (
    *('sitecustomize.py', 'usercustomize.py', 'conftest.py', '__init__.py'),
    *('torch.py', 'mmldm.py', 'mmengine.py', 'yaml.py', 'numpy.py'),
    *('setup.py', 'pipeline.py', 'evil.pth'),
)


def _model_folders() -> Iterator[Entry]:
    """A folder somebody sent: drawing by it must not execute it."""
    for name in ('config.py', 'model.py', 'digits.py'):
        for weights in ('model.safetensors', 'iter_1.pth'):
            for poison, text in CONFIGS.items():
                yield Entry(
                    'folders with a config',
                    f'{poison} in {name} beside {weights}',
                    partial(_folder, name, text, weights),
                    lambda: routes.model('theirs', '--label', 1),
                    partial(_run, f'theirs/{name}'),
                )
    for name in HELPERS:
        for folder in ('theirs', '.'):
            yield Entry(
                'folders with code',
                f'{name} in {folder}',
                partial(_helper, folder, name),
                _commands,
            )


def _run(path: str) -> None:
    import runpy

    runpy.run_path(path)


def _folder(name: str, text: str, weights: str, folder: Path) -> None:
    (folder / 'theirs').mkdir()
    source = 'class.pth' if weights.endswith('pth') else 'class.safetensors'
    give(source, to=folder / 'theirs')
    os.rename(folder / 'theirs' / source, folder / 'theirs' / weights)
    digits = (routes.SOUND / 'digits.py').read_text()
    _write(folder / 'theirs' / name, text.format(config=digits))
    _write(folder / 'theirs' / 'evil', CODE)


CONFIGS = {
    'a statement': CODE + '\n{config}',
    'an expression': f'{{config}}\nx = {EXPRESSION}\n',
    'an import': 'import os\n{config}\nos.system("' + COMMAND + '")\n',
    'a lambda': f'{{config}}\ny = (lambda: {EXPRESSION})()\n',
    'a comprehension': f'{{config}}\nz = [{EXPRESSION} for _ in "a"]\n',
}


def _helper(where: str, name: str, folder: Path) -> None:
    give('diffusers', to=folder)
    os.rename(folder / 'diffusers', folder / 'theirs')
    text = f'import os; {EXPRESSION}' if name.endswith('.pth') else CODE
    _write(folder / where / name, f'{text}\n')


def _commands() -> list[Door]:
    """As typed in that folder, by another interpreter."""
    flags = ('--prompt', 'a', '--num', 1, '--steps', 1, '--out', 'drawn')
    return [Door(routes.typed('sample.py', 'theirs', *flags))]
