"""One result of each command, by hand, as docs/json.md has it. Sums are exact on purpose."""

from __future__ import annotations

import copy
from typing import Any

DAY = 86400.0


def prediction(value: float, spread: float = 0.1) -> dict[str, float]:
    """Return a prediction with a symmetric interval."""
    return {"value": value, "low": value * (1 - spread), "high": value * (1 + spread)}


def term(name: str, value: float, unit: str = "s", **rest: Any) -> dict[str, Any]:
    """Return a node of a formula tree."""
    plain = {"formula": "", "inputs": {}, "source": "", "evidence": "derived", "op": "leaf", "children": []}
    return {"name": name, "value": value, "unit": unit} | plain | rest


EXPLAIN_STEP = term(
    "step_s",
    10.0,
    op="sum",
    formula="sum of the parts",
    children=[
        term("matmul", 8.0, formula="flops / rate", inputs={"flops": 2.0e15, "precision": "bf16"}, source="datasheet"),
        term("exposed_data_parallel", 2.0),
    ],
)

DESIGN: dict[str, Any] = {
    "provider": "aws",
    "instance": "p4de.24xlarge",
    "region": "us-east-1",
    "accelerator": "a100-sxm-80",
    "accelerators": 64,
    "nodes": 8,
    "purchase": "on_demand",
    "price": {
        "usd_per_hour": 256.0,
        "usd_per_accelerator_hour": 4.0,
        "date": "2026-09-01",
        "age_days": 83,
        "evidence": "published",
        "source": "provider price list",
    },
    "layout": {
        "tp": 8,
        "pp": 2,
        "vpp": 1,
        "cp": 1,
        "ep": 1,
        "dp": 4,
        "zero": 1,
        "shard": 4,
        "micro_batch": 2,
        "gradient_accumulation": 16,
        "recompute": "selective",
        "precision": "bf16",
        "sequence_parallel": True,
        "offload": False,
        "schedule": "1f1b",
        "stack": "megatron-core",
    },
    "step_s": prediction(10.0),
    "run_s": prediction(45 * DAY),
    "cost_usd": prediction(276_480.0),
    "energy_j": prediction(1.2e11),
    "carbon_kg": prediction(12_000.0),
    "mfu": prediction(0.45),
    "goodput": prediction(0.97, 0.01),
    "unit": "tokens",
    "tokens": 250e9,
    "tokens_per_s": prediction(66_000.0),
    "memory": {
        "total_bytes": prediction(60e9),
        "capacity_bytes": 80 * 2.0**30,
        "fits": True,
        "terms": {"optimizer_states": 30e9, "weights": 10e9, "gradients": 5e9, "activations": 15e9},
    },
    "step_terms": {"matmul": 8.0, "exposed_data_parallel": 2.0},
    "run_terms": {"training": 44 * DAY, "checkpoint_stalls": 0.4 * DAY, "lost_work": 0.6 * DAY},
    "cost_terms": {"accelerators": 276_000.0, "storage": 480.0},
    "network": {
        "fabric": "efa-v1",
        "collectives": [
            {
                "name": "all_reduce",
                "group": "data_parallel",
                "ranks": 4,
                "bytes_per_step": 10e9,
                "scope": "across domains",
                "time_s": 3.0,
                "exposed_s": 2.0,
            }
        ],
        "needed_bits_per_s": 40e9,
        "available_bits_per_s": 50e9,
        "fabric_ok": True,
    },
    "storage": {
        "product": "s3-standard",
        "read_bytes_per_s": 264_000.0,
        "checkpoint_bytes": 280e9,
        "write_bytes_per_s": 2e9,
        "capacity_bytes": 2e12,
        "provisioned_bytes": 2e12,
        "ok": True,
        "usd_per_month": 46.0,
    },
    "checkpoint": {
        "bytes": 280e9,
        "write_s": 140.0,
        "stall_s": 10.0,
        "mtbf_s": 19 * DAY,
        "interval_s": 2.0 * 3600,
        "goodput": 0.98,
    },
    "relaxed": None,
    "reason": "cheapest design that keeps every limit",
    "explain": {"step_s": EXPLAIN_STEP},
}


