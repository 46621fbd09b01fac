"""The data folder: one supervisor at a time, the next one beside."""

from __future__ import annotations

import select
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.embedded.folder import FolderInUse, own_folder

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_plant_takes_the_folder_beside(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    with (
        own_folder(root, or_beside=True) as first,
        own_folder(root, or_beside=True) as second,
    ):
        assert first.root == root
        assert second.root == tmp_path / "demo-2"


def test_a_folder_asked_for_by_name_is_refused_while_another_works_there(
    tmp_path: Path,
) -> None:
    with (
        own_folder(tmp_path, or_beside=False),
        pytest.raises(FolderInUse, match="--data"),
        own_folder(tmp_path, or_beside=False),
    ):
        pass


def test_a_folder_is_free_again_after_its_block(tmp_path: Path) -> None:
    with own_folder(tmp_path, or_beside=False):
        pass
    with own_folder(tmp_path, or_beside=False) as again:
        assert again.root == tmp_path


def test_the_next_owner_waits_for_children_of_a_killed_one(tmp_path: Path) -> None:
    with own_folder(tmp_path, or_beside=False) as folder:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read(1)"],
            stdin=subprocess.PIPE,
            pass_fds=(folder.children_lock,),
        )
    waiting = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\n"
            "from deploy.embedded.folder import own_folder\n"
            "print('asks', flush=True)\n"
            "with own_folder(pathlib.Path(sys.argv[1]), or_beside=True) as folder:\n"
            "    print(folder.root, flush=True)\n",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "asks\n"
    assert select.select([waiting.stdout], [], [], 0.5)[0] == []
    child.communicate(b"x", timeout=30)
    assert waiting.communicate(timeout=60)[0] == f"{tmp_path}\n"
