"""Which of the MM libraries are installed: each is optional."""

from importlib.util import find_spec


def installed(library: str) -> bool:
    """Tell whether a library can be imported, without importing it.

    Args:
        library: ``'mmdet'``, ``'mmseg'`` or ``'mmdet3d'``.
    """
    try:
        return find_spec(library) is not None
    except ImportError:
        return False
