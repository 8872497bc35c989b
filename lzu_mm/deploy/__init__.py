"""Models as files of standard ONNX operations: source image in, results out.

Nothing here is imported by ``import lzu_mm``, and ``onnx``, ``onnxscript`` and ``onnxruntime``
(``pip install "lzu_mm[deploy]"``) are imported when they are used.
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_exports

if TYPE_CHECKING:
    from .export import ExportError as ExportError
    from .export import export_onnx as export_onnx
    from .runtime import OnnxModel as OnnxModel

_EXPORTS = {'export': ['ExportError', 'export_onnx'], 'runtime': ['OnnxModel']}

__all__ = ['ExportError', 'OnnxModel', 'export_onnx']

__getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)
