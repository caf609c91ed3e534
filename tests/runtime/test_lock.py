import os
import stat
import subprocess
import sys

import pytest

from p2pcommerce.runtime.lock import LOCK_FILE, DataDirectoryError, DirectoryInUseError, DirectoryLock

HOLDER = """
import sys
from p2pcommerce.runtime.lock import DirectoryLock
lock = DirectoryLock.acquire(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_holder_is_refused_with_the_process_id(tmp_path):
    with DirectoryLock.acquire(tmp_path):
        with pytest.raises(DirectoryInUseError) as caught:
            DirectoryLock.acquire(tmp_path)
        assert str(caught.value).startswith(f"{tmp_path}: is in use by process {os.getpid()}; stop it first")


def test_the_lock_can_be_taken_again_after_release(tmp_path):
    lock = DirectoryLock.acquire(tmp_path)
    lock.release()
    lock.release()
    DirectoryLock.acquire(tmp_path).release()


def test_the_lock_goes_with_a_killed_process(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DirectoryInUseError, match=f"process {holder.pid};"):
            DirectoryLock.acquire(tmp_path)
        holder.kill()
        holder.wait()
    with DirectoryLock.acquire(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_a_holder_without_a_process_id_is_refused_too(tmp_path):
    with DirectoryLock.acquire(tmp_path):
        (tmp_path / LOCK_FILE).write_text("")
        with pytest.raises(DirectoryInUseError, match="in use by another process"):
            DirectoryLock.acquire(tmp_path)


def test_the_folder_is_made_for_its_owner_only(tmp_path):
    folder = tmp_path / "a" / "b"
    with DirectoryLock.acquire(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "f").write_text("")
    for folder in (tmp_path / "f", tmp_path / "f" / "below"):
        with pytest.raises(DataDirectoryError, match="cannot be used as a node's folder"):
            DirectoryLock.acquire(folder)
