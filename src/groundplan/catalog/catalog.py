"""The catalog: what exists, a source per number. Built-in data and the user's own rows, read when first asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from groundplan.catalog.build import typed_row
from groundplan.catalog.inheritance import merged_rows
from groundplan.catalog.loader import read_figures, read_prices, read_storage_prices
from groundplan.catalog.model_files import ModelTable, model_files
from groundplan.catalog.names import NameIndex
from groundplan.catalog.rows import (
    Accelerator,
    Architecture,
    Cpu,
    EdgeDevice,
    EdgeFamily,
    Engine,
    Fabric,
    Grid,
    Host,
    Optimizer,
    PowerMode,
    Precision,
    Price,
    Recipe,
    Row,
    Stack,
    StoragePrice,
    StorageProduct,
)
from groundplan.catalog.schema import DATA, ROW_TYPES, SINGULAR
from groundplan.catalog.user_rows import UserRows, read_user_rows
from groundplan.errors import InputError, UnknownName

VERSION = (DATA / "VERSION").read_text(encoding="utf-8").strip()
FOLDERS_VARIABLE = "GROUNDPLAN_CATALOG"
OTHER_ARCHITECTURE = "generic"
OTHER_STACK = "fsdp"

AnyRow = TypeVar("AnyRow", bound=Row)

NAMED_BY_RUNS = (
    *("accelerators", "architectures", "hosts", "fabrics", "precisions", "optimizers", "stacks", "engines", "models"),
)
"""Tables of which a measured run may name a row."""


class Catalog:
    """Tables of rows by id, and lookups by what people type. Make one with `load_catalog`.

    A table is read on first use; rows are in base units, None where unknown, and carry the source of each figure.
    """

    def __init__(self, folders: Sequence[Path] = (), refinements: bool = True) -> None:
        self._folders = tuple(folders)
        self._refinements = refinements
        self._indexes: dict[str, NameIndex] = {}

    # -- tables ----------------------------------------------------------------------------------------------------

    @cached_property
    def accelerators(self) -> Mapping[str, Accelerator]:
        """Accelerators by id."""
        return self._table("accelerators", Accelerator)

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """Cloud instance types and servers by id."""
        return self._table("hosts", Host)

    @cached_property
    def cpus(self) -> Mapping[str, Cpu]:
        """Server CPUs by id."""
        return self._table("cpus", Cpu)

    @cached_property
    def fabrics(self) -> Mapping[str, Fabric]:
        """Network technologies by id."""
        return self._table("fabrics", Fabric)

    @cached_property
    def storage(self) -> Mapping[str, StorageProduct]:
        """Storage products by id."""
        return self._table("storage", StorageProduct)

    @cached_property
    def grids(self) -> Mapping[str, Grid]:
        """Electricity of cloud regions and countries by id."""
        return self._table("grids", Grid)

    @cached_property
    def precisions(self) -> Mapping[str, Precision]:
        """Training precisions by id."""
        return self._table("precisions", Precision)

    @cached_property
    def optimizers(self) -> Mapping[str, Optimizer]:
        """Optimizers by id."""
        return self._table("optimizers", Optimizer)

    @cached_property
    def stacks(self) -> Mapping[str, Stack]:
        """Training software stacks by id."""
        return self._table("stacks", Stack)

    @cached_property
    def engines(self) -> Mapping[str, Engine]:
        """Serving engines by id."""
        return self._table("engines", Engine)

    @cached_property
    def architectures(self) -> Mapping[str, Architecture]:
        """Accelerator architectures by id."""
        return self._table("architectures", Architecture)

    @cached_property
    def edge_devices(self) -> Mapping[str, EdgeDevice]:
        """Edge devices by id."""
        return self._table("edge_devices", EdgeDevice)

    @cached_property
    def power_modes(self) -> Mapping[str, PowerMode]:
        """Power modes of edge devices by id."""
        return self._table("power_modes", PowerMode)

    @cached_property
    def edge_families(self) -> Mapping[str, EdgeFamily]:
        """Fitted constants of families of edge devices by id."""
        return self._table("edge_families", EdgeFamily)

    @cached_property
    def recipes(self) -> Mapping[str, Recipe]:
        """Quantisation and distillation by id."""
        return self._table("recipes", Recipe)

    @cached_property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """Raw model rows by id; `groundplan.workload.models.load_model` turns one into a model."""
        return ModelTable(self.model_files())

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """Host prices; the user's replace built-in ones of the same host, region and option."""
        mine = [self._complete(place, price) for place, price in self._user.prices]
        own = {(price.host, price.region, price.option): price for price in mine}
        built_in = read_prices(DATA / "prices.csv")
        kept = [p for p in built_in if (p.host, p.region, p.option) not in own] if own else built_in
        return (*kept, *own.values())

    @cached_property
    def storage_prices(self) -> tuple[StoragePrice, ...]:
        """Prices of storing, reading and moving data."""
        return read_storage_prices(DATA / "storage_prices.csv")

    def model_files(self) -> Mapping[str, Path]:
        """Return model id -> JSON file, built-in and the user's."""
        return model_files((DATA, *self._folders))

    # -- lookups by what people type -------------------------------------------------------------------------------

    def accelerator(self, name: str) -> Accelerator:
        """Return the accelerator people call `name`, such as ``H100`` or ``NVIDIA A100-SXM4-80GB``."""
        return self.accelerators[self.find("accelerators", name)]

    def host(self, name: str) -> Host:
        """Return the host or instance type people call `name`."""
        return self.hosts[self.find("hosts", name)]

    def cpu(self, name: str) -> Cpu:
        """Return the CPU people call `name`."""
        return self.cpus[self.find("cpus", name)]

    def fabric(self, name: str) -> Fabric:
        """Return the fabric people call `name`, such as ``NDR`` or ``EFA v2``."""
        return self.fabrics[self.find("fabrics", name)]

    def storage_product(self, name: str) -> StorageProduct:
        """Return the storage product people call `name`, such as ``S3``."""
        return self.storage[self.find("storage", name)]

    def grid(self, name: str) -> Grid:
        """Return the grid people call `name`, such as ``aws us-east-1`` or ``Germany``."""
        return self.grids[self.find("grids", name)]

    def precision(self, name: str) -> Precision:
        """Return the training precision people call `name`."""
        return self.precisions[self.find("precisions", name)]

    def optimizer(self, name: str) -> Optimizer:
        """Return the optimizer people call `name`."""
        return self.optimizers[self.find("optimizers", name)]

    def stack(self, name: str) -> Stack:
        """Return the software stack people call `name`."""
        return self.stacks[self.find("stacks", name)]

    def engine(self, name: str) -> Engine:
        """Return the serving engine people call `name`, such as ``vLLM`` or ``TensorRT-LLM``."""
        return self.engines[self.find("engines", name)]

    def find(self, kind: str, name: str) -> str:
        """Return the id that `name` means among the rows of a kind.

        Raises
        ------
        UnknownName
            With the nearest names.
        """
        table = self.table(kind)
        if name in table:
            return name
        if kind not in self._indexes:
            self._indexes[kind] = NameIndex(SINGULAR[kind], table)
        return self._indexes[kind].find(name)

    def table(self, kind: str) -> Mapping[str, Row]:
        """Return the table of a kind: accelerators, hosts, cpus, fabrics, storage, grids, ..."""
        return cast("Mapping[str, Row]", getattr(self, kind))

    # -- questions -------------------------------------------------------------------------------------------------

    def prices_of(self, host_id: str, option: str | None = None, region: str | None = None) -> list[Price]:
        """Return the prices of a host, of one purchase option or region when given."""
        return [
            price
            for price in self._prices_by_host.get(host_id, ())
            if (option is None or price.option == option) and (region is None or price.region == region)
        ]

    def storage_prices_of(
        self, product_id: str, quantity: str | None = None, region: str | None = None
    ) -> list[StoragePrice]:
        """Return the prices of a storage product, of one quantity or region when given."""
        return [
            price
            for price in self.storage_prices
            if price.product == product_id
            and (quantity is None or price.quantity == quantity)
            and (region is None or price.region == region)
        ]

    def default_stack(self, accelerator: Accelerator) -> Stack:
        """Return the stack taken when a brief names none: by architecture, else by device class."""
        for key in (accelerator.architecture, accelerator.device_class):
            for stack in self.stacks.values():
                figure = stack.figures.get("default_for")
                if figure is not None and key in str(figure.value).split("|"):
                    return stack
        return self.stacks[OTHER_STACK]

    def architecture_of(self, accelerator: Accelerator) -> Architecture:
        """Return the fitted shares of the accelerator's architecture, or those of an unknown one."""
        return self.architectures.get(accelerator.architecture) or self.architectures[OTHER_ARCHITECTURE]

    def grid_of(self, provider: str, region: str) -> Grid | None:
        """Return the electricity of a provider's region; of the provider anywhere when the region is not known."""
        return self._grids_by_place.get((provider, region)) or self._grids_by_place.get((provider, ""))

    @cached_property
    def version(self) -> str:
        """Date of the built-in data, and a digest of the user's rows where there are any."""
        texts = list(self._user.texts)
        texts += [path.read_text(encoding="utf-8", errors="replace") for path in model_files(self._folders).values()]
        return f"{VERSION}+{sha256(chr(0).join(texts).encode()).hexdigest()[:8]}" if texts else VERSION

    def unrefined(self) -> Catalog:
        """Return the catalog without the constants that `groundplan calibrate --rows` wrote into the user's folders."""
        return Catalog(self._folders, refinements=False)

    def check_user_rows(self) -> None:
        """Read all of the user's rows that a measured run may name, so that an error of theirs is no run's.

        Raises
        ------
        InputError
            What is wrong in the user's files.
        """
        for kind in NAMED_BY_RUNS:
            getattr(self, kind)

    # -- reading ---------------------------------------------------------------------------------------------------

    @cached_property
    def _user(self) -> UserRows:
        return read_user_rows(self._folders, self._refinements)

    @cached_property
    def _prices_by_host(self) -> Mapping[str, list[Price]]:
        by_host: dict[str, list[Price]] = {}
        for price in self.prices:
            by_host.setdefault(price.host, []).append(price)
        return by_host

    @cached_property
    def _grids_by_place(self) -> Mapping[tuple[str, str], Grid]:
        return {(grid.provider, grid.region): grid for grid in self.grids.values()}

    def _complete(self, place: str, price: Price) -> Price:
        """Find the host a user's price is for, and take its provider where none is said."""
        try:
            host = self.host(price.host)
        except UnknownName as error:
            raise UnknownName(f"host of the price in {place}:", error.name, error.nearest or self.hosts) from None
        return replace(price, host=host.id, provider=price.provider or host.provider)

    def _table(self, kind: str, row_type: type[AnyRow]) -> Mapping[str, AnyRow]:
        assert ROW_TYPES[kind] is row_type
        figures = read_figures(DATA / f"{kind}.csv", kind)
        rows = {identity: cast("AnyRow", typed_row(kind, identity, own)) for identity, own in figures.items()}
        mine = self._user.rows.get(kind)
        if mine:
            for identity, row in merged_rows(kind, mine, figures, NameIndex(SINGULAR[kind], rows)).items():
                rows[identity] = cast("AnyRow", row)
        return rows


def load_catalog(folders: Sequence[Path] | None = None) -> Catalog:
    """Return the catalog: the built-in data and the user's rows.

    Parameters
    ----------
    folders : sequence of Path, optional
        Folders of the user's rows. By default those in ``$GROUNDPLAN_CATALOG``, ``./groundplan.d`` and
        ``~/.config/groundplan/catalog``; a folder named first wins.

    Raises
    ------
    InputError
        When a folder that was asked for does not exist.
    """
    asked = list(folders) if folders is not None else _folders_of_environment()
    for folder in asked:
        if not Path(folder).is_dir():
            raise InputError(f"catalog folder {folder} is no folder", f"make it, or correct {FOLDERS_VARIABLE}")
    usual = [] if folders is not None else [Path("groundplan.d"), Path("~/.config/groundplan/catalog").expanduser()]
    found = [Path(folder) for folder in asked] + [folder for folder in usual if folder.is_dir()]
    return Catalog(tuple(reversed(found)))


def _folders_of_environment() -> list[Path]:
    return [Path(part).expanduser() for part in os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep) if part]
