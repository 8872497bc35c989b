"""Export: one ONNX file from source image to results, equal to ``test_step``.

The model runs once as it is. What its zoom did is folded to constants, it is traced with these in
place, and the file is compared with that first run before it gets its name.
"""

from __future__ import annotations

import copy
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.utils import digit_version
from torch import Tensor

from ..data_preprocessors import ZoomMixin, warped
from ..data_preprocessors.warped import ContentWarp
from ..files import replacing
from ..link import ZoomedBatch
from ..necks import UnzoomNeck
from .constants import Constants, folded_unzoom, folded_zoom
from .metadata import metadata_of
from .rewrites import attribute
from .tasks import Deployed, task_of

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
) -> dict[str, float]:
    """Write a model as one ONNX file.

    The file takes ``input``, uint8 (1, 3, H, W), as the pipeline hands images over, and gives
    ``dets`` (1, K, 5) and ``labels`` (1, K) of detectors, with -1 where there are no more, and
    ``output`` (1, 1, H, W) of segmentors. It has standard operations alone, and metadata.

    Args:
        model: A model of an MM library, with its weights; it is left as it is.
        path: The new file, ``.onnx``.
        size: (h, w) of the images that the file takes.
        opset: Of ONNX, 18 or 19; TensorRT reads GridSample of later ones wrongly.
        verify: An image (H, W, 3) of uint8 on which the file is compared with ``test_step``; True
            for a drawn one, False to leave the comparison out.

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
    deployed = task_of(copy.deepcopy(model).cpu().eval(), size)
    reference, parts = _fold(deployed, image)
    program = _trace(deployed, image, parts, opset)
    program.model.metadata_props.update(metadata_of(model, deployed))
    with replacing(path) as draft:
        program.save(str(draft))
        found = {} if verify is False else _compare(deployed, reference, draft, image)
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


def _fold(deployed: Deployed, image: Tensor) -> tuple[Any, torch.nn.ModuleDict]:
    """Run the model as it is.

    Returns:
        Its prediction, and the zoom and the unzooms that it needed, folded to constants: of levels
        by their size.
    """
    preprocessor = deployed.model.data_preprocessor
    parts = torch.nn.ModuleDict()
    with torch.no_grad(), ExitStack() as stack:
        if isinstance(preprocessor, ZoomMixin):
            _refuse_changing(preprocessor, deployed.batch(image))
            stock_zoom = preprocessor._zoom

            def zoom(pixels: Tensor, warp: ContentWarp | None, size: tuple[int, int]) -> Tensor:
                folded = folded_zoom(warp, deployed.size, size, preprocessor.zoom)
                if folded is not None:
                    parts['zoom'] = folded
                return stock_zoom(pixels, warp, size)

            stack.enter_context(attribute(preprocessor, '_zoom', zoom))
        for neck in _necks(deployed.model):
            stack.enter_context(attribute(neck, '_unzoom', _noting(neck, parts)))
        stack.enter_context(attribute(warped, '_home_grid', _noting_way_home(parts)))
        return deployed.predict(image), parts


def _noting(neck: UnzoomNeck, parts: torch.nn.ModuleDict) -> Any:
    stock_unzoom = neck._unzoom

    def unzoom(feature: Tensor, batch: ZoomedBatch) -> Tensor:
        parts[_level(feature)] = folded_unzoom((feature.shape[2], feature.shape[3]), neck, batch)
        return stock_unzoom(feature, batch)

    return unzoom


def _noting_way_home(parts: torch.nn.ModuleDict) -> Any:
    stock_grid = warped._home_grid

    def home_grid(values: Tensor, *args: Any) -> Tensor:
        grid = stock_grid(values, *args)
        parts[_home(values)] = Constants(grid=grid)
        return grid

    return home_grid


def _refuse_changing(preprocessor: ZoomMixin, batch: dict[str, Any]) -> None:
    saliency = preprocessor.saliency
    changes = saliency.shared(batch['inputs'], batch['data_samples']) is None
    if changes and not saliency.is_uniform and not preprocessor.zoom.train_only:
        raise ValueError(
            f'{type(saliency).__name__} looks at every image anew, which is not exported yet: only '
            'FixedSaliency, HorizonSaliency with a row and UniformSaliency are'
        )


def _necks(model: torch.nn.Module) -> list[UnzoomNeck]:
    return [module for module in model.modules() if isinstance(module, UnzoomNeck)]


def _level(feature: Tensor) -> str:
    return f'unzoom {feature.shape[2]}x{feature.shape[3]}'


def _home(values: Tensor) -> str:
    return f'home {values.shape[-2]}x{values.shape[-1]}'


def _trace(deployed: Deployed, image: Tensor, parts: torch.nn.ModuleDict, opset: int) -> Any:
    """The model in ONNX, with its zoom and unzooms replaced by constants."""
    from .nms import translations

    deployed.parts = parts
    preprocessor = deployed.model.data_preprocessor
    with torch.no_grad(), ExitStack() as stack:
        if isinstance(preprocessor, ZoomMixin):
            batch = deployed.batch(image)
            known = preprocessor.warp(batch['inputs'], batch['data_samples'], training=False)
            stack.enter_context(attribute(preprocessor, 'warp', lambda *_: known))
            if 'zoom' in parts:
                stack.enter_context(
                    attribute(preprocessor, '_zoom', lambda image, *_: parts['zoom'](image))
                )
        for neck in _necks(deployed.model):
            # Levels that are not known are not read.
            stack.enter_context(
                attribute(
                    neck,
                    '_unzoom',
                    lambda feature, batch: (
                        parts[_level(feature)](feature) if _level(feature) in parts else feature
                    ),
                )
            )
        stack.enter_context(
            attribute(warped, '_home_grid', lambda values, *_: parts[_home(values)].grid)
        )
        stack.enter_context(deployed.static())
        try:
            program = torch.export.export(deployed, (image,), strict=False)
        except Exception as error:
            raise ExportError(
                f'{type(deployed.model).__name__} cannot be traced: {error}'
            ) from error
        try:
            return torch.onnx.export(
                program,
                dynamo=True,
                opset_version=opset,
                input_names=['input'],
                output_names=list(deployed.outputs),
                custom_translation_table=translations(),
                verbose=False,
            )
        except Exception as error:
            raise ExportError(
                f'{type(deployed.model).__name__} has no counterpart in ONNX: {error}'
            ) from error


def _compare(deployed: Deployed, reference: Any, path: Path, image: Tensor) -> dict[str, float]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    outputs = dict(zip(deployed.outputs, session.run(None, {'input': image.numpy()})))
    found = deployed.differences(reference, outputs)
    wrong = {name: value for name, value in found.items() if value > deployed.tolerance[name]}
    if wrong:
        raise ExportError(
            f'the file differs from test_step: {found}, where {deployed.tolerance} passes as '
            'rounding. No file is written'
        )
    return found
