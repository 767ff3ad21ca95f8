"""Entry point of the console command: Ctrl-C ends it silently, even while it is loading or ending."""

TYPE_CHECKING = False  # only guarded imports
if TYPE_CHECKING:
    from types import FrameType


def main() -> None:
    """Never returns."""
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's `&` has it ignored
            signal.signal(signal.SIGINT, _interrupt)
        from fer_edge import cli

        cli.main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Raises KeyboardInterrupt where it reaches `main`; inside an import, libraries change or swallow it."""
    import os

    files = []
    while frame:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    if __file__ not in files or any(file.startswith("<frozen importlib") for file in files):
        os._exit(130)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
