"""Find the model a person names: a catalog name, a path to a `config.json`, or a mapping in the brief."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from groundplan.errors import CatalogError, InputError, UnknownName
from groundplan.workload.huggingface import Config, read_config, transformer_from_config
from groundplan.workload.inline import INLINE_KEYS, architecture_from_mapping, dense_shape
from groundplan.workload.model import Accuracy, Model, SampleModel, TransformerModel

# A size in place of a name: a dense shape of that many parameters is assumed.
SIZE = re.compile(r"\d+(\.\d+)?\s*[bBmMtT]")
# What repositories add to a model's name without changing its architecture.
VARIANT = re.compile(
    r"(instruct|chat|base|hf|it|pt|v0\.?\d|v1\.?0|\d{4}|fp8|fp4|nvfp4|mxfp4|awq|gptq|int4|int8|bf16|quantized)$"
)
MAX_NAME = 4096  # the longest path Linux opens


class ModelRows(Protocol):
    """The part of the catalog this room reads: raw model rows by id."""

    @property
    def models(self) -> Mapping[str, Mapping[str, Any]]:
        """Rows with id, name, aliases, source, evidence, and `config`, `architecture` or `sample`."""
        ...


def load_model(name_or_path: str, catalog: ModelRows) -> Model:
    """Return the model that `name_or_path` names.

    Case, spaces, underscores, the maker before a slash and endings such as -Instruct do not matter:
    ``meta-llama/Llama-3.1-8B-Instruct`` is ``llama-3.1-8b``. A bare size, ``7B``, is a dense GPT-like model of that
    many parameters, an assumption that its `source` states. What the catalog does not know is read as a
    `config.json`, or a folder that holds one, if there is such a path.

    Parameters
    ----------
    name_or_path : str
        Catalog id, name or alias, or a path.
    catalog : ModelRows
        The catalog.

    Raises
    ------
    UnknownName
        Neither in the catalog nor a path; carries the nearest names.
    InputError
        A file that is no config of a known family.
    """
    text = name_or_path.strip()
    if not text or "\0" in text or len(text) > MAX_NAME:
        raise InputError("the model is no name", "give a catalog name or a path to a config.json")
    rows = catalog.models
    if not text.endswith(".json") and not text.startswith((".", "/", "~")):
        identity = find_model(text, rows)
        if identity is not None:
            return model_from_row(rows[identity])
    is_path = text.endswith(".json") or text.startswith(("/", "./", "../", "~/"))
    if is_path or os.path.exists(text):  # not Path.exists: it raises for a name no file can have
        return _model_from_file(Path(text))
    if SIZE.fullmatch(text):
        return dense_shape(text.upper().replace(" ", ""), {})
    raise UnknownName("model", text.rsplit("/", 1)[-1], rows)


def find_model(name: str, rows: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the id of the row that `name` means, or None."""
    if name in rows:
        return name
    ids = _names_of(rows)
    base = name.rsplit("/", 1)[-1].lower()
    if model_key(name) in ids:  # ViT-B/16
        return ids[model_key(name)]
    while base:
        identity = ids.get(model_key(base))
        if identity is not None:
            return identity
        shorter = VARIANT.sub("", base).rstrip(" -_:.")
        if shorter == base:
            return None
        base = shorter
    return None


def model_key(name: str) -> str:
    """Return a name without case and punctuation; what stands between two digits is a point, so 13B is not 1.3B.

    >>> model_key("Llama 3.1_8B"), model_key("GPT-3 13B"), model_key("gpt3-1.3b")
    ('llama3.1.8b', 'gpt3.13b', 'gpt3.1.3b')
    """
    pointed = re.sub(r"(?<=[0-9])[^a-z0-9]+(?=[0-9])", "\0", name.lower())
    return re.sub(r"[^a-z0-9\0]", "", pointed).replace("\0", ".")


def model_from_mapping(mapping: Mapping[str, Any], base_folder: Path, catalog: ModelRows) -> Model:
    """Return the model a brief describes by a mapping.

    One of ``{name: llama-3.1-8b}``, ``{hf_config: path}`` (relative to `base_folder`), an architecture
    ``{layers, hidden, heads, vocab, ...}`` (see `inline.architecture_from_mapping`), or ``{parameters: 20e9}``,
    for which a dense GPT-like shape is assumed (see `inline.dense_shape`).

    Raises
    ------
    InputError
        A missing or impossible value; a misspelt key is an UnknownName.
    """
    valid = {"name", "hf_config", "parameters", *INLINE_KEYS}
    for key in mapping:
        if key not in valid:
            raise UnknownName("key of model", str(key), valid)
    name = mapping.get("name")
    if "hf_config" in mapping:
        path = mapping["hf_config"]
        if not isinstance(path, str) or not path.strip() or "\0" in path or len(path) > MAX_NAME:
            raise InputError("model hf_config is no path", "give the path of a config.json")
        return _model_from_file(Path(path), base_folder)
    if "layers" in mapping or "hidden" in mapping:
        return architecture_from_mapping(mapping)
    if "parameters" in mapping:
        return dense_shape(mapping["parameters"], mapping)
    if isinstance(name, str):
        return load_model(name, catalog)
    raise InputError(
        "model says too little", "give a name, hf_config, parameters, or layers with hidden, heads and vocab"
    )


