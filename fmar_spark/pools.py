"""Processes that share work end with the one that shares it out, however it ends."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """This process, one of a pool, ends when its parent has gone.

    A parent that is killed (SIGKILL, want of memory) leaves its processes waiting for work for ever: each holds the pipe that
    it reads, which so is never closed.
    """
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
