"""Run `titian run DIR --data PATH` and die by SIGKILL at the Nth change to the disk.

Usage: python kill_at.py N DIR PATH. With N = 0 nothing is killed and the number of changes
is printed. A change is an audit event of Python that creates, renames or removes.
"""

import os
import signal
import sys

CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree"}


def main(last: int, folder: str, data: str) -> None:
    count = 0

    def watch(event: str, args: tuple[object, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(args[2], int) and args[2] & os.O_ACCMODE
        if (writes and ".titian" in str(args[0])) or event in CHANGES:
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    from pathlib import Path

    from titian.pipeline.run import run

    sys.addaudithook(watch)
    run(Path(folder), data=Path(data))
    sys.stdout.write(f"{count}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
