"""Export: one ONNX file from source image to results, equal to ``test_step``.

The model runs as it is. It is traced with its zoom in a form that runtimes like, and the file is
compared with that first run before it gets its name.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.utils import digit_version
from torch import Tensor

from ..files import replacing
from .deployed import Deployed
from .metadata import metadata_of
from .tasks import task_of
from .zooming import folding, looks_anew, zoom_in_graph

__all__ = ['ExportError', 'export_onnx', 'structured_image']

_OLDEST_TORCH = '2.9'


class ExportError(RuntimeError):
    """A model that ONNX cannot express, or a file that does not do what the model does."""


def export_onnx(
    model: Any,
    path: str | Path,
    size: tuple[int, int],
    opset: int = 18,
    verify: np.ndarray | bool = True,
    original: tuple[int, int] | None = None,
) -> dict[str, float]:
    """Write a model as one ONNX file.

    The file takes ``input``, uint8 (1, 3, H, W), as the pipeline hands images over, and gives
    ``dets`` (1, K, 5) and ``labels`` (1, K) of detectors, with -1 where there are no more, with
    ``masks`` (1, K, h, w) in the boxes if they have them, and ``output`` (1, 1, H, W) of
    segmentors. With temporal saliency it takes ``previous`` (1, K, 5) as well, the ``dets`` of the
    frame before, zeros at first. It has standard operations alone, and metadata.

    Args:
        model: A model of an MM library, with its weights; it is left as it is.
        path: The new file, ``.onnx``.
        size: (h, w) of the images that the file takes.
        opset: Of ONNX, 18 or 19; TensorRT reads GridSample of later ones wrongly.
        verify: An image (H, W, 3) of uint8 on which the file is compared with ``test_step``; True
            for a drawn one, False to leave the comparison out.
        original: (h, w) of the originals that the pipeline resizes to ``size``, in whose pixels
            temporal saliency reckons; ``size`` by default.

    Returns:
        The largest differences to ``test_step``; empty without ``verify``.

    Raises:
        ImportError: If the extra is not installed.
        ExportError: If something in the model has no counterpart in ONNX, or the file gives
            something else than the model.
        ValueError: If the model is none of those that can be exported, or an argument is wrong.
        FileExistsError: If there is such a file.
    """
    path = Path(path)
    _check(path, size, opset)
    image = _image(verify, size)
    deployed = task_of(copy.deepcopy(model).cpu().eval(), size, original)
    parts = None if looks_anew(deployed, image) else torch.nn.ModuleDict()
    # Of saliency that looks at images: another one, and the first again after that.
    frames = [image] if parts is not None else [image, image.flip(-1), image]
    with nullcontext() if parts is None else folding(deployed, parts):
        references = _references(deployed, frames)
    program = _trace(deployed, image, parts, opset)
    program.model.metadata_props.update(metadata_of(model, deployed))
    with replacing(path) as draft:
        program.save(str(draft))
        found = {} if verify is False else _compare(deployed, references, draft)
        if path.exists():
            raise FileExistsError(f'{path} has come into being meanwhile; remove it')
    return found


def structured_image(size: tuple[int, int]) -> np.ndarray:
    """A drawn image (H, W, 3) of uint8: waves, edges and noise at many scales."""
    h, w = size
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    waves = [128 + 90 * np.sin(x / (7 + 9 * c)) * np.cos(y / (11 + 5 * c)) for c in range(3)]
    image = np.stack(waves, axis=-1)
    for _ in range(24):
        top, left = draw.integers(0, h), draw.integers(0, w)
        tall, wide = draw.integers(2, max(h // 3, 3)), draw.integers(2, max(w // 3, 3))
        image[top : top + tall, left : left + wide] = draw.integers(0, 256, 3)
    return np.clip(image + draw.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def _check(path: Path, size: tuple[int, int], opset: int) -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'exporting needs {error.name}: pip install "lzu_mm[deploy]"', name=error.name
        ) from error
    if digit_version(torch.__version__) < digit_version(_OLDEST_TORCH):
        raise ImportError(
            f'exporting needs torch {_OLDEST_TORCH} or newer, not {torch.__version__}: export in '
            'another environment; checkpoints of all versions load there'
        )
    if opset not in (18, 19):
        raise ValueError(
            f'opset must be 18 or 19, got {opset}: later ones call the interpolation of GridSample '
            "by a name that TensorRT takes for 'nearest'"
        )
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f'size must be (h, w), both at least 1, got {size}')
    if path.suffix != '.onnx':
        raise ValueError(f'the path must end in .onnx, got {path}')
    if path.exists():
        raise FileExistsError(f'{path} exists: remove it or choose another name')
    if not path.parent.is_dir():
        raise FileNotFoundError(f'there is no folder {path.parent}')


def _image(verify: np.ndarray | bool, size: tuple[int, int]) -> Tensor:
    pixels = structured_image(size) if isinstance(verify, bool) else np.asarray(verify)
    if pixels.dtype != np.uint8 or pixels.shape != (*size, 3):
        raise ValueError(
            f'the image to verify with must be uint8 of shape {(*size, 3)}, got {pixels.dtype} of '
            f'{pixels.shape}: resize it, or set size to its own'
        )
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None]


def _references(deployed: Deployed, frames: list[Tensor]) -> list[tuple[tuple[Tensor, ...], Any]]:
    """What the file takes for each frame, and what ``test_step`` gives, one after the other."""
    found: list[tuple[tuple[Tensor, ...], Any]] = []
    before = None
    with torch.no_grad():
        for frame in frames:
            sample = deployed.predict(frame)
            found.append((deployed.arguments(frame, before), sample))
            before = sample
    return found


def _trace(deployed: Deployed, image: Tensor, parts: torch.nn.ModuleDict | None, opset: int) -> Any:
    """The model in ONNX, with its zoom in the form that :func:`zoom_in_graph` gives."""
    from . import deform, nms, regions

    name = type(deployed.model).__name__
    # Named after where they are.
    deployed.parts = torch.nn.ModuleDict() if parts is None else parts
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(zoom_in_graph(deployed, image, parts))
        stack.enter_context(deform.static_deform())
        stack.enter_context(deployed.static())
        try:
            program = torch.export.export(deployed, deployed.arguments(image), strict=False)
        except Exception as error:
            raise ExportError(f'{name} cannot be traced: {error}') from error
        if opset < deform.OPSET and deform.deforms(program):
            raise ValueError(
                f'{name} has deformable convolutions, which ONNX has from opset {deform.OPSET} on: '
                f'set opset={deform.OPSET} (--opset {deform.OPSET})'
            )
        try:
            return torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                input_names=list(deployed.inputs),
                output_names=list(deployed.outputs),
                custom_translation_table=dict(
                    item for room in (deform, nms, regions) for item in room.translations().items()
                ),
                verbose=False,
            )
        except Exception as error:
            raise ExportError(f'{name} has no counterpart in ONNX: {error}') from error


def _compare(
    deployed: Deployed, references: list[tuple[tuple[Tensor, ...], Any]], path: Path
) -> dict[str, float]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    found: dict[str, float] = {}
    for arguments, sample in references:
        given = {name: value.numpy() for name, value in zip(deployed.inputs, arguments)}
        outputs = dict(zip(deployed.outputs, session.run(None, given)))
        for name, value in deployed.differences(sample, outputs).items():
            found[name] = max(value, found.get(name, 0.0))
    # NaN is above no tolerance.
    wrong = [name for name, value in found.items() if not value <= deployed.tolerance[name]]
    if wrong:
        raise ExportError(
            f'the file differs from test_step: {found}, where {deployed.tolerance} passes as '
            'rounding. No file is written'
        )
    return found
