"""A benchmark's result, made up."""

from fer_edge.bench import report
from fer_edge.spec import split_name


def row(model="paper_dynamic_range", p50=0.41, accuracy=0.69312, disturbed=False, **changes):
    latency = {"min": 0.4, "p50": p50, "p50_low": 0.405, "p50_high": 0.42, "p90": 0.5, "p99": 12.3}
    return {
        "model": model,
        "format": split_name(model)[1],
        "bytes": 2_570_000,
        "threads": 1,
        "load_ms": 3.2,
        "first_ms": 0.6,
        "latency_ms": {**latency, "mean": 0.43},
        "cpu_ms": 0.42,
        "disturbed": disturbed,
        "fps": 1000 / p50,
        "peak_rss_mib": 57.4,
        "accuracy": accuracy,
        "accuracy_interval": accuracy and [0.678, 0.708],
        "macro_f1": 0.67,
        "agreement": None,
        **changes,
    }


def result(*rows):
    rows = list(rows) or [row()]
    machine = {"cpu": "A processor", "system": "Linux", "interpreter": "ai-edge-litert 2.3.0"}
    machine |= {"architecture": "x", "board": None, "usable_cores": 2}
    data = {"n": 3589, "split": "PrivateTest", "protocol": "official", "sha256": "ab"}
    return {
        "schema": 1,
        "machine": machine,
        "config": {"warmup": 5, "runs": 10, "processes": 10, "data": data},
        "reference": {"1": {"best_ms": 1.0}},
        "advice": report.advice(rows),
        "results": rows,
    }