def model_from_row(row: Mapping[str, Any]) -> Model:
    """Turn a catalog row into a model and hold it against the counts its source publishes.

    Raises
    ------
    CatalogError
        The row describes no model, or its config does not make the published counts.
    """
    identity, name, source = str(row["id"]), str(row.get("name") or row["id"]), str(row.get("source") or "")
    keys = Config(row, f"model {identity}")
    try:
        if "sample" in row:
            return _sample_model(Config(keys.section("sample").keys, source), identity, name)
        if "config" in row:
            model = transformer_from_config(Config(keys.section("config").keys, source), identity, name)
        elif "architecture" in row:
            sizes = {**keys.section("architecture").keys, "name": identity}
            model = architecture_from_mapping(sizes, name=name, source=source)
        else:
            raise InputError("there is no config, architecture or sample", "add one")
        published = keys.section("published").keys if row.get("published") is not None else {}
    except InputError as error:
        raise CatalogError(f"model {identity}: {error.what}", error.mend) from None
    _check_published(model, published)
    return model


def _check_published(model: TransformerModel, published: Mapping[str, Any]) -> None:
    for key in ("parameters", "active_parameters"):
        stated, found = published.get(key), getattr(model, key)
        if stated is not None and stated != found:
            raise CatalogError(
                f"model {model.id}: its config makes {found} {key}, its row says {stated}", "correct one of them"
            )


def _sample_model(config: Config, identity: str, name: str) -> SampleModel:
    return SampleModel(
        id=identity,
        name=name,
        family=str(config.keys.get("family", "other")),
        parameters=config.total("parameters"),
        forward_flops_per_sample=config.number("forward_flops"),
        activation_elements_per_sample=config.number("activation_elements"),
        source=config.source,
        domain=str(config.keys.get("domain", "image")),
        input_side=config.total("input_side") if config.keys.get("input_side") else None,
        accuracy=_accuracy(config),
    )


def _accuracy(config: Config) -> Accuracy | None:
    if config.keys.get("accuracy") is None:
        return None
    score = config.section("accuracy")
    value = score.number("value")
    texts = [str(score.keys.get(key) or "") for key in ("metric", "data", "source")]
    if value is None or not 0.0 < value <= 1.0 or not all(texts):
        raise InputError("accuracy says too little", "give metric, value (a share of 1), data and source")
    return Accuracy(texts[0], value, texts[1], texts[2])


def _model_from_file(path: Path, base_folder: Path = Path()) -> TransformerModel:
    try:
        path = base_folder / path.expanduser()
    except RuntimeError:  # ~someone who is not here
        raise InputError(f"{path}: no such file", "name an existing config.json") from None
    config = read_config(path)
    own = config.keys.get("_name_or_path")
    label = own.rsplit("/", 1)[-1] if isinstance(own, str) and own.strip() else ""
    folder = Path(config.source).parent.name
    stem = Path(config.source).stem
    name = label or (folder if stem == "config" and folder else stem)
    identity = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-") or "model"
    return transformer_from_config(config, identity[:80], name[:80])


class _LastNames:
    """The names of the rows asked for last: all questions of a run are about one catalog."""

    rows: Mapping[str, Mapping[str, Any]] | None = None
    names: dict[str, str] = {}  # noqa: RUF012  # replaced whole, never changed


def _names_of(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    if _LastNames.rows is not rows:
        _LastNames.rows, _LastNames.names = rows, _names(rows)
    return _LastNames.names


def _names(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return every folded id, name and alias with the id it means; ids win over names, names over aliases."""
    found: dict[str, str] = {}
    for row in rows.values():
        listed = row.get("aliases")
        aliases = [str(alias) for alias in listed] if isinstance(listed, list | tuple) else []
        bare = [alias.rsplit("/", 1)[-1] for alias in aliases]  # repositories, without their maker
        for name in (str(row.get("name") or ""), *aliases, *bare):
            found.setdefault(model_key(name), str(row["id"]))
    found.update({model_key(identity): identity for identity in rows})
    found.pop("", None)
    return found
