"""One heap for all threads of a server.

glibc gives each thread a heap of its own. An index is made in whichever thread meets the question, and what is freed
in one heap is of no use to another: four threads held 164 to 181 MB after 3,000 mixed calls on 10,000 turns, one heap
held 108 (a script of `memspan bench doors`' mix, on 2 cores). Python runs one thread at a time, so nobody waits.
"""

import ctypes

_ARENA_MAX = -8  # M_ARENA_MAX of <malloc.h>


def share() -> bool:
    """Let threads that begin from now on take their memory from one heap; False where the C library has no such way."""
    try:
        return bool(ctypes.CDLL(None).mallopt(_ARENA_MAX, 1))
    except (OSError, AttributeError, TypeError):
        return False
