import json
import mmap
import os
import subprocess
import sys

from s3proxy.metrics.names import OTHER, SharedNames

CAPACITY = 4


def private_names() -> SharedNames:
    return SharedNames(mmap.mmap(-1, SharedNames.bytes_for(CAPACITY)), 0, CAPACITY, -1)


def test_name_keeps_its_number() -> None:
    names = private_names()
    numbers = [names.number_of(name) for name in ("b", "a", "b", "a")]
    assert numbers == [1, 2, 1, 2]
    assert names.all() == [OTHER, "b", "a"]


def test_names_for_which_there_is_no_room_are_others() -> None:
    names = private_names()
    assert [names.number_of(str(number)) for number in range(6)] == [1, 2, 3, 0, 0, 0]
    assert names.number_of("1") == 2


def test_name_that_is_too_long_is_cut() -> None:
    names = private_names()
    assert names.number_of("x" * 100) == names.number_of("x" * 64) == 1
    assert names.all() == [OTHER, "x" * 64]


def test_processes_that_add_names_at_the_same_time_agree_on_the_numbers() -> None:
    fd = os.memfd_create("names")
    capacity = 64
    os.ftruncate(fd, SharedNames.bytes_for(capacity))
    program = (
        "import mmap, sys\n"
        "from s3proxy.metrics.names import SharedNames\n"
        f"names = SharedNames(mmap.mmap({fd}, 0), 0, {capacity}, {fd})\n"
        "sys.stdin.read(1)\n"
        "print([names.number_of(f'name{n}') for n in range(60)])"
    )
    command = [sys.executable, "-c", program]
    adding = [subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for process in adding:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    said = [process.communicate()[0] for process in adding]
    os.close(fd)
    assert said[0] == said[1] == said[2]
    assert len(set(json.loads(said[0]))) == 60
