"""What lzu_mm.deploy needs is felt by those who use it alone."""

from ..test_imports import run


def test_the_extra_is_asked_for_when_it_is_used():
    run("""
        without('onnx', 'onnxscript', 'onnxruntime')
        import lzu_mm
        assert 'lzu_mm.deploy' not in sys.modules
        from lzu_mm.deploy import OnnxModel, export_onnx
        exporting = export_onnx, None, 'new.onnx', (8, 8)
        for use, *arguments in (exporting, (OnnxModel, sys.executable)):
            try:
                use(*arguments)
            except ImportError as error:
                assert 'pip install "lzu_mm[deploy]"' in str(error), error
            else:
                raise AssertionError
    """)
