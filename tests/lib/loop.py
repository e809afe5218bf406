"""A small ext4 on a loop device: it can be full, and cut off as if power were lost. Needs root."""

import fcntl
import os
import shutil
import struct
import subprocess

FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
IMAGE_MB = 96


class Loop:
    """A small ext4 that can be cut off."""

    def __init__(self, folder):
        self.image, self.mount_point = folder / "image", folder / "mount"
        self.mount_point.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_MB << 20)
        self._run("mkfs.ext4", "-q", "-F", self.image)

    @staticmethod
    def _run(*command):
        subprocess.run([str(word) for word in command], check=True, capture_output=True)

    def mount(self):
        self._run("mount", "-o", "loop", self.image, self.mount_point)

    def unmount(self):
        self._run("umount", self.mount_point)

    def cut(self):
        folder = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)


def loop_in(folder):
    """(a Loop below the folder, None), or (None, why there can be none here)."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        loop = Loop(folder)
        loop.mount()
        loop.cut()
        loop.unmount()
        return loop, None
    except subprocess.CalledProcessError as failure:
        return None, failure.stderr.decode(errors="replace").strip() or str(failure)
    except OSError as failure:
        return None, str(failure)
