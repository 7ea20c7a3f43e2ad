"""The data set of a brief: its stored size, its samples, and how many tokens a run reads from it."""

from __future__ import annotations

from groundplan.quantities import format_bytes, format_number
from groundplan.workload.job import Dataset
from groundplan.workload.model import Model, SampleModel
from groundplan.workload.reading import Reading
from groundplan.workload.schema import DatasetSection

KINDS = ("text", "tokens", "images", "records")
FORMATS = ("raw", "csv", "jsonl", "parquet", "tfrecord", "webdataset", "tokens")

TEXT_BYTES_PER_TOKEN = 4.0  # English under byte-pair encoding; help.openai.com "What are tokens and how to count them"
IMAGE_BYTES = 114_660.0  # mean JPEG of ImageNet; github.com/mlcommons/storage, resnet50 record length
IMAGE_SOURCE = "mean ImageNet JPEG in MLPerf Storage's ResNet-50 (train.dataset.sample_size)"
SMALL_VOCABULARY = 1 << 16  # token ids up to here are stored in two bytes, larger ones in four


def read_dataset(
    section: DatasetSection | None, tokens_given: float | None, model: Model, sequence: int, reading: Reading
) -> tuple[Dataset, float]:
    """Return the data set and the tokens (samples for a `SampleModel`) of the whole run.

    Tokens come from `train.tokens`, else from the data set: size / bytes per token x epochs, or samples x sequence
    x epochs. Where both are given the epochs follow. Without a data set one of ready-made tokens is assumed.

    Raises
    ------
    InputError
        When it says too little, or says one thing twice.
    """
    if tokens_given is not None and (isinstance(model, SampleModel) or model.domain == "image"):
        raise reading.wrong(
            "train.tokens",
            f"{model.name} is trained on samples",
            "write dataset: {kind: images, samples: 1.28M, epochs: 90}",
        )
    if section is None:
        if tokens_given is None:
            raise reading.wrong(
                "train",
                "neither tokens nor dataset is given",
                "write e.g. tokens: 250e9, or dataset: {size: 1 TB, kind: text}",
            )
        section = DatasetSection()
    of_samples = isinstance(model, SampleModel) or model.domain == "image"
    kind = reading.choice(section.kind, "train.dataset.kind", KINDS, _usual_kind(section, tokens_given, of_samples))
    if of_samples == (kind in ("text", "tokens")):
        fitting = "images or records" if of_samples else "text or tokens"
        raise reading.wrong("train.dataset.kind", f"{model.name} is not trained on {kind}", f"write kind: {fitting}")
    if kind in ("text", "tokens"):
        return _of_tokens(section, kind, tokens_given, model, reading)
    return _of_samples(section, kind, sequence, reading)


def _usual_kind(section: DatasetSection, tokens_given: float | None, of_samples: bool) -> str:
    if of_samples:
        return "images"
    return "tokens" if section.size is None and section.samples is None and tokens_given is not None else "text"


def _of_tokens(
    section: DatasetSection, kind: str, tokens_given: float | None, model: Model, reading: Reading
) -> tuple[Dataset, float]:
    per_token, source = _bytes_per_token(section, kind, model, reading)
    compression = _compression(section, reading)
    stored = _stored_bytes(section, reading)
    epochs = reading.number(section.epochs, "ratio", "train.dataset.epochs")
    held = None if stored is None else stored * compression / per_token
    if tokens_given is None:
        if held is None:
            raise reading.wrong(
                "train.dataset", "its size is missing", "write size: 1 TB, or samples with sample_size, or train.tokens"
            )
        tokens = held * (epochs or 1.0)
    elif held is None:
        tokens = tokens_given
        held = tokens / (epochs or 1.0)
        stored = held * per_token / compression
    elif epochs is not None and abs(held * epochs / tokens_given - 1) > 1e-6:
        raise reading.wrong(
            "train.tokens",
            f"{format_number(tokens_given)} tokens are not {format_number(epochs)} epochs of a data set "
            f"of {format_number(held)} tokens",
            "give tokens or dataset.epochs, not both",
        )
    else:
        tokens = tokens_given
    dataset = Dataset(
        kind=kind,
        bytes=stored,
        samples=reading.number(section.samples, "count", "train.dataset.samples"),
        sample_bytes=per_token / compression,
        bytes_per_token=per_token,
        format=_format(section, "tokens" if kind == "tokens" else "raw", reading),
        compression_ratio=compression,
        epochs=tokens / held,
        sample_bytes_source=source,
    )
    return dataset, tokens


