"""The device benchmark: its rows are measured runs, its errors one line, its models real decoders."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from groundplan.validation.measured import COLUMNS, NEEDED, read_measured

DEVICE = Path(__file__).resolve().parents[2] / "benchmarks" / "device"
DTYPES = ("fp32", "bf16")


def loaded(*names: str) -> list[ModuleType]:
    """Import modules of the script's folder, which is no package, as the script itself does."""
    sys.path.insert(0, str(DEVICE))
    try:
        return [import_module(name) for name in names]
    finally:
        sys.path.remove(str(DEVICE))


cases, machine, rows, timing, worker = loaded("cases", "machine", "rows", "timing", "worker")
HERE = machine.Machine("cuda", "NVIDIA H100 80GB HBM3", ("bf16", "fp32"), "2.13.0", 16, "700 W")


def script(*arguments: object, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [python, str(DEVICE / "measure.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=120, check=False
    )


def pretended_torch(folder: Path, body: str, **modules: str) -> str:
    """Write a package named torch that does what `body` says; return the path that finds it first."""
    (folder / "torch").mkdir()
    (folder / "torch" / "__init__.py").write_text(body)
    for name, text in modules.items():
        (folder / "torch" / f"{name}.py").write_text(text)
    return str(folder)


WORKING = """
__version__ = '2.13.0+cpu'
get_num_threads = lambda: 2
class cuda:
    is_available = staticmethod(lambda: False)
"""


def step_found(seconds: float = 0.25, peak: int | None = 40_000_000_000):
    step = cases.Step(cases.LLAMA_1100M, 2048, 4, 2, "bf16", compiled=True)
    return worker.Measurement(step, timing.Timing(seconds, 0.01, 12), 1_100_000_000, peak)


def test_steps_are_written_in_the_columns_of_measured_runs(shared: Path) -> None:
    with (shared / "truth" / "training_open.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == rows.STEP_COLUMNS


def test_the_validator_reads_the_columns() -> None:
    assert rows.STEP_COLUMNS == COLUMNS


def test_a_step_row_says_what_a_measured_run_needs(tmp_path: Path) -> None:
    rows.write_rows(tmp_path / "rows.csv", rows.STEP_COLUMNS, [rows.step_row(step_found(), HERE, 2026)])
    [run] = read_measured(tmp_path / "rows.csv")
    assert all(run.text(column) for column in NEEDED)
    assert run.size("global_batch_seqs") == 8
    assert run.number("step_time_s") == 0.25
    assert run.number("tokens_per_s_per_gpu") == 8 * 2048 / 0.25
    assert run.number("peak_mem_gb") == 40.0
    assert (run.text("framework"), run.text("recompute")) == ("PyTorch compiled", "none")
    assert "power limit 700 W" in run.text("notes")


def test_a_processor_states_no_peak_memory() -> None:
    assert rows.step_row(step_found(peak=None), HERE, 2026)["peak_mem_gb"] == ""


@pytest.mark.parametrize(
    ("case", "seconds", "column", "rate"),
    [
        (cases.Gemm(1000, 1000, 500, "bf16"), 1e-3, "tflops", 1.0),
        (cases.Attention(1, 1, 1000, 50, "bf16", backward=False), 1e-3, "tflops", 0.1),
        (cases.Attention(1, 1, 1000, 50, "bf16", backward=True), 1e-3, "tflops", 0.25),
        (cases.Bandwidth("copy", 1000), 2**20 * 1e-9, "gb_per_s", 2000.0),
        (cases.Bandwidth("add", 1000), 2**20 * 1e-9, "gb_per_s", 3000.0),
    ],
)
def test_kernel_rates_are_operations_or_bytes_over_seconds(case, seconds, column, rate) -> None:
    row = rows.kernel_row(worker.Measurement(case, timing.Timing(seconds, 0.0, 5)), HERE)
    assert set(row) <= set(rows.KERNEL_COLUMNS)
    assert row[column] == pytest.approx(rate)
    assert ("tflops" in row) != ("gb_per_s" in row)


@pytest.mark.parametrize("cuda", [False, True])
@pytest.mark.parametrize("quick", [False, True])
def test_grids_are_fixed_and_name_each_case_once(cuda: bool, quick: bool) -> None:
    found = cases.cases(cases.KINDS, cuda, DTYPES, quick)
    assert found == cases.cases(cases.KINDS, cuda, DTYPES, quick)
    assert len({case.name for case in found}) == len(found)
    for case in found:
        if isinstance(case, cases.Step):
            assert case.model.heads * case.model.head_dim == case.model.hidden
            assert case.model.heads % case.model.kv_heads == 0


def test_a_quick_run_spans_models_of_one_to_sixty_million_parameters() -> None:
    models = {case.model for case in cases.cases(("step",), False, ("fp32",), True)}
    sizes = [parameters(model) for model in models]
    assert min(sizes) < 2e6 and max(sizes) > 55e6
    assert len(cases.cases(("step",), False, DTYPES, True)) >= 12


def test_only_the_kinds_asked_for_are_measured() -> None:
    assert {type(case) for case in cases.cases(("bandwidth",), True, DTYPES, False)} == {cases.Bandwidth}


def test_median_and_spread_ignore_one_outlier() -> None:
    calm, disturbed = timing.summarize([1.0] * 9), timing.summarize([1.0] * 8 + [50.0])
    assert calm == disturbed == timing.Timing(1.0, 0.0, 9)


@pytest.mark.parametrize(("call_s", "repeats"), [(100.0, 3), (1.0, 11), (0.001, 50)])
def test_samples_end_with_the_budget_but_are_never_fewer_than_three(call_s: float, repeats: int) -> None:
    now = [0.0]

    def call() -> None:
        now[0] += call_s

    found = timing.repeat(call, lambda: None, budget_s=10.5, sample_s=0.0, clock=lambda: now[0])
    assert found.repeats == repeats
    assert found.seconds == pytest.approx(call_s)


def test_short_calls_share_a_sample() -> None:
    now, calls = [0.0], count()

    def call() -> None:
        now[0] += 1e-4
        next(calls)

    found = timing.repeat(call, lambda: None, budget_s=1.0, sample_s=0.01, clock=lambda: now[0])
    assert found.seconds == pytest.approx(1e-4)
    assert next(calls) >= 100 * found.repeats


def test_the_table_names_and_counts_what_was_skipped() -> None:
    skipped = worker.Skipped(cases.Gemm(8, 8, 8, "fp32"), "out of memory")
    lines = rows.table([step_found(), skipped], HERE).splitlines()
    assert lines[0].startswith("NVIDIA H100 80GB HBM3") and "65,536 tokens/s" in lines[2]
    assert lines[3].startswith("gemm 8x8x8 fp32") and lines[3].endswith("skipped: out of memory")
    assert lines[4] == "1 measured, 1 skipped"


@pytest.mark.parametrize(
    ("body", "device", "says"),
    [
        ("raise OSError('libcublas.so.12: cannot open shared object file')", "auto", "libcublas.so.12: cannot open"),
        ("__version__ = '1.13.1'", "auto", "PyTorch 1.13.1 is too old; install it first: pip install torch>=2.5"),
        (WORKING, "cuda", "sees no CUDA device; use --device cpu"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path: Path, body: str, device: str, says: str) -> None:
    path = pretended_torch(tmp_path, body)
    done = script("--out", tmp_path / "rows.csv", "--device", device, PYTHONPATH=path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr


@pytest.mark.skipif(find_spec("torch") is not None, reason="this Python has PyTorch")
def test_without_pytorch_it_says_how_to_install_it(tmp_path: Path) -> None:
    done = script("--out", tmp_path / "rows.csv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install torch" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--out"),
        (["--out", "rows.csv", "--only", "gemm,convolution"], "'convolution' is no kind of case; choose from gemm"),
        (["--out", "rows.csv", "--device", "tpu"], "choose from"),
        (["--out", "/no/such/folder/rows.csv"], "rows.csv cannot be written; name a file in an existing"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_runs(arguments: list[str], says: str) -> None:
    done = script(*arguments)
    assert done.returncode == 2
    assert says in done.stderr and "Traceback" not in done.stderr


def test_a_case_whose_process_dies_is_skipped_and_the_next_one_tried(tmp_path: Path) -> None:
    path = pretended_torch(tmp_path, WORKING, nn="import os; os._exit(9)")
    done = script("--out", tmp_path / "rows.csv", "--only", "bandwidth", "--quick", PYTHONPATH=path)
    assert done.returncode == 1
    assert done.stdout.count("skipped: its process died (exit 9)") == 2
    assert "0 measured, 2 skipped" in done.stdout


def test_a_case_that_hangs_is_ended_at_its_limit(tmp_path: Path) -> None:
    path = pretended_torch(tmp_path, WORKING, nn="import time; time.sleep(600)")
    code = (
        f"import sys; sys.path.insert(0, {str(DEVICE)!r}); from worker import Worker; from cases import Gemm;"
        "worker = Worker('cpu'); print(worker.measure(Gemm(8, 8, 8, 'fp32'), 0.1, 1.0).reason); worker.close()"
    )
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.stdout == "ended after 1 s\n", done.stderr


def parameters(model) -> int:
    """Return what a decoder of these sizes has, positions left out: embeddings, projections, norms, biases."""
    inward = model.hidden * (model.heads + 2 * model.kv_heads) * model.head_dim
    outward = model.hidden * model.heads * model.head_dim
    if model.style == "llama":
        layer = inward + outward + 3 * model.hidden * model.ffn + 2 * model.hidden
        return 2 * model.vocab * model.hidden + model.layers * layer + model.hidden
    biases = 3 * model.hidden + model.hidden + model.ffn + model.hidden
    layer = inward + outward + 2 * model.hidden * model.ffn + biases + 4 * model.hidden
    return model.vocab * model.hidden + model.layers * layer + 2 * model.hidden


@pytest.fixture(scope="module")
def torch_python() -> str:
    """A Python that has PyTorch; the project does not depend on it."""
    named = os.environ.get("GROUNDPLAN_TORCH_PYTHON")
    if named:
        return named
    if find_spec("torch") is None:
        pytest.skip("needs PyTorch: set GROUNDPLAN_TORCH_PYTHON to a Python that has it")
    return sys.executable


def in_torch(python: str, code: str) -> dict[str, float]:
    """Run code beside the script's modules in the Python that has PyTorch; return what it leaves in `answer`."""
    whole = f"import sys, json; sys.path.insert(0, {str(DEVICE)!r})\nimport torch\n{code}\nprint(json.dumps(answer))"
    done = subprocess.run([python, "-c", whole], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


DECODER = """
from cases import Shape
from models import Decoder
torch.manual_seed(1)
shape = Shape({style!r}, 64, 2, 4, {kv_heads}, 160, 1000)
model = Decoder(shape, 32)
"""


@pytest.mark.parametrize(("style", "kv_heads"), [("gpt", 4), ("llama", 2)])
def test_decoders_have_the_parameters_of_their_sizes_and_learn(torch_python: str, style: str, kv_heads: int) -> None:
    code = """
text = torch.randint(1000, (2, 33))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
losses = []
for _ in range(12):
    loss = model(text[:, :-1], text[:, 1:])
    losses.append(float(loss))
    loss.backward(); optimizer.step(); optimizer.zero_grad()
answer = {"first": losses[0], "last": losses[-1], "parameters": sum(p.numel() for p in model.parameters())}
"""
    found = in_torch(torch_python, DECODER.format(style=style, kv_heads=kv_heads) + code)
    positions = 32 * 64 if style == "gpt" else 0
    assert found["parameters"] == parameters(cases.Shape(style, 64, 2, 4, kv_heads, 160, 1000)) + positions
    assert found["first"] == pytest.approx(math.log(1000), rel=0.05)
    assert found["last"] < 0.7 * found["first"]


@pytest.mark.parametrize(("style", "kv_heads"), [("gpt", 4), ("llama", 2)])
def test_no_token_sees_the_ones_after_it(torch_python: str, style: str, kv_heads: int) -> None:
    code = """
states = []
model.norm.register_forward_hook(lambda module, inputs, output: states.append(output))
text = torch.randint(1000, (1, 32))
other = text.clone(); other[0, -1] = (other[0, -1] + 1) % 1000
model(text, text); model(other, other)
gap = (states[0] - states[1]).abs().amax(dim=-1)[0]
answer = {"before": float(gap[:-1].max()), "there": float(gap[-1])}
"""
    found = in_torch(torch_python, DECODER.format(style=style, kv_heads=kv_heads) + code)
    assert found["before"] < 1e-5 < found["there"]


def test_rotation_keeps_lengths_and_knows_only_distances(torch_python: str) -> None:
    code = """
from models import rotate, rotations
cosine, sine = rotations(64, 16)
query, key = (torch.randn(16).expand(1, 1, 64, 16) for _ in range(2))
turned = rotate(query, cosine, sine)[0, 0], rotate(key, cosine, sine)[0, 0]
scores = turned[0] @ turned[1].T
answer = {"length": float((turned[0].norm(dim=-1) - query[0, 0].norm(dim=-1)).abs().max()),
          "distance": float((scores[1:, 1:] - scores[:-1, :-1]).abs().max()), "spread": float(scores.std())}
"""
    found = in_torch(torch_python, code)
    assert found["length"] < 1e-4 and found["distance"] < 1e-4 < found["spread"]


def test_a_step_of_more_micro_batches_takes_longer(torch_python: str) -> None:
    code = """
from cases import GPT_1M, Step
from worker import attempt
one, eight = (attempt(Step(GPT_1M, 64, 1, micro, "fp32"), "cpu", 0.2).timing.seconds for micro in (1, 8))
answer = {"one": one, "eight": eight}
"""
    found = in_torch(torch_python, code)
    assert 2.0 * found["one"] < found["eight"]


def test_every_kind_of_case_is_measured(torch_python: str) -> None:
    code = """
from cases import GPT_1M, Attention, Gemm, Step
from worker import attempt
tried = [Gemm(64, 64, 64, "bf16"), Attention(1, 2, 64, 32, "fp32", True), Attention(1, 2, 64, 32, "bf16", False),
         Step(GPT_1M, 32, 1, 1, "bf16")]
answer = {case.name: attempt(case, "cpu", 0.01).timing.seconds for case in tried}
"""
    found = in_torch(torch_python, code)
    assert len(found) == 4 and min(found.values()) > 0.0


def test_a_case_beyond_the_memory_is_named_and_skipped(torch_python: str) -> None:
    code = """
from cases import Gemm
from worker import attempt
answer = {"reason": attempt(Gemm(2**22, 2**22, 8, "fp32"), "cpu", 0.1).reason}
"""
    assert in_torch(torch_python, code) == {"reason": "out of memory"}


def test_a_run_measures_and_both_files_are_written(torch_python: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    done = script("--out", out, "--quick", "--device", "cpu", "--only", "bandwidth", python=torch_python)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "rows-kernels.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert {(row["kind"], row["direction"]) for row in found} == {("bandwidth", "copy"), ("bandwidth", "add")}
    assert all(float(row["seconds"]) > 0.0 and int(row["repeats"]) >= 3 for row in found)
    assert out.read_text(encoding="utf-8").strip() == ",".join(rows.STEP_COLUMNS)
