"""Pickles, opcode by opcode."""

import struct
from typing import Any

from entries import CODE, COMMAND

MARK, STOP, POP, REDUCE, BUILD = b'(', b'.', b'0', b'R', b'b'
EMPTY_TUPLE, EMPTY_DICT, EMPTY_LIST = b')', b'}', b']'


def proto(number: int) -> bytes:
    """The header."""
    return bytes([0x80, number])


def text(value: str) -> bytes:
    """A string."""
    encoded = value.encode()
    return b'X' + struct.pack('<I', len(encoded)) + encoded


def name(module: str, attribute: str) -> bytes:
    """GLOBAL."""
    return f'c{module}\n{attribute}\n'.encode()


def stacked(module: str, attribute: str) -> bytes:
    """STACK_GLOBAL."""
    return text(module) + text(attribute) + b'\x93'


def value(what: Any) -> bytes:
    """A plain value; bytes are opcodes already."""
    match what:
        case bytes():
            return what
        case str():
            return text(what)
        case None:
            return b'N'
        case bool():
            return b'\x88' if what else b'\x89'
        case int():
            return b'J' + struct.pack('<i', what)
        case tuple():
            return MARK + b''.join(map(value, what)) + b't'
        case list():
            return EMPTY_LIST + MARK + b''.join(map(value, what)) + b'e'
        case dict():
            items = [value(x) for pair in what.items() for x in pair]
            return EMPTY_DICT + MARK + b''.join(items) + b'u'
    raise TypeError(type(what))


def call(module: str, attribute: str, *arguments: Any) -> bytes:
    """GLOBAL and REDUCE."""
    return name(module, attribute) + value(arguments) + REDUCE


SYSTEM = name('os', 'system')
ARGUMENT = value((COMMAND,))
TOUCH = ['touch', 'CANARY']
# What NEWOBJ executes: a class whose __new__ makes a file.
FILE = value(('CANARY', 'uint8', 'w+', 0, (1,)))
MEMMAP = name('numpy', 'memmap')


def _raw_bytes(content: bytes) -> bytes:
    return b'B' + struct.pack('<I', len(content)) + content


