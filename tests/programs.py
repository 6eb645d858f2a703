"""Programs of their own, for what a test must not do to its own process."""

import subprocess
import sys


def ended(code, seconds=60):
    """What the program prints, where it ends well and in time."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd="/",
        text=True,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()
