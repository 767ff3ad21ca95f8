"""What a `run --jsonl` log tells: read, summed up, drawn over time."""
