from __future__ import annotations

from pathlib import Path

from collector.frames import FrameFile
from tests.collector.conftest import frames


def test_frames_come_back_in_order(tmp_path: Path) -> None:
    """What was appended is read back, empty bodies included."""
    file = FrameFile(tmp_path, "traces")
    for body in (b"one", b"", b"three" * 1000):
        file.append(body)
    file.close()
    assert frames(tmp_path / "traces-0001.binpb") == [b"one", b"", b"three" * 1000]


def test_a_full_file_is_followed_by_the_next(tmp_path: Path) -> None:
    """A file is closed once it has reached its size; no frame is split over two."""
    file = FrameFile(tmp_path, "logs", file_bytes=10)
    for body in (b"0123456789", b"a", b"b"):
        file.append(body)
    file.close()
    assert frames(tmp_path / "logs-0001.binpb") == [b"0123456789"]
    assert frames(tmp_path / "logs-0002.binpb") == [b"a", b"b"]


def test_an_old_directory_is_continued_in_a_new_file(tmp_path: Path) -> None:
    """A second start never appends behind a frame that a kill may have cut short."""
    (tmp_path / "traces-0007.binpb").write_bytes(b"\x00\x00\x00\x09cut")
    file = FrameFile(tmp_path, "traces")
    file.append(b"new")
    file.close()
    assert (tmp_path / "traces-0007.binpb").read_bytes() == b"\x00\x00\x00\x09cut"
    assert frames(tmp_path / "traces-0008.binpb") == [b"new"]
