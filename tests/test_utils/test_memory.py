import subprocess
import sys

import pytest

# Page faults of 64 MB, where 256 MB were freed.
PROBE = """
import resource, torch
from mmldm.utils.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**26)
before = faults()
torch.ones(2**24)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='of glibc')
def test_memory_is_used_again_without_page_faults():
    again, kept = (
        int(
            subprocess.run(
                [sys.executable, '-c', PROBE.format(keep=keep)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for keep in (False, True)
    )
    assert kept < again / 10


def test_without_glibc_nothing_is_done(monkeypatch):
    from mmldm.utils import memory

    monkeypatch.setattr(memory.ctypes, 'CDLL', lambda name: object())
    assert not memory.keep_freed_memory()
