"""The decoding process with a decoder that fails as damaged native libraries do, on cue of a picture's first pixel.

First pixel 4001: the process aborts. 4002: it hangs. 4003: it takes memory without end. 4004: it hangs and holds the
interpreter's lock.
"""

import ctypes
import os
import sys
import time
from multiprocessing.connection import Connection

from mrnet_core.dicom import child

ABORT, HANG, GROW, HOLD = 4001, 4002, 4003, 4004
honest = child.stored_values


def stored_values(body, header, index):
    """The honest decoder, but for the cues."""
    pixels = honest(body, header, index)
    if pixels[0, 0] == ABORT:
        os.abort()
    if pixels[0, 0] == HANG:
        time.sleep(60)
    if pixels[0, 0] == HOLD:
        ctypes.PyDLL(None).sleep(60)
    if pixels[0, 0] == GROW:
        hoard = []
        while True:
            hoard.append(bytearray(64 * 2**20))
    return pixels


if __name__ == "__main__":
    child.stored_values = stored_values
    child.serve(Connection(int(sys.argv[1])), int(sys.argv[2]), float(sys.argv[3]))
