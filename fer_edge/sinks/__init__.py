"""Where results go: logs, video, pictures, a window."""
