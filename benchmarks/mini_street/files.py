"""Files that are either complete or absent: everything is written aside and renamed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file in one step; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f'.{path.name}.{os.getpid()}.part')
    aside.write_bytes(data)
    aside.replace(path)


def write_image(path: Path, image: np.ndarray, quality: int = 90) -> None:
    """Write a JPEG (of a quality up to 100) or a PNG."""
    options = (
        [cv2.IMWRITE_JPEG_QUALITY, quality]
        if path.suffix == '.jpg'
        else [cv2.IMWRITE_PNG_COMPRESSION, 1]
    )
    write_bytes(path, cv2.imencode(path.suffix, image, options)[1].tobytes())


def write_json(path: Path, content: Any, indent: int | None = None) -> None:
    """Write JSON."""
    write_bytes(path, json.dumps(content, indent=indent).encode())


def read_json(path: Path) -> Any:
    """Read JSON."""
    return json.loads(path.read_text())
