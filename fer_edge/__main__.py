"""Where the console command begins: Ctrl-C ends it in silence, also while it still loads or is ending."""

from __future__ import annotations


def main() -> None:
    """Entry point of the console command; never returns."""
    try:
        import signal

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's `&` has it ignored
            signal.signal(signal.SIGINT, _interrupt)
        from fer_edge import cli

        cli.main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _interrupt(number: int, frame: object) -> None:
    """Raises KeyboardInterrupt, but never inside an import: libraries catch it there, or make another error of it.

    Nor outside `main`, where nobody would catch it.
    """
    import os

    files = []
    while frame:
        files.append(frame.f_code.co_filename)  # type: ignore[attr-defined]
        frame = frame.f_back  # type: ignore[attr-defined]
    if __file__ not in files or any(file.startswith("<frozen importlib") for file in files):
        os._exit(130)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
