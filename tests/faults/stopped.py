"""`python stopped.py FOLDER STEP SIZE WORDS`: `fer-edge WORDS`, which stops by itself at one of its writings:
what kills it from outside comes too late for small files."""

import os
import resource
import signal
import sys

from fer_edge import cli


def stop_at(folder: str, step: int, size: int) -> None:
    """Ends this process right before a file in `folder` is opened to be written, renamed or removed, for the
    time of that number; with a `size` of 0 or more, by the kernel at that byte of the next longer file.
    Nothing of Python or of the program runs after that."""
    left = step

    def counted(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event not in ("open", "os.rename", "os.remove") or not str(arguments[0]).startswith(folder):
            return
        if event == "open" and not int(str(arguments[2])) & (os.O_WRONLY | os.O_RDWR):
            return
        left -= 1
        if left == 0 and size < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        elif left == 0:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python would go on, with an error
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    sys.addaudithook(counted)


if __name__ == "__main__":
    if sys.argv[2] != "0":
        stop_at(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    sys.argv[:4] = ["fer-edge"]
    if sys.argv[1] in ("train", "convert"):
        import tiny_network  # noqa: F401, the network that the trainings here are of
    cli.main()
