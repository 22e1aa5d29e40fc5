"""Run first in every process that vLLM spawns: the process ends when the one that spawned it is gone.

vLLM's engine core does not notice when its parent is killed, and would keep the model in memory for good. The
kernel sends the signal (prctl(2), PR_SET_PDEATHSIG), so it arrives however the parent ended. Linux only.
"""

import ctypes
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__mp_main__" and sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
