"""The loop that runs on the device."""