NESTED = SYSTEM + ARGUMENT + REDUCE + STOP
TAGGED = f'!!python/object/apply:os.system [{COMMAND}]'
# Functions that run a command, evaluate a text, or make a file.
CALLS: dict[str, bytes] = {
    f'{module}.{attribute}': call(module, attribute, *arguments)
    for module, attribute, *arguments in (
        ('os', 'system', COMMAND),
        ('posix', 'system', COMMAND),
        ('os', 'popen', COMMAND),
        ('os', 'mkdir', 'CANARY'),
        ('os', 'makedirs', 'CANARY/a'),
        ('os', 'mknod', 'CANARY'),
        ('os', 'symlink', '/', 'CANARY'),
        ('subprocess', 'call', TOUCH),
        ('subprocess', 'run', TOUCH),
        ('subprocess', 'Popen', TOUCH),
        ('subprocess', 'check_output', TOUCH),
        ('subprocess', 'getoutput', COMMAND),
        ('_posixsubprocess', 'fork_exec'),
        ('builtins', 'eval', CODE),
        ('builtins', 'exec', CODE),
        ('builtins', 'open', 'CANARY', 'w'),
        ('__builtin__', 'eval', CODE),
        ('__builtin__', 'file', 'CANARY', 'w'),
        ('io', 'open', 'CANARY', 'w'),
        ('_io', 'FileIO', 'CANARY', 'w'),
        ('codecs', 'open', 'CANARY', 'w'),
        ('gzip', 'open', 'CANARY', 'w'),
        ('bz2', 'open', 'CANARY', 'w'),
        ('lzma', 'open', 'CANARY', 'w'),
        ('zipfile', 'ZipFile', 'CANARY', 'w'),
        ('tarfile', 'open', 'CANARY', 'w'),
        ('sqlite3', 'connect', 'CANARY'),
        ('dbm.dumb', 'open', 'CANARY', 'c'),
        ('shelve', 'open', 'CANARY'),
        ('logging', 'FileHandler', 'CANARY'),
        ('shutil', 'copyfile', '/etc/hostname', 'CANARY'),
        ('timeit', 'timeit', CODE, 'pass', name('time', 'time'), 1),
        ('cProfile', 'run', CODE),
        ('profile', 'run', CODE),
        ('pickle', 'loads', _raw_bytes(NESTED)),
        ('_pickle', 'loads', _raw_bytes(NESTED)),
        ('importlib', 'import_module', 'evil'),
        ('builtins', '__import__', 'evil'),
        ('runpy', 'run_path', 'evil.py'),
        ('runpy', 'run_module', 'evil'),
        ('pydoc', 'importfile', 'evil.py'),
        ('pydoc', 'pipepager', 'text', 'cat > CANARY'),
        ('ctypes', 'CDLL', './evil.so'),
        ('numpy', 'load', 'evil.npy', None, True),
        ('numpy', 'save', 'CANARY', 1),
        ('numpy.testing._private.utils', 'runstring', CODE, {}),
        ('numpy.f2py.crackfortran', 'myeval', CODE, {}, {}),
        ('torch', 'load', 'evil.pt', None, None, False),
        ('torch', 'save', 1, 'CANARY'),
        ('torch.utils.collect_env', 'run', COMMAND),
        ('torch.jit.unsupported_tensor_ops', 'execWrapper', CODE, {}, {}),
        ('torch.storage', '_load_from_bytes', _raw_bytes(NESTED)),
        ('mmengine.config', 'Config.fromfile', 'evil.py'),
        ('mmengine.fileio', 'load', 'evil.pkl'),
        ('mmengine.fileio', 'dump', 1, 'CANARY.json'),
        ('mmengine.utils', 'import_modules_from_strings', ['evil']),
        ('mmengine.utils', 'mkdir_or_exist', 'CANARY'),
        ('yaml', 'unsafe_load', TAGGED),
        ('joblib', 'load', 'evil.pkl'),
        ('setuptools._distutils.spawn', 'spawn', TOUCH),
        ('sympy', 'sympify', f'eval({CODE!r})'),
        ('matplotlib', 'rc_file', 'evil.py'),
        ('cv2', 'imwrite', 'CANARY.png', name('numpy', 'pi')),
        ('PIL.Image', 'open', 'evil.eps'),
    )
}
# Ways of calling.
FORMS: dict[str, bytes] = {
    'GLOBAL REDUCE': SYSTEM + ARGUMENT + REDUCE,
    'STACK_GLOBAL REDUCE': stacked('os', 'system') + ARGUMENT + REDUCE,
    'dotted STACK_GLOBAL': stacked('torch.serialization', 'os.system')
    + ARGUMENT
    + REDUCE,
    'dotted GLOBAL': call('torch.serialization', 'os.system', COMMAND),
    'dotted in an allowed module': stacked('collections', '_sys.modules'),
    'INST': MARK + text(COMMAND) + b'ios\nsystem\n',
    'OBJ': MARK + SYSTEM + text(COMMAND) + b'o',
    'NEWOBJ': MEMMAP + FILE + b'\x81',
    'NEWOBJ_EX': MEMMAP + FILE + EMPTY_DICT + b'\x92',
    'copyreg.__newobj__': name('copyreg', '__newobj__')
    + value((MEMMAP, 'CANARY', 'uint8', 'w+', 0, (1,)))
    + REDUCE,
    'BUILD of __setstate__': name('argparse', 'Namespace')
    + EMPTY_TUPLE
    + b'\x81'
    + value({'__setstate__': SYSTEM})
    + BUILD
    + text(COMMAND)
    + BUILD,
    'getattr': name('builtins', 'getattr')
    + value((call('builtins', '__import__', 'os'), 'system'))
    + REDUCE
    + ARGUMENT
    + REDUCE,
    'attrgetter': call('operator', 'attrgetter', 'system')
    + value((call('builtins', '__import__', 'os'),))
    + REDUCE
    + ARGUMENT
    + REDUCE,
    'methodcaller': call('operator', 'methodcaller', 'system', COMMAND)
    + value((call('builtins', '__import__', 'os'),))
    + REDUCE,
    'partial': name('functools', 'partial')
    + value((SYSTEM, COMMAND))
    + REDUCE
    + EMPTY_TUPLE
    + REDUCE,
    'map': call(
        'builtins', 'list', call('builtins', 'map', SYSTEM, [COMMAND])
    ),
    'defaultdict': call('collections', 'defaultdict', SYSTEM),
    'deque of map': call(
        'collections', 'deque', call('builtins', 'map', SYSTEM, [COMMAND])
    ),
    'memo PUT GET': SYSTEM + b'p7\n0g7\n' + ARGUMENT + REDUCE,
    'memo BINPUT BINGET': SYSTEM + b'q\x070h\x07' + ARGUMENT + REDUCE,
    'memo LONG_BINPUT': SYSTEM
    + b'r\x07\0\0\x000j\x07\0\0\0'
    + ARGUMENT
    + REDUCE,
    'MEMOIZE': SYSTEM + b'\x940h\0' + ARGUMENT + REDUCE,
    'DUP': SYSTEM + b'20' + ARGUMENT + REDUCE,
    'EXT1': b'\x82\x01' + ARGUMENT + REDUCE,
    'EXT2': b'\x83\x01\x02' + ARGUMENT + REDUCE,
    'EXT4': b'\x84\x01\x02\x03\x00' + ARGUMENT + REDUCE,
    'key of a dict': EMPTY_DICT + SYSTEM + ARGUMENT + REDUCE + b'Ns',
    'in a set': b'\x8f' + MARK + SYSTEM + ARGUMENT + REDUCE + b'\x90',
    'in a frozenset': MARK + SYSTEM + ARGUMENT + REDUCE + b'\x91',
    'APPENDS to a class': name('collections', 'deque')
    + MARK
    + SYSTEM
    + ARGUMENT
    + REDUCE
    + b'e',
    'BINPERSID': SYSTEM + ARGUMENT + REDUCE + b'Q',
    'PERSID': b'Pos.system\n',
    'READONLY_BUFFER': b'\x97\x98' + SYSTEM + ARGUMENT + REDUCE,
    'FRAME': b'\x95' + struct.pack('<Q', 8) + SYSTEM + ARGUMENT + REDUCE,
}
# Not executed, and hard to swallow.
BURDENS: dict[str, bytes] = {
    'memo number 2^32': b'Nr\xff\xff\xff\xff',
    'memo number 10^12': b'Np1000000000000\n',
    'negative memo number': b'Np-1\n',
    'bytes of 2^62': b'\x8e' + struct.pack('<Q', 2**62),
    'bytes of 2^40': b'\x8e' + struct.pack('<Q', 2**40),
    'text of 2^40': b'\x8d' + struct.pack('<Q', 2**40),
    'bytearray of 2^36': b'\x96' + struct.pack('<Q', 2**36),
    'frame of 2^60': b'\x95' + struct.pack('<Q', 2**60) + b'N',
    'long of 2^31': b'\x8b' + struct.pack('<i', 2**31 - 1),
    'negative long': b'\x8b' + struct.pack('<i', -5),
    'million digits': b'I' + b'9' * 1_000_000 + b'\n',
    'long of a million digits': b'L' + b'9' * 1_000_000 + b'L\n',
    'bytearray by REDUCE': call('builtins', 'bytearray', 2**31 - 1),
    'range list': call(
        'builtins', 'list', call('builtins', 'range', 2**31 - 1)
    ),
    'empty stack': b'0000',
    'no mark': b't',
    'unknown opcode': b'\xff',
    'lists in lists': EMPTY_LIST * 100_000 + b'a' * 99_999,
    'tuples in tuples': b')' + b'\x85' * 100_000,
    'dicts in dicts': b'}' + b'N}' * 50_000 + b's' * 50_000,
    'marks': b'(' * 1_000_000,
    'doubling tuples': b')' + b'2\x86' * 60,
    'doubling lists': b']' + b'2\x86' * 40,
    'self-containing list': b']q\x01h\x01a',
    'self-containing dict': b'}q\x01Nh\x01s',
    'BUILD of a number': b'K\x01}b',
    'REDUCE of a number': b'K\x01)R',
    'NEWOBJ of a number': b'K\x01)\x81',
    'int that is no int': b'Ixyz\n',
    'float that is no float': b'Fxyz\n',
    'text that is no UTF-8': b'X\x02\0\0\0\xff\xfe',
    'surrogate text': b'X\x03\0\0\0\xed\xa0\x80',
    'proto 255': b'\x80\xff',
    'unterminated GLOBAL': b'cos',
    'GLOBAL without names': b'c\n\n',
    'GLOBAL of a space': b'c \n \n',
}