def design(**changes: Any) -> dict[str, Any]:
    """Return the sample design with some keys changed."""
    return copy.deepcopy(DESIGN) | changes


PLAN: dict[str, Any] = {
    "schema": "groundplan/plan/1",
    "tool_version": "0.1.0",
    "catalog_version": "2026.11",
    "as_of": "2026-11-23",
    "verdict": {
        "feasible": True,
        "headline": "Feasible: 45 days and $276,500 on 64 x a100-sxm-80",
        "binding": {
            "constraint": "cost",
            "needed": 276_480.0,
            "limit": None,
            "unit": "USD",
            "text": "the cheapest of 30 designs",
        },
    },
    "workload": {
        "model": "gpt-20b",
        "parameters": 20_000_000_000,
        "active_parameters": 20_000_000_000,
        "tokens": 250e9,
        "train_flops": 3.0e22,
        "sequence": 2048,
        "global_batch": 2048,
        "method": "pretrain",
        "optimizer": "adamw",
    },
    "goal": {"deadline_s": 60 * DAY, "budget_usd": 300_000.0, "minimize": "cost", "max_accelerators": None},
    "recommended": design(),
    "alternatives": [
        design(
            instance="a2-ultragpu-8g",
            provider="gcp",
            accelerators=128,
            nodes=16,
            run_s=prediction(24 * DAY),
            cost_usd=prediction(310_000.0),
            reason="$33,500 dearer",
        ),
        design(
            provider="lambda", instance="gpu_8x_a100", price=None, cost_usd=None, cost_terms={}, reason="no price known"
        ),
    ],
    "nearest_feasible": [],
    "pareto": [
        {
            "provider": "gcp",
            "instance": "a2-ultragpu-8g",
            "accelerator": "a100-sxm-80",
            "accelerators": 128,
            "purchase": "on_demand",
            "run_s": 24 * DAY,
            "cost_usd": 310_000.0,
            "energy_j": 1.1e11,
            "carbon_kg": 11_000.0,
        },
        {
            "provider": "aws",
            "instance": "p4de.24xlarge",
            "accelerator": "a100-sxm-80",
            "accelerators": 64,
            "purchase": "on_demand",
            "run_s": 45 * DAY,
            "cost_usd": 276_480.0,
            "energy_j": 1.2e11,
            "carbon_kg": 12_000.0,
        },
    ],
    "rejected": [{"name": f"host-{n}", "reason": "needs 3.1 GB more than it has"} for n in range(15)],
    "search": {"candidates": 120_000, "fitting": 40_000, "scored": 30},
    "assumptions": [
        {
            "name": "bytes_per_token",
            "value": 4.0,
            "unit": "bytes",
            "evidence": "assumed",
            "source": "English text, byte-pair encoding",
        },
        {"name": "pue", "value": None, "unit": "", "evidence": "unknown", "source": ""},
    ],
    "warnings": ["the price of p4de.24xlarge is 83 days old"],
    "brief": {"train": {"model": "gpt-20b"}},
}

INFEASIBLE: dict[str, Any] = copy.deepcopy(PLAN) | {
    "verdict": {
        "feasible": False,
        "headline": "Not feasible: the deadline is missed 15 times over",
        "binding": {
            "constraint": "deadline",
            "needed": 45 * DAY,
            "limit": 3 * DAY,
            "unit": "s",
            "text": "deadline: needs 45 days, the limit is 3 days",
        },
    },
    "recommended": None,
    "alternatives": [],
    "nearest_feasible": [
        design(
            relaxed={
                "constraint": "deadline",
                "limit": 3 * DAY,
                "needed": 45 * DAY,
                "by": 15.0,
                "unit": "s",
                "also": [],
            }
        ),
        design(
            relaxed={
                "constraint": "budget",
                "limit": 15_000.0,
                "needed": 400_000.0,
                "by": 26.7,
                "unit": "USD",
                "also": ["max_accelerators: needs 1,024, the limit is 64"],
            }
        ),
    ],
}

