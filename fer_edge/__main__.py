"""Where the console command begins: Ctrl-C ends it in silence, also while it still loads or is ending."""

from __future__ import annotations


def main() -> None:
    """Entry point of the console command; never returns."""
    try:
        import os
        import signal
    except KeyboardInterrupt:
        raise SystemExit(130) from None

    def leave(*_: object) -> None:
        os._exit(130)

    usual = signal.getsignal(signal.SIGINT)  # ignored in what a shell starts with `&`, and stays so
    if usual is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    from fer_edge import cli

    try:
        signal.signal(signal.SIGINT, usual)
        cli.main()
    finally:
        if usual is signal.default_int_handler:
            signal.signal(signal.SIGINT, leave)


if __name__ == "__main__":
    main()
