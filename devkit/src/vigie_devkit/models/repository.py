"""A bundle's variant as the model repository of an inference server: Triton's or OpenVINO Model Server's layout.

Sources: Triton's "Model repository" and "Model configuration"; OpenVINO Model Server's "Prepare a model repository".
Both serve the bundle's own file, whose input is the uint8 picture that ``preprocess`` makes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from vigie.errors import ModelFileError
from vigie.models import Bundle

Server = Literal["triton", "ovms"]


def write_repository(bundle: Bundle, variant_name: str | None, server: Server, folder: Path) -> Path:
    """Write ``folder/NAME/1/model.onnx`` and what the server wants beside it.

    Args: variant_name: None = the card's first. folder: may hold other models; NAME must not be there yet.
    Returns: the model's folder. Raises: BundleError: no such variant. ModelFileError: NAME is there, or the variant has
        weights in files of their own.
    """
    variant = bundle.variant(variant_name or next(iter(bundle.card.variants)))
    content = variant.read()
    if content.external:
        raise ModelFileError(str(variant.file), "its weights lie in files of their own; import it as one file")
    name = bundle.card.name
    target = folder / name
    if target.exists():
        raise ModelFileError(str(target), "already exists; remove it, or name another folder")
    (target / "1").mkdir(parents=True)
    (target / "1" / "model.onnx").write_bytes(content.graph)
    if server == "triton":
        # Without inputs and outputs Triton reads them from the file; no batching: the graph takes one picture.
        text = f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
        (target / "config.pbtxt").write_text(text, encoding="utf-8")
    else:
        _add_to_ovms(folder / "config.json", name, folder)
    return target


def _add_to_ovms(file: Path, name: str, folder: Path) -> None:
    """One more model in the server's list, whose paths are those inside its container (``-v FOLDER:/models``)."""
    tree = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"model_config_list": []}
    models = tree.get("model_config_list") if isinstance(tree, dict) else None
    if not isinstance(models, list):
        raise ModelFileError(
            str(file), f"is not a list of models of OpenVINO Model Server; name another folder than {folder}"
        )
    models.append({"config": {"name": name, "base_path": f"/models/{name}"}})
    file.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")