TRAIN = {
    "schema": "groundplan/train/1",
    "tool_version": "0.1.0",
    "catalog_version": "2026.11",
    "as_of": "2026-11-23",
} | (design() | {"assumptions": PLAN["assumptions"], "warnings": PLAN["warnings"]})

MEMORY: dict[str, Any] = {
    "schema": "groundplan/memory/1",
    "model": "llama-2-7b",
    "parameters": 6_738_415_616,
    "mode": "train",
    "accelerator": "a100-sxm-80",
    "total_bytes": prediction(120e9),
    "capacity_bytes": 80 * 2.0**30,
    "fits": False,
    "terms": {"weights": 14e9, "gradients": 14e9, "optimizer_states": 84e9, "activations": 8e9},
    "fixes": [{"change": "lora rank 16", "total_bytes": 20e9, "fits": True, "text": "lora rank 16: 20 of 85.9 GB"}],
}

ALLREDUCE: dict[str, Any] = {
    "schema": "groundplan/allreduce/1",
    "bytes_per_device": 39.375e9,
    "flat_ring_bits_per_s": 315e9,
    "hierarchical_bits_per_s": 39.4e9,
    "time_s": prediction(0.5),
    "fabric_ok": False,
    "fabric": "infiniband-hdr",
    "fabric_bits_per_s": 200e9,
    "accelerators": 64,
    "ranks_per_node": 8,
    "terms": {"inside_nodes": 0.1, "between_nodes": 0.4},
}

STORAGE: dict[str, Any] = {
    "schema": "groundplan/storage/1",
    "read_bytes_per_s": 19e9,
    "checkpoint_bytes": 280e9,
    "write_bytes_per_s": 2e9,
    "products": [
        {
            "id": "fsx-lustre",
            "name": "FSx for Lustre",
            "ok": True,
            "reason": "delivers both",
            "provisioned_bytes": 20e12,
            "read_bytes_per_s": 20e9,
            "write_bytes_per_s": 20e9,
            "usd_per_month": 3000.0,
        },
        {
            "id": "efs",
            "name": "EFS",
            "ok": False,
            "reason": "reads 3 GB/s, 19 GB/s needed",
            "provisioned_bytes": None,
            "read_bytes_per_s": 3e9,
            "write_bytes_per_s": 1e9,
            "usd_per_month": None,
        },
    ],
    "requests_in_flight": 190.0,
    "cache_hit_rate": 0.4,
    "decompress_cores": 24.0,
}

CHECKPOINT: dict[str, Any] = {
    "schema": "groundplan/checkpoint/1",
    "bytes": 5.68e12,
    "write_s": 300.0,
    "stall_s": 300.0,
    "mtbf_s": DAY,
    "interval_s": 7020.0,
    "goodput": 0.9,
    "young_s": 7200.0,
    "daly_s": 7020.0,
    "nodes": 2048,
}

COST: dict[str, Any] = {
    "schema": "groundplan/cost/1",
    "cost_usd": 17_280.0,
    "per_day_usd": 576.0,
    "per_month_usd": 17_280.0,
    "terms": {"accelerators": 17_280.0},
    "price": None,
}

CATALOG_LIST: dict[str, Any] = {
    "schema": "groundplan/catalog-list/1",
    "kind": "accelerators",
    "rows": [
        {"id": "a100-sxm-80", "name": "A100 SXM 80 GB", "memory_bytes": 80 * 2.0**30, "tdp_w": 400.0},
        {"id": "mystery", "name": "Mystery", "memory_bytes": None, "tdp_w": None},
    ],
}

CATALOG_SHOW: dict[str, Any] = {
    "schema": "groundplan/catalog-show/1",
    "kind": "accelerators",
    "id": "a100-sxm-80",
    "name": "NVIDIA A100 SXM 80 GB",
    "aliases": ["A100"],
    "figures": {
        "tdp_w": {"value": 400.0, "unit": "W", "evidence": "datasheet", "source": "NVIDIA A100 datasheet"},
        "idle_w": {"value": None, "unit": "W", "evidence": "unknown", "source": ""},
    },
}

