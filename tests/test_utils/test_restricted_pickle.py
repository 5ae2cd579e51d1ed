"""Poisoned checkpoints: nothing runs, and what they name is told."""

import pickle
import zipfile

import pytest
import torch

from mmldm.utils import restricted_pickle

MAGIC = (0x1950A86A20F9469CFC6C, 1001)
HOSTILE = [
    'os.system',
    'posix.system',
    'nt.system',
    'builtins.eval',
    'builtins.exec',
    'builtins.getattr',
    'builtins.__import__',
    'builtins.open',
    '__builtin__.eval',
    'subprocess.Popen',
    'subprocess.run',
    'sys.exit',
    'importlib.import_module',
    'runpy.run_path',
    'pty.spawn',
    'socket.socket',
    'shutil.rmtree',
    'webbrowser.open',
    'code.InteractiveInterpreter',
    'ctypes.CDLL',
    'operator.attrgetter',
    'functools.partial',
    'pickle.loads',
    'io.FileIO',
    'pathlib.os',
    'collections.abc.sys',
    'pip.main',
    'torch.load',
    'torch.hub.load',
    'torch.storage._load_from_bytes',
    'torch.utils.cpp_extension.load',
    'torch.jit.load',
    'torch._utils.sys',
    'torch.os.system',
    'numpy.load',
    'numpy.testing._private.utils.runstring',
    'pytorch_lightning.os.system',
    'omegaconf.OmegaConf.load',
    'yaml.unsafe_load',
    'joblib.load',
    'evil.run',
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'model.ckpt'


@pytest.fixture
def executed(tmp_path):
    """What the poison makes."""
    return tmp_path / 'executed'


def poison(path, code, legacy):
    """A file of torch's whose pickle is ``code``."""
    if legacy:
        system = dict(protocol_version=1001, little_endian=True, type_sizes={})
        parts = [pickle.dumps(p, 2) for p in (*MAGIC, system)]
        path.write_bytes(b''.join([*parts, code, pickle.dumps([], 2)]))
    else:
        with zipfile.ZipFile(path, 'w') as archive:
            archive.writestr('archive/data.pkl', code)
            archive.writestr('archive/data/0', bytes(64))


def text(value):
    """The opcode that pushes a string."""
    return b'X' + len(value).to_bytes(4, 'little') + value.encode()


# Ways to call MODULE.NAME(ARGUMENT), or to bring it into play.
WAYS = {
    'reduce': '{name} ( {argument} t R',
    'newobj': '{name} ( {argument} t NEWOBJ',
    'newobj_ex': '{name} ( {argument} t } NEWOBJ_EX',
    'inst': '( {argument} {inst}',
    'obj': '( {name} {argument} o',
    'stack_global': '{strings} STACK_GLOBAL ( {argument} t R',
    'build': '{name} } {a} {argument} s b',
    'storage': '( {storage} {name} {a} {a} 4 t Q',
    'weight': '} {state_dict} } {a} {name} ( {argument} t R s s',
    'class as key': '} {name} 4 s',
}
OPCODES = {
    'NEWOBJ': b'\x81',
    'NEWOBJ_EX': b'\x92',
    'STACK_GLOBAL': b'\x93',
    '4': b'K\x04',
}


def call(name, argument='', way='reduce'):
    """A pickle of one of the ways."""
    module, _, function = name.rpartition('.')
    values = {
        '{name}': f'c{module}\n{function}\n'.encode(),
        '{inst}': f'i{module}\n{function}\n'.encode(),
        '{strings}': text(module) + text(function),
        '{argument}': text(argument),
        **{f'{{{t}}}': text(t) for t in ('a', 'storage', 'state_dict')},
        **OPCODES,
    }
    steps = [values.get(step, step.encode()) for step in WAYS[way].split()]
    return b'\x80\x04' + b''.join(steps) + b'.'


@pytest.mark.parametrize('name', HOSTILE)
def test_what_could_do_harm_is_refused_by_name(path, refusal, name, legacy):
    poison(path, call(name, 'touch executed'), legacy)
    shown = name.replace('__builtin__', 'builtins')
    assert f'asks for {shown}, which weights do not need' in refusal(path)


@pytest.mark.parametrize('way', WAYS)
def test_it_is_refused_however_it_is_called(
    path, refusal, executed, way, legacy
):
    code = call('os.system', f'touch {executed}', way)
    poison(path, code, legacy)
    assert 'asks for os.system' in refusal(path)
    assert not executed.exists()


@pytest.mark.parametrize('way', ['reduce', 'inst', 'obj', 'stack_global'])
def test_the_danger_is_real(executed, way):
    """Plain pickle runs it."""
    pickle.loads(call('os.system', f'touch {executed}', way))
    assert executed.exists()


def test_a_walk_through_attributes_is_refused(path, refusal, legacy):
    for module, name in (
        ('torch', 'os.system'),
        ('torch._utils', 'sys.exit'),
        ('pytorch_lightning', 'subprocess.Popen'),
        ('os', 'path.join'),
        ('collections', 'abc.sys.exit'),
    ):
        code = b'\x80\x04' + text(module) + text(name) + b'\x93)R.'
        poison(path, code, legacy)
        assert f'asks for {module}.{name},' in refusal(path)


class Code:
    """Unpickled, it runs."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return exec, (self.code,)


def test_a_poisoned_callback_spoils_the_file(path, refusal, executed, legacy):
    content = dict(
        state_dict=dict(a=torch.ones(1)),
        callbacks=[Code(f'open({str(executed)!r}, "w")')],
    )
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert 'asks for builtins.exec' in refusal(path)
    assert not executed.exists()


def test_the_other_pickles_of_an_old_file_are_read_so(path, refusal, executed):
    path.write_bytes(call('os.system', f'touch {executed}'))
    assert 'asks for os.system' in refusal(path)
    torch.save({}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    assert whole.endswith(pickle.dumps([], 2))
    keys = call('os.system', f'touch {executed}')
    path.write_bytes(whole.removesuffix(pickle.dumps([], 2)) + keys)
    assert 'asks for os.system' in refusal(path)
    assert not executed.exists()


def test_a_stand_in_does_nothing_whatever_is_done_to_it(path, refusal):
    """Calls, states, items: of objects and of the class itself."""
    before = {
        kind: dict(vars(kind)) for kind in restricted_pickle.KNOWN.values()
    }
    names = [b'cmain\nThing\n', b'ccollections\nOrderedDict\n']
    names += [b'ctorch\nFloatStorage\n', b'ctorch._utils\n_rebuild_tensor\n']
    state = b'N}' + text('__init__') + b'cmain\nOther\ns\x86b'
    for name in names:
        for code in (
            name + state,
            name + b'}' + text('a') + b'K\x01sb',
            b'cmain\nThing\n)R' + state + b')R',
            b'cmain\nThing\n)RK\x01K\x02s',
            b'cmain\nThing\n)R(K\x01e',
            b'\x80\x04cmain\nThing\n)R(K\x01\x90',
        ):
            poison(path, code + b'.', legacy=False)
            assert 'holds a ' in refusal(path)
    for kind, attributes in before.items():
        assert dict(vars(kind)) == attributes


@pytest.mark.parametrize(
    'pid',
    [
        b'(' + text('storage') + b'K\x00' + text('0') * 2 + b'K\x04t',
        b'(' + text('storage') + b'cmain\nA\n' + text('0') * 2 + b'K\x04t',
        b'(' + text('file') + text('/etc/passwd') + b't',
        text('/etc/passwd'),
        b'(' + text('storage') + b't',
    ],
)
def test_a_reference_to_anything_but_a_storage_is_refused(
    path, refusal, pid, legacy
):
    poison(path, b'\x80\x02' + pid + b'Q.', legacy)
    assert 'which is no storage' in refusal(path)


@pytest.mark.parametrize('code', [b'r\x40\x42\x0f\x00', b'p1000000\n'])
def test_a_number_that_no_object_has_is_refused(path, refusal, code, legacy):
    """Python's reader makes room for all below: 16 bytes each."""
    poison(path, b'}' + code + b'.', legacy)
    assert 'it has no object number 1000000' in refusal(path)


def doubled(times):
    """A tuple of two tuples of two ..., each pair one object."""
    code = b'\x80\x02)q\x00'
    for i in range(times):
        code += b'h%ch%c\x86q%c' % (i, i, i + 1)
    return code


def test_a_message_is_no_longer_than_a_line(path, refusal):
    """Written out, what the file refers to has 2^60 parts."""
    start = doubled(60)
    poison(path, start + b'Q.', legacy=False)
    assert 'which is no storage' in refusal(path)
    storage = b'ctorch\nFloatStorage\n' + text('0') * 2 + b'K\x00'
    storage = b'(' + text('storage') + storage + b'tQ'
    view = b'ctorch._utils\n_rebuild_tensor\n(' + storage + b'K\x00h\x3c)tR'
    poison(path, start + b'}' + text('a') + view + b's.', legacy=False)
    assert 'a: shape (((((((...), (...)),' in refusal(path)
