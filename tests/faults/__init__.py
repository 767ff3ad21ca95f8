"""Kills, full disks and folders without permission, again and again: `python tests/faults --help`."""
