"""The calculators: memory, train, allreduce, storage, checkpoint, cost. Each builds a request and calls its task."""

from __future__ import annotations

from typing import Annotated

import typer

from groundplan.cli import options as o
from groundplan.cli.asked import Answer, Asked
from groundplan.cli.request import build


def memory(
    model: o.Model,
    train: Annotated[
        bool | None, typer.Option("--train/--serve", help="Train it (the default) or serve it.", show_default=False)
    ] = None,
    optimizer: o.Optimizer = None,
    precision: o.Precision = None,
    method: o.Method = None,
    lora_rank: o.LoraRank = None,
    micro_batch: o.MicroBatch = None,
    sequence: o.Sequence = None,
    accelerator: o.Accelerator = None,
    tp: o.Tp = None,
    pp: o.Pp = None,
    vpp: o.Vpp = None,
    cp: o.Cp = None,
    ep: o.Ep = None,
    dp: o.Dp = None,
    zero: o.Zero = None,
    recompute: o.Recompute = None,
    offload: Annotated[bool, typer.Option("--offload", help="Keep optimizer states on the host.")] = False,
    stack: o.Stack = None,
    batch: Annotated[str | None, typer.Option("--batch", metavar="N", help="Serving: sequences at once.")] = None,
    kv_precision: Annotated[
        str | None, typer.Option("--kv-precision", metavar="P", help="Serving: width of the KV cache.")
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """Does it fit: memory of one device by term.

    Where it does not fit, the smallest changes that make it fit.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.memory import MemoryRequest
    from groundplan.tasks.memory import memory as task

    flags = {
        "model": model,
        "mode": None if train is None else "train" if train else "serve",
        "optimizer": optimizer,
        "precision": precision,
        "method": method,
        "lora_rank": lora_rank,
        "micro_batch": micro_batch,
        "sequence": sequence,
        "accelerator": accelerator,
        "tp": tp,
        "pp": pp,
        "vpp": vpp,
        "cp": cp,
        "ep": ep,
        "dp": dp,
        "zero": zero,
        "recompute": recompute,
        "offload": offload or None,
        "stack": stack,
        "batch": batch,
        "kv_precision": kv_precision,
    }
    return task(build(MemoryRequest, flags, asked.sets), load_catalog()).to_dict()


def train(
    model: o.Model,
    accelerators: o.Accelerators,
    accelerator: Annotated[str, typer.Option("--accelerator", metavar="A", help="Catalog name, e.g. h100-sxm.")],
    tokens: Annotated[str | None, typer.Option("--tokens", metavar="T", help="Tokens in all, e.g. 2T, 250e9.")] = None,
    global_batch: Annotated[
        str | None, typer.Option("--global-batch", metavar="B", help="Sequences per step, or e.g. '4M tokens'.")
    ] = None,
    sequence: o.Sequence = None,
    optimizer: o.Optimizer = None,
    precision: o.Precision = None,
    method: o.Method = None,
    lora_rank: o.LoraRank = None,
    micro_batch: o.MicroBatch = None,
    tp: o.Tp = None,
    pp: o.Pp = None,
    vpp: o.Vpp = None,
    cp: o.Cp = None,
    ep: o.Ep = None,
    dp: o.Dp = None,
    zero: o.Zero = None,
    recompute: o.Recompute = None,
    stack: o.Stack = None,
    instance: o.Instance = None,
    provider: o.Provider = None,
    purchase: o.Purchase = None,
    price: o.Price = None,
    fabric: o.Fabric = None,
    *,
    asked: Asked,
) -> Answer:
    """How long a run takes and costs on N of one accelerator."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.train import TrainRequest
    from groundplan.tasks.train import train as task

    flags = {
        "model": model,
        "accelerators": accelerators,
        "accelerator": accelerator,
        "tokens": tokens,
        "global_batch": global_batch,
        "sequence": sequence,
        "optimizer": optimizer,
        "precision": precision,
        "method": method,
        "lora_rank": lora_rank,
        "micro_batch": micro_batch,
        "tp": tp,
        "pp": pp,
        "vpp": vpp,
        "cp": cp,
        "ep": ep,
        "dp": dp,
        "zero": zero,
        "recompute": recompute,
        "stack": stack,
        "instance": instance,
        "provider": provider,
        "purchase": purchase,
        "price": price,
        "fabric": fabric,
        "as_of": asked.as_of_text,
    }
    return task(build(TrainRequest, flags, asked.sets), load_catalog()).to_dict()


def allreduce(
    accelerators: o.Accelerators,
    size: Annotated[str | None, typer.Option("--bytes", metavar="B", help="Bytes to reduce, e.g. '20 GB'.")] = None,
    model: o.AnyModel = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", metavar="D", help="Width of the gradients of --model, e.g. bf16.")
    ] = None,
    per_second: Annotated[
        str | None, typer.Option("--per-second", metavar="R", help="How many times a second.", show_default=False)
    ] = None,
    fabric: o.Fabric = None,
    ranks_per_node: Annotated[
        str | None, typer.Option("--ranks-per-node", metavar="N", help="Accelerators joined inside a node.")
    ] = None,
    accelerator: o.Accelerator = None,
    accumulation: Annotated[
        str | None, typer.Option("--accumulation", metavar="N", help="Micro-batches per reduction.")
    ] = None,
    compute: Annotated[
        str | None, typer.Option("--compute", metavar="TIME", help="Backward pass it may hide under, e.g. '300 ms'.")
    ] = None,
    *,
    asked: Asked,
) -> Answer:
    """Does the network carry the gradients.

    The rate a flat ring and a hierarchical AllReduce ask of each link, and whether the fabric carries it.
    """
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.allreduce import AllreduceRequest
    from groundplan.tasks.allreduce import allreduce as task

    flags = {
        "bytes": size,
        "model": model,
        "dtype": dtype,
        "accelerators": accelerators,
        "per_second": per_second,
        "fabric": fabric,
        "ranks_per_node": ranks_per_node,
        "accelerator": accelerator,
        "accumulation": accumulation,
        "compute_s": compute,
    }
    return task(build(AllreduceRequest, flags, asked.sets), load_catalog()).to_dict()


def storage(
    accelerators: o.Accelerators,
    accelerator: o.Accelerator = None,
    dataset_kind: Annotated[
        str | None, typer.Option("--dataset-kind", metavar="K", help="What is read, e.g. text, resnet50, unet3d.")
    ] = None,
    samples_per_s: Annotated[
        str | None, typer.Option("--samples-per-s", metavar="R", help="Samples (tokens) a second and accelerator.")
    ] = None,
    sample_bytes: Annotated[
        str | None, typer.Option("--sample-bytes", metavar="B", help="Stored size of one sample.")
    ] = None,
    dataset_bytes: Annotated[
        str | None, typer.Option("--dataset-bytes", metavar="B", help="Stored size of the data set, e.g. '10 TB'.")
    ] = None,
    cached_fraction: Annotated[
        str | None, typer.Option("--cached-fraction", metavar="F", help="Share of the data set that a cache holds.")
    ] = None,
    model: o.AnyModel = None,
    storage: o.Storage = None,
    *,
    asked: Asked,
) -> Answer:
    """What storage must deliver, and which products do."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.storage import StorageRequest
    from groundplan.tasks.storage import storage as task

    flags = {
        "accelerators": accelerators,
        "accelerator": accelerator,
        "dataset_kind": dataset_kind,
        "samples_per_s": samples_per_s,
        "sample_bytes": sample_bytes,
        "dataset_bytes": dataset_bytes,
        "cached_fraction": cached_fraction,
        "model": model,
        "storage": storage,
    }
    return task(build(StorageRequest, flags, asked.sets), load_catalog()).to_dict()


def checkpoint(
    model: o.AnyModel = None,
    accelerators: Annotated[
        str | None, typer.Option("--accelerators", metavar="N", help="How many accelerators in all.")
    ] = None,
    storage: o.Storage = None,
    precision: o.Precision = None,
    optimizer: o.Optimizer = None,
    mtbf: Annotated[
        str | None, typer.Option("--mtbf", metavar="TIME", help="Mean time between failures of the job, e.g. '6 h'.")
    ] = None,
    failures_per_1000_node_days: Annotated[
        str | None, typer.Option("--failures-per-1000-node-days", metavar="F", help="In place of --mtbf, e.g. 6.5.")
    ] = None,
    write: Annotated[
        str | None, typer.Option("--write", metavar="TIME", help="Time of one write, e.g. '5 min'.")
    ] = None,
    restart: Annotated[
        str | None, typer.Option("--restart", metavar="TIME", help="Time from a failure to training again.")
    ] = None,
    asynchronous: Annotated[
        bool, typer.Option("--asynchronous", help="Training goes on while the checkpoint is written.")
    ] = False,
    *,
    asked: Asked,
) -> Answer:
    """How large, how often, and what failures leave of the time."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.checkpoint import CheckpointRequest
    from groundplan.tasks.checkpoint import checkpoint as task

    flags = {
        "model": model,
        "accelerators": accelerators,
        "storage": storage,
        "precision": precision,
        "optimizer": optimizer,
        "mtbf_s": mtbf,
        "failures_per_1000_node_days": failures_per_1000_node_days,
        "write_s": write,
        "restart_s": restart,
        "asynchronous": asynchronous or None,
    }
    return task(build(CheckpointRequest, flags, asked.sets), load_catalog()).to_dict()


def cost(
    accelerators: o.Accelerators,
    price: o.Price = None,
    hours: Annotated[
        str | None, typer.Option("--hours", metavar="H", help="Hours, or a time with its unit, e.g. '30 d'.")
    ] = None,
    accelerator: o.Accelerator = None,
    provider: o.Provider = None,
    instance: o.Instance = None,
    purchase: o.Purchase = None,
    region: o.Region = None,
    *,
    asked: Asked,
) -> Answer:
    """What N accelerators cost for a time, by day and by month."""
    from groundplan.catalog.catalog import load_catalog
    from groundplan.tasks.cost import CostRequest
    from groundplan.tasks.cost import cost as task

    flags = {
        "accelerators": accelerators,
        "price": price,
        "hours": hours,
        "accelerator": accelerator,
        "provider": provider,
        "instance": instance,
        "purchase": purchase,
        "region": region,
        "as_of": asked.as_of_text,
    }
    return task(build(CostRequest, flags, asked.sets), load_catalog()).to_dict()
