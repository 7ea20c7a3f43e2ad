"""The catalog engine: lookup by what people type, lazy tables, prices, integrity."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundplan.catalog.catalog import load_catalog
from groundplan.catalog.check import check_catalog
from groundplan.catalog.names import folded
from groundplan.catalog.schema import ROW_TYPES, schema
from groundplan.catalog.units import BASE_UNITS, read_quantity, to_base
from groundplan.errors import InputError, UnknownName
from groundplan.evidence import Evidence


@pytest.fixture(scope="module")
def catalog():
    return load_catalog([])


@pytest.mark.parametrize(
    ("typed", "identity"),
    [
        ("H100", "h100-sxm"),
        ("h100_sxm", "h100-sxm"),
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("A100", "a100-sxm-80"),
        ("a100-80gb", "a100-sxm-80"),
        ("NVIDIA A100-SXM4-40GB", "a100-sxm-40"),
        ("MI300X", "mi300x"),
        ("AMD Instinct MI300X", "mi300x"),
        ("RTX 4090", "rtx4090"),
        ("NVIDIA GeForce RTX 4090", "rtx4090"),
        ("TPU v5p", "tpu-v5p"),
        ("v5p", "tpu-v5p"),
        ("Tesla V100", "v100-32"),
        ("GB200", "gb200"),
    ],
)
def test_an_accelerator_is_found_by_what_people_type(catalog, typed, identity):
    assert catalog.accelerator(typed).id == identity


def test_every_kind_is_found_by_what_people_type(catalog):
    assert catalog.fabric("NDR").id == "infiniband-ndr"
    assert catalog.fabric("EFA v2").id == "efa-v2"
    assert catalog.storage_product("Amazon S3").id == "s3"
    assert catalog.optimizer("AdamW 8bit").id == "adamw-8bit"
    assert catalog.precision("BFloat16").id == "bf16"
    assert catalog.stack("NeMo").id == "nemo"
    assert catalog.cpu("EPYC 9654").id == "epyc-9654"
    assert catalog.grid("Germany").id == "on-prem-de"


def test_every_row_answers_to_its_id_name_and_aliases(catalog):
    for kind in ROW_TYPES:
        for row in catalog.table(kind).values():
            assert all(catalog.find(kind, name.upper()) == row.id for name in (row.id, row.name, *row.aliases))


def test_an_unknown_name_gets_the_nearest(catalog):
    with pytest.raises(UnknownName) as caught:
        catalog.accelerator("a100-sxm-8")
    assert "a100-sxm-80" in caught.value.nearest
    with pytest.raises(UnknownName):
        catalog.accelerator("")


@given(st.text(max_size=40))
def test_any_text_is_found_or_unknown_and_folding_twice_changes_nothing(text):
    assert folded(folded(text)) == folded(text)
    try:
        assert CATALOG.accelerator(text).id in CATALOG.accelerators
    except UnknownName as error:
        assert repr(text) in error.what


CATALOG = load_catalog([])


def test_the_built_in_catalog_has_no_problem(catalog):
    report = check_catalog(catalog)
    assert report.problems == ()
    assert report.figures > 3000


def test_every_figure_is_in_base_units_with_a_source_and_unknown_has_no_value(catalog):
    for kind in ROW_TYPES:
        for row in catalog.table(kind).values():
            for name, figure in row.figures.items():
                assert figure.source
                assert figure.unit == schema()[kind][name].unit
                assert (figure.value is None) == (figure.evidence is Evidence.UNKNOWN)


def test_units_measure_what_they_say():
    assert to_base(80, "GiB", "bytes") == 80 * 2**30
    assert to_base(400, "Gb/s", "bit/s") == to_base(50, "GB/s", "bit/s") == 400e9
    assert to_base(125, "MB/s/TiB", "bytes/s/TiB") == 125e6
    assert read_quantity("1,979 TFLOP/s", "FLOP/s") == 1.979e15
    assert read_quantity("700", "W") == 700
    assert to_base(1, "GB", "W") is None and read_quantity("96 GB HBM", "bytes") is None


def test_every_unit_of_the_schema_is_known():
    for attributes in schema().values():
        for attribute in attributes.values():
            assert attribute.type in ("text", "list", "flag") or attribute.unit in BASE_UNITS


def test_the_default_stack_follows_the_accelerator(catalog):
    stacks = {name: catalog.default_stack(catalog.accelerators[name]).id for name in ("h100-sxm", "rtx4090", "tpu-v5p")}
    assert stacks == {"h100-sxm": "megatron-core", "rtx4090": "fsdp", "tpu-v5p": "xla"}


def test_every_accelerator_has_an_architecture_to_estimate_with(catalog):
    assert catalog.architecture_of(catalog.accelerators["h200-sxm"]).id == "hopper"
    assert catalog.architecture_of(catalog.accelerators["apple-m4-max"]).id == "generic"


def test_the_grid_of_an_unknown_region_is_the_providers(catalog):
    assert catalog.grid_of("aws", "us-east-1").region == "us-east-1"
    assert catalog.grid_of("aws", "mars-north-1").id == "aws"
    assert catalog.grid_of("nobody", "") is None


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        load_catalog([tmp_path / "nowhere"])


def test_importing_the_catalog_loads_nothing_heavy():
    heavy = "{'pydantic', 'rich', 'typer', 'pandas', 'yaml', 'altair'}"
    code = "import sys, groundplan.catalog.catalog as c; c.load_catalog([]).accelerators; "
    code += f"print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
