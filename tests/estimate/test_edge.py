"""Edge figures: published frame times within the family's errors, and what must hold whatever the constants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from groundplan.catalog.catalog import Catalog, load_catalog
from groundplan.estimate.edge import EdgeDesign, estimate, frame_terms, modes_of
from groundplan.validation.edge import edge_design, frame_s
from groundplan.workload.mission import Mission
from groundplan.workload.model import SampleModel
from groundplan.workload.models import load_model

YOLO11 = ("yolo11n", "yolo11s", "yolo11m", "yolo11l", "yolo11x")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog([])


def vision(name: str, catalog: Catalog) -> SampleModel:
    model = load_model(name, catalog)
    assert isinstance(model, SampleModel)
    return model


def design(device: str, mode: str, name: str, precision: str, catalog: Catalog) -> EdgeDesign:
    model = vision(name, catalog)
    assert model.input_side is not None
    return edge_design(device, mode, model, model.input_side, precision, catalog)


def mission(**changes: object) -> Mission:
    usual = Mission(
        models=(),
        devices=(),
        precisions=("fp16",),
        power_modes=(),
        quantisation=(),
        distillation=False,
        frames_per_s=30.0,
        latency_s=None,
        flight_s=1500.0,
        battery_j=None,
        battery_share=1.0,
        ambient_c=25.0,
        thermal_resistance=None,
        uploads=0.0,
        upload_bytes=0.0,
        uplink_bits_per_s=None,
        usd_per_gb=None,
        side=None,
        accuracy=None,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "mode", "model", "precision", "published_ms"),
    [
        ("jetson-orin-nano-super", "maxn", "yolo11n", "fp16", 4.91),
        ("jetson-orin-nano-super", "maxn", "yolo11x", "int8", 20.72),
        ("jetson-orin-nx-16", "maxn", "yolo11m", "fp16", 14.45),
        ("jetson-orin-nano-super", "15w", "yolov8m", "fp16", 23.6),
        ("coral-dev-board", "", "vgg-16", "int8", 343.0),
        ("coral-usb", "", "inception-v1", "int8", 3.4),
        ("hailo-8l", "", "yolov8m", "int8", 1e3 / 38),
    ],
)
def test_published_frame_times(
    device: str, mode: str, model: str, precision: str, published_ms: float, catalog: Catalog
) -> None:
    assert frame_s([design(device, mode, model, precision, catalog)])[0] * 1e3 == pytest.approx(published_ms, rel=0.25)


def test_a_larger_model_is_never_faster(catalog: Catalog) -> None:
    for device in catalog.edge_devices.values():
        for precision in device.flops:
            times = frame_s([design(device.id, "", name, precision, catalog) for name in YOLO11])
            assert np.isnan(times).all() or (np.diff(times) > 0.0).all(), (device.id, precision)


def test_more_watts_are_never_slower(catalog: Catalog) -> None:
    for device in catalog.edge_devices.values():
        for precision in device.flops:
            modes = [mode.mode for mode in modes_of(device, catalog)]
            times = frame_s([design(device.id, mode, "yolo11s", precision, catalog) for mode in modes])
            known = times[~np.isnan(times)]
            assert (np.diff(known) <= 1e-12).all(), (device.id, precision)


def test_a_narrower_precision_is_never_slower(catalog: Catalog) -> None:
    for name in YOLO11:
        times = frame_s([design("jetson-orin-nx-16", "", name, p, catalog) for p in ("fp32", "fp16", "int8")])
        assert (np.diff(times) < 0.0).all()


def test_terms_sum_to_the_latency(catalog: Catalog) -> None:
    designs = [design("jetson-orin-nx-16", "15w", name, "int8", catalog) for name in YOLO11]
    found = estimate(designs, mission())
    assert np.sum([*found.frame_terms.values()], axis=0) == pytest.approx(found.latency_s)
    assert np.sum([*frame_terms(designs).values()], axis=0) == pytest.approx(1.0 / found.frames_per_s)


def test_more_frames_take_more_energy_up_to_the_most_there_are(catalog: Catalog) -> None:
    one = [design("jetson-orin-nano-super", "15w", "yolo11m", "fp16", catalog)]
    energies = [float(estimate(one, mission(frames_per_s=rate)).energy_j[0]) for rate in (1.0, 10.0, 30.0, 300.0)]
    assert energies == sorted(energies) and energies[0] < energies[2]
    assert float(estimate(one, mission(frames_per_s=3000.0)).energy_j[0]) == energies[3]


def test_heat_slows_a_device_down(catalog: Catalog) -> None:
    one = [design("jetson-orin-nx-16", "maxn", "yolo11x", "fp16", catalog)]
    cool, hot = (estimate(one, mission(ambient_c=ambient, thermal_resistance=4.0)) for ambient in (0.0, 55.0))
    assert float(hot.frames_per_s[0]) < float(cool.frames_per_s[0])
    assert float(hot.temperature_c[0]) <= 99.0


def test_intervals_hold_their_value(catalog: Catalog) -> None:
    found = estimate([design(d, "", "yolov8n", "int8", catalog) for d in ("hailo-8", "jetson-orin-nx-16")], mission())
    assert (found.frames_low <= found.frames_per_s).all() and (found.frames_per_s <= found.frames_high).all()
    assert (found.energy_low_j <= found.energy_j).all() and (found.energy_j <= found.energy_high_j).all()


def test_unknown_stays_unknown(catalog: Catalog) -> None:
    thor = estimate([design("jetson-thor-t5000", "40w", "yolo11s", "fp16", catalog)], mission())
    assert np.isnan(thor.latency_s[0]) and np.isnan(thor.energy_j[0])
    phone = estimate([design("galaxy-s24", "", "yolov8n", "int8", catalog)], mission())
    assert not np.isnan(phone.latency_s[0]) and np.isnan(phone.energy_j[0])
