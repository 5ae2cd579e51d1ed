"""Shards on servers: the samples of local ones, whatever the server does."""

import http.server
import io
import re
import tarfile
import threading
import time
from contextlib import contextmanager

import fsspec
import numpy as np
import pytest
from PIL import Image

from mmldm.datasets import AddressedIndex, ImageShards, image_dataset
from mmldm.datasets.transforms import LoadImage
from mmldm.utils import block_cache, remote_files
from mmldm.utils.remote_files import RemoteError, expanded, read_range


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Short waits, small blocks, and a cache of its own."""
    monkeypatch.setenv('MMLDM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(remote_files, 'BACKOFF', 0.01)
    monkeypatch.setattr(remote_files, 'TIMEOUT', 5.0)
    monkeypatch.setattr(block_cache, 'BLOCK', 4096)
    block_cache._stamp.cache_clear()


@pytest.fixture
def shards(tmp_path):
    """A folder of two shards with three captioned images each."""
    folder = tmp_path / 'shards'
    folder.mkdir()
    for shard in range(2):
        with tarfile.open(folder / f'{shard}.tar', 'w') as file:
            for i in range(3):
                for name, content in (
                    (f'{i}.png', png(3 * shard + i)),
                    (f'{i}.txt', f'number {i}'.encode()),
                ):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    file.addfile(member, io.BytesIO(content))
    return folder


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3))
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, 'PNG')
    return file.getvalue()


class Handler(http.server.SimpleHTTPRequestHandler):
    """A web server with ranges, and with the faults of ``server.fault``."""

    def do_GET(self):
        content = self.server.files.get(self.path.lstrip('/'))
        if content is None:
            return self.send_error(404)
        self.server.asked.append(self.path)
        given = re.match(r'bytes=(\d+)-(\d+)', self.headers.get('Range', ''))
        if given:
            content = content[int(given[1]) : int(given[2]) + 1]
        if self.server.fault(self, len(self.server.asked)):
            return None
        self.answer(206 if given else 200, content)

    def do_HEAD(self):
        content = self.server.files.get(self.path.lstrip('/'))
        if content is None:
            return self.send_error(404)
        self.answer(200, b'', len(content))

    def answer(self, code, content, length=None):
        self.send_response(code)
        self.send_header('Content-Length', str(length or len(content)))
        self.send_header('Accept-Ranges', 'bytes')
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def served(folder, fault=lambda handler, count: False):
    pytest.importorskip('aiohttp')
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    server.files = {p.name: p.read_bytes() for p in folder.iterdir()}
    server.asked, server.fault = [], fault
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server, f'http://127.0.0.1:{server.server_port}/{{0..1}}.tar'
    finally:
        server.shutdown()
        server.server_close()


def samples(root):
    """What a training from its second position on reads."""
    data = ImageShards(str(root), [LoadImage()])
    order = [4, 0, 5, 2]
    found = [
        data[AddressedIndex(i, seed=1, epoch=0, position=2 + n)]
        for n, i in enumerate(order)
    ]
    return [(s['img'].tolist(), s['captions'], s['address']) for s in found]


def test_samples_are_those_of_local_shards(shards):
    store = fsspec.filesystem('memory')
    for path in shards.iterdir():
        store.pipe(f'/{shards.name}/{path.name}', path.read_bytes())
    expected = samples(shards)
    assert samples(f'memory://{shards.name}') == expected
    with served(shards) as (server, url):
        assert samples(url) == expected
        count = len(server.asked)
        assert samples(url) == expected  # from the cache
        assert len(server.asked) == count


def broken(handler, count):
    """Closes the connection at every second request."""
    if count % 2:
        handler.close_connection = True
        return True
    return False


def cut(handler, count):
    """Sends half of the content at every second request."""
    if count % 2:
        handler.answer(206, b'0' * 10)
        return True
    return False


def error(handler, count):
    """Answers 503 at every second request."""
    if count % 2:
        handler.send_error(503)
    return bool(count % 2)


def slow(handler, count):
    """Does not answer every third request in time."""
    if count % 3 == 1:
        time.sleep(1.0)
    return False


@pytest.mark.parametrize('fault', [broken, cut, error, slow])
def test_a_faulty_server_gives_the_same_samples(shards, fault, monkeypatch):
    expected = samples(shards)
    if fault is slow:
        monkeypatch.setattr(remote_files, 'TIMEOUT', 0.5)
    with served(shards, fault) as (_, url):
        assert samples(url) == expected


def test_a_dead_server_is_named(shards, monkeypatch):
    with served(shards) as (_, url):
        data = ImageShards(url, [LoadImage()])
        data.full_init()
    monkeypatch.setattr(block_cache.BlockCache, 'get', lambda *_: None)
    with pytest.raises(RemoteError, match='0.tar cannot be read in 5 tries'):
        data[0]
    block_cache._stamp.cache_clear()
    with pytest.raises(RemoteError, match='0.tar cannot be read in 5 tries'):
        ImageShards(url, [LoadImage()]).full_init()


def test_a_shard_that_is_missing_is_named_at_once(shards):
    (shards / '1.tar').unlink()
    with served(shards) as (_, url), pytest.raises(RemoteError) as raised:
        ImageShards(url, [LoadImage()]).full_init()
    assert '1.tar does not exist: correct data_root' in str(raised.value)


def test_a_server_without_ranges_is_refused(shards, monkeypatch):
    with served(shards) as (server, url):
        monkeypatch.setattr(
            Handler,
            'do_GET',
            lambda self: self.answer(200, server.files['0.tar']),
        )
        with pytest.raises(ValueError, match='one with range requests'):
            read_range(expanded(url)[0], 512, 100)


def test_an_index_of_remote_shards_serves_later_starts(shards, monkeypatch):
    monkeypatch.setattr(image_dataset, 'LEAST_INDEXED', 1)
    with served(shards) as (server, url):
        ImageShards(url, [LoadImage()]).full_init()
        count = len(server.asked)
        again = ImageShards(url, [LoadImage()])
        assert len(again) == 6
        assert len(server.asked) == count
        server.files['1.tar'] = server.files['1.tar'] + bytes(1024)
        block_cache._stamp.cache_clear()
        ImageShards(url, [LoadImage()]).full_init()
        assert len(server.asked) > count


def test_the_cache_keeps_the_newest_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(block_cache, 'BETWEEN', 1)
    cache = block_cache.BlockCache(tmp_path, size=300)
    for number in range(5):
        cache.put('file', number, bytes(100))
        time.sleep(0.01)
        cache.get('file', 0)
        time.sleep(0.01)
    kept = [n for n in range(5) if cache.get('file', n) is not None]
    assert kept == [0, 3, 4]


def test_a_cache_that_cannot_be_written_says_so_once(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(
        block_cache, 'print_log', lambda line, *_: lines.append(line)
    )
    folder = tmp_path / 'a file'
    folder.touch()
    cache = block_cache.BlockCache(folder, size=300)
    for number in range(2):
        cache.put('file', number, bytes(100))
        assert cache.get('file', number) is None
    (line,) = lines
    assert line.startswith(f'{folder} cannot keep blocks of remote files')


def test_a_block_that_is_cut_off_is_read_again(tmp_path):
    content = bytes(range(256)) * 20  # a block, and a part of one
    fsspec.filesystem('memory').pipe('/cut/file', content)
    cache = block_cache.BlockCache(tmp_path / 'blocks', 1e9)
    assert block_cache.RemoteFile('memory://cut/file', cache).read() == content
    for path in (tmp_path / 'blocks').glob('*/*'):
        path.write_bytes(path.read_bytes()[:10])
    file = block_cache.RemoteFile('memory://cut/file', cache)
    assert file._block(0, 1) + file._block(1, 2) == content


def test_reading_in_order_reads_ahead(shards, monkeypatch):
    monkeypatch.setattr(block_cache, 'BLOCK', 1024)
    with served(shards) as (server, url):
        file = block_cache.RemoteFile(
            expanded(url)[0], block_cache.BlockCache(shards / 'x', 1e9)
        )
        content = file.read(file.size)
        file.seek(0)
        while file.read(512):
            pass
        assert content == server.files['0.tar']
        assert len(server.asked) == 1
        other = block_cache.RemoteFile(
            expanded(url)[1], block_cache.BlockCache(shards / 'x', 1e9)
        )
        while other.read(512):
            pass
    assert len(server.asked) - 1 < other.size / block_cache.BLOCK / 2


@pytest.mark.parametrize(
    'url, names',
    [
        ('http://a/{08..11}.tar', ['08', '09', '10', '11']),
        ('http://a/{0..1}{3..4}.tar', ['03', '04', '13', '14']),
        ('http://a/7.tar', ['7']),
    ],
)
def test_ranges_in_braces(url, names):
    assert expanded(url) == [f'http://a/{name}.tar' for name in names]


def test_an_unknown_kind_of_url_is_refused():
    with pytest.raises(ValueError, match='nothing:// is unknown to fsspec'):
        ImageShards('nothing://a', [LoadImage()]).full_init()


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_kind_of_url_that_needs_settings_says_where():
    with pytest.raises(ValueError, match=r"'host'.* ~/.config/fsspec/conf"):
        ImageShards('ftp://server/a', [LoadImage()]).full_init()
