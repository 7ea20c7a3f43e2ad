"""How fast the search over layouts is: GPT-3 175B on 4,096 A100, about a million layouts.

    python benchmarks/search.py

One space is all layouts of one global batch; spaces of several batches are searched one after the other until a
million layouts have been evaluated. Prints layouts, those that fit in memory, seconds and layouts per second, best of
three runs. Run on one core (taskset -c 0, OMP_NUM_THREADS=1) to compare with published figures: Calculon evaluates
178-296 layouts a second on one core.
"""

from __future__ import annotations

import time
from dataclasses import replace

from groundplan.catalog.catalog import load_catalog
from groundplan.design.cluster import Cluster
from groundplan.plan.layouts import Fastest, fastest_layouts
from groundplan.plan.scoring import workshop_for
from groundplan.workload.brief import read_brief
from groundplan.workload.job import Overrides

BATCHES = (1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768)
BRIEF = {
    "train": {"model": "gpt3-175b", "tokens": "300B", "sequence_length": 2048, "global_batch": 1536},
    "candidates": {"accelerators": ["a100-sxm-80"], "counts": [4096]},
}


def main() -> None:
    """Time the search and print its size and rate."""
    catalog = load_catalog([])
    brief = read_brief(BRIEF, catalog)
    host = catalog.hosts["onprem-dgx-a100"]
    cluster = Cluster(host, catalog.accelerators[host.accelerator], catalog.fabrics[host.fabric], 512)
    bf16 = catalog.precisions["bf16"]

    def search() -> list[Fastest]:
        found = []
        for batch in BATCHES:
            job = replace(brief.job, global_batch=batch)
            found.append(fastest_layouts(workshop_for(replace(brief, job=job), catalog, cluster, bf16), Overrides()))
        return found

    seconds, found = min((_timed(search) for _ in range(3)), key=lambda run: run[0])
    layouts = sum(f.candidates for f in found)
    print(f"GPT-3 175B on 4,096 A100, global batches {', '.join(map(str, BATCHES))}")
    print(
        f"layouts {layouts:,}; fitting {sum(f.fitting for f in found):,}; {seconds:.3f} s; {layouts / seconds:,.0f}/s"
    )
    for batch, result in zip(BATCHES, found, strict=True):
        step, layout = result.layouts[0]
        sizes = f"tp{layout.tp} pp{layout.pp} vpp{layout.vpp} dp{layout.dp}"
        print(f"  batch {batch:>6}: {result.candidates:>8,} layouts, fastest {step:.2f} s a step with {sizes}")


def _timed(search: object) -> tuple[float, list[Fastest]]:
    assert callable(search)
    start = time.perf_counter()
    found = search()
    return time.perf_counter() - start, found


if __name__ == "__main__":
    main()