def _bytes_per_token(section: DatasetSection, kind: str, model: Model, reading: Reading) -> tuple[float, str]:
    given = reading.number(section.bytes_per_token, "bytes", "train.dataset.bytes_per_token")
    if given is not None:
        return given, "brief"
    if kind == "text":
        source = "English text under byte-pair encoding (train.dataset.bytes_per_token)"
        reading.assume("bytes_per_token", TEXT_BYTES_PER_TOKEN, "bytes/token", source)
        return TEXT_BYTES_PER_TOKEN, source
    width = 2.0 if getattr(model, "vocabulary", 0) <= SMALL_VOCABULARY else 4.0
    source = f"ready-made token ids of {width:.0f} bytes (train.dataset.bytes_per_token)"
    reading.assume("bytes_per_token", width, "bytes/token", source)
    return width, source


def _stored_bytes(section: DatasetSection, reading: Reading) -> float | None:
    """Return the stored size, from `size` or from samples of a known size."""
    size = reading.number(section.size, "bytes", "train.dataset.size")
    samples = reading.number(section.samples, "count", "train.dataset.samples")
    each = reading.number(section.sample_size, "bytes", "train.dataset.sample_size")
    if size is not None and samples is not None and each is not None and abs(samples * each / size - 1) > 0.01:
        raise reading.wrong(
            "train.dataset",
            f"samples x sample_size is {format_bytes(samples * each)}, size is {format_bytes(size)}",
            "give two of the three",
        )
    if size is None and samples is not None and each is not None:
        return samples * each
    return size


def _of_samples(section: DatasetSection, kind: str, sequence: int, reading: Reading) -> tuple[Dataset, float]:
    stored = _stored_bytes(section, reading)
    samples = reading.number(section.samples, "count", "train.dataset.samples")
    each = reading.number(section.sample_size, "bytes", "train.dataset.sample_size")
    source = "brief"
    if each is None and stored is not None and samples is not None:
        each = stored / samples
    elif each is None and kind == "images":
        each, source = IMAGE_BYTES, IMAGE_SOURCE
        reading.assume("sample_size", IMAGE_BYTES, "bytes", IMAGE_SOURCE)
    if each is None:
        raise reading.wrong("train.dataset", "the size of a record is unknown", "write sample_size: 2 MB")
    if samples is None:
        if stored is None:
            raise reading.wrong("train.dataset", "neither size nor samples is given", "write e.g. samples: 1.28M")
        samples = stored / each
    epochs = reading.number(section.epochs, "ratio", "train.dataset.epochs") or 1.0
    dataset = Dataset(
        kind=kind,
        bytes=samples * each if stored is None else stored,
        samples=samples,
        sample_bytes=each,
        bytes_per_token=None,
        format=_format(section, "raw", reading),
        compression_ratio=_compression(section, reading),
        epochs=epochs,
        sample_bytes_source=source,
    )
    return dataset, samples * epochs * sequence


def _compression(section: DatasetSection, reading: Reading) -> float:
    """Return uncompressed / stored size; no ratio is assumed for a named codec."""
    key = "train.dataset.compression"
    ratio = 1.0 if section.compression in (None, "none") else reading.number(section.compression, "ratio", key)
    if ratio is None or ratio < 1:
        raise reading.wrong(key, f"{section.compression!r} is below 1", "write uncompressed / stored size, e.g. 3")
    return ratio


def _format(section: DatasetSection, usual: str, reading: Reading) -> str:
    return reading.choice(section.format, "train.dataset.format", FORMATS, usual)
