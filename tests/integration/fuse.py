# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small file system of one directory, served by a process that can be stopped: what a dead server is to those who
have its files open. Run as: fuse.py DIRECTORY NAME=SIZE..."""
import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 4, 14, 15, 16, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, BATCH_FORGET = 27, 28, 29, 42
ROOT = 1
SIZE_IS_SET = 8


class Served:
    def __init__(self, files):
        self.files = dict(enumerate(files.items(), ROOT + 1))     # node -> (name, bytearray)

    def attributes(self, node):
        directory = node == ROOT
        size = 0 if directory else len(self.files[node][1])
        mode = 0o40755 if directory else 0o100644
        return struct.pack('<6Q10I', node, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def entries(self):
        out = b''
        for number, (node, (name, _)) in enumerate(self.files.items(), 1):
            raw = name.encode()
            out += struct.pack('<QQII', node, number, len(raw), 8) + raw + bytes(-len(raw) % 8)
        return out

    def answer(self, op, node, body):
        """The body of a reply, an error as a number, None: nobody waits."""
        if op in (FORGET, BATCH_FORGET):
            return None
        if op == INIT:
            return struct.pack('<4I2H2I2H8I', 7, 31, 0, 0, 16, 12, 65536, 1, 0, 0, *[0] * 8)
        if op == LOOKUP:
            name = body.rstrip(b'\0').decode()
            found = next((n for n, f in self.files.items() if f[0] == name), None)
            return errno.ENOENT if found is None else struct.pack('<4Q2I', found, 0, 0, 0, 0, 0) + self.attributes(found)
        if op == SETATTR:
            valid, _, _, size = struct.unpack_from('<IIQQ', body)
            if valid & SIZE_IS_SET:
                content = self.files[node][1]
                content[:] = content[:size].ljust(size, b'\0')
        if op in (GETATTR, SETATTR):
            return struct.pack('<Q2I', 0, 0, 0) + self.attributes(node)
        if op in (OPEN, OPENDIR):
            return struct.pack('<Q2I', 0, 0, 0)
        if op in (READ, READDIR):
            _, offset, size = struct.unpack_from('<QQI', body)
            if op == READ:
                return bytes(self.files[node][1][offset:offset + size])
            return self.entries() if offset == 0 else b''
        if op == WRITE:
            _, offset, size = struct.unpack_from('<QQI', body)
            content = self.files[node][1]
            content.extend(bytes(max(0, offset - len(content))))
            content[offset:offset + size] = body[40:40 + size]
            return struct.pack('<II', size, 0)
        if op == STATFS:
            return struct.pack('<5Q4I6I', 1000, 500, 500, 100, 50, 4096, 255, 4096, 0, *[0] * 6)
        return b'' if op in (RELEASE, FLUSH, RELEASEDIR) else errno.ENOSYS


def main(directory, files):
    fd = os.open('/dev/fuse', os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f'fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other'
    if libc.mount(b'dead', directory.encode(), b'fuse', 6, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), 'mount')
    print('mounted', flush=True)
    served = Served(files)
    while True:
        try:
            request = os.read(fd, 1 << 20)
        except OSError as e:
            if e.errno in (errno.EINTR, errno.ENOENT):
                continue
            return                               # unmounted
        _, op, unique, node = struct.unpack_from('<IIQQ', request)
        reply = served.answer(op, node, request[40:])
        if reply is None:
            continue
        body, error = (b'', -reply) if isinstance(reply, int) else (reply, 0)
        os.write(fd, struct.pack('<IiQ', 16 + len(body), error, unique) + body)


if __name__ == '__main__':
    main(sys.argv[1], {name: bytearray(b'x' * int(size)) for name, size in (word.split('=') for word in sys.argv[2:])})
