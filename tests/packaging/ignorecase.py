"""A folder whose file names ignore case and keep it, as on macOS: `ignorecase.py FOLDER MOUNT` mirrors FOLDER there until it is unmounted."""

import errno
import os
import sys

import fuse


# One letter a byte, whatever the bytes are.
BYTES = "latin-1"


class Mirror(fuse.Operations):
    """Every name is looked up without regard to case; all else is the folder's own."""

    def __init__(self, root):
        self.root = root

    def real(self, path):
        at = self.root
        for part in filter(None, path.encode(BYTES).split(b"/")):
            whole = os.path.join(at, part)
            if not os.path.lexists(whole) and os.path.isdir(at):
                whole = next((os.path.join(at, name) for name in os.listdir(at) if name.lower() == part.lower()), whole)
            at = whole
        return at

    def access(self, path, mode):
        if not os.access(self.real(path), mode):
            raise fuse.FuseOSError(errno.EACCES)

    def getattr(self, path, fh=None):
        found = os.lstat(self.real(path)) if fh is None else os.fstat(fh)
        return {name: getattr(found, name) for name in ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino")} | {
            name: getattr(found, name + "_ns") for name in ("st_atime", "st_mtime", "st_ctime")}

    use_ns = True

    def readdir(self, path, fh):
        return [".", "..", *(name.decode(BYTES) for name in os.listdir(self.real(path)))]

    def readlink(self, path):
        return os.readlink(self.real(path)).decode(BYTES)

    def mknod(self, path, mode, dev):
        os.mknod(self.real(path), mode, dev)

    def mkdir(self, path, mode):
        os.mkdir(self.real(path), mode)

    def rmdir(self, path):
        os.rmdir(self.real(path))

    def unlink(self, path):
        os.unlink(self.real(path))

    def symlink(self, path, target):
        os.symlink(target.encode(BYTES), self.real(path))

    def link(self, path, target):
        os.link(self.real(target), self.real(path))

    def rename(self, old, new):
        os.rename(self.real(old), self.real(new))

    def chmod(self, path, mode):
        os.chmod(self.real(path), mode)

    def chown(self, path, uid, gid):
        os.lchown(self.real(path), uid, gid)

    def utimens(self, path, times=None):
        os.utime(self.real(path), ns=times, follow_symlinks=False)

    def statfs(self, path):
        found = os.statvfs(self.real(path))
        return {name: getattr(found, name) for name in ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree")}

    def open(self, path, flags):
        return os.open(self.real(path), flags & ~os.O_NOFOLLOW)

    def create(self, path, mode, fi=None):
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT, mode)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def truncate(self, path, length, fh=None):
        os.truncate(self.real(path) if fh is None else fh, length)

    def flush(self, path, fh):
        os.fsync(fh)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)

    def release(self, path, fh):
        os.close(fh)


if __name__ == "__main__":
    fuse.FUSE(Mirror(os.fsencode(os.path.realpath(sys.argv[1]))), sys.argv[2], foreground=True, nothreads=True, encoding=BYTES)
