"""Processes that tests start."""

import subprocess


def end(process: subprocess.Popen[bytes], patience: float) -> None:
    """Asks a process to end, and makes it after so many seconds."""
    process.terminate()
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
