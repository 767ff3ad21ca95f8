"""Kills, full disks and folders without permission, again and again: `make faults`."""