CATALOG_CHECK: dict[str, Any] = {"schema": "groundplan/catalog-check/1", "rows": 300, "figures": 2000, "problems": []}

DIFF: dict[str, Any] = {
    "schema": "groundplan/diff/1",
    "rows": [
        {"path": "recommended.run_s", "a": 45 * DAY, "b": 30 * DAY, "change": -1 / 3},
        {"path": "recommended.instance", "a": "p4de.24xlarge", "b": "p5.48xlarge", "change": None},
        {"path": "recommended.price.age_days", "a": None, "b": 3, "change": None},
    ],
}

EXPLAIN: dict[str, Any] = {
    "schema": "groundplan/explain/1",
    "metric": "step_s",
    "design": "aws p4de.24xlarge 64 a100-sxm-80",
    "term": EXPLAIN_STEP,
}

FLYING: dict[str, Any] = {
    "device": "jetson-orin-nano-super",
    "name": "NVIDIA Jetson Orin Nano Super 8GB",
    "power_mode": "15w",
    "model": "yolo11s",
    "resolution": 640,
    "precision": "int8",
    "recipes": ["tuned"],
    "ok": True,
    "frames_per_s": prediction(100.0),
    "latency_s": prediction(0.01),
    "power_w": prediction(6.0),
    "energy_j": prediction(10_000.0),
    "battery_share": prediction(0.05),
    "temperature_c": 45.0,
    "thermal": "ok",
    "accuracy": prediction(0.459),
    "accuracy_source": "mAP50-95 on COCO val2017; docs",
    "uplink_usd": 0.2,
    "misses": [],
    "doubts": [],
    "reason": "least energy at the accuracy asked",
    "explain": {
        "latency_s": term(
            "latency_s", 0.01, op="sum", children=[term("overhead", 0.004), term("compute", 0.006, source="fitted")]
        )
    },
}
GROUNDED: dict[str, Any] = FLYING | {
    "device": "galaxy-s24",
    "ok": False,
    "power_w": None,
    "energy_j": None,
    "battery_share": None,
    "temperature_c": None,
    "thermal": "unknown",
    "misses": [
        {"constraint": "unknown", "limit": 27720.0, "needed": None, "unit": "J", "reason": "its power is unknown"}
    ],
    "reason": "its power is unknown",
}
MISSION: dict[str, Any] = {
    "schema": "groundplan/mission/1",
    "tool_version": "0.1.0",
    "catalog_version": "2026.11.23",
    "as_of": "2026-11-23",
    "verdict": {"feasible": True, "headline": "Fly yolo11s", "binding": "least energy at the accuracy asked"},
    "uplink": {"bytes": 40e6, "duration_s": None, "cost_usd": None},
    "recommended": FLYING,
    "nearest_feasible": [],
    "pareto": [FLYING],
    "options": [FLYING, GROUNDED],
    "rejected": [{"name": "Coral fp16", "reason": "does not compute in fp16"}],
    "assumptions": [
        {"name": "busy_share", "value": 0.8, "unit": "1", "evidence": "assumed", "source": "60 % to 100 %"}
    ],
    "warnings": ["the draw of the radio is not counted"],
    "brief": {},
}

SAMPLES: dict[str, dict[str, Any]] = {
    "mission": MISSION,
    "plan": PLAN,
    "infeasible": INFEASIBLE,
    "train": TRAIN,
    "memory": MEMORY,
    "allreduce": ALLREDUCE,
    "storage": STORAGE,
    "checkpoint": CHECKPOINT,
    "cost": COST,
    "catalog-list": CATALOG_LIST,
    "catalog-show": CATALOG_SHOW,
    "catalog-check": CATALOG_CHECK,
    "diff": DIFF,
    "explain": EXPLAIN,
}
