"""What our tools do at their start, for the tools of MMDetection, MMSegmentation and MMDetection3D.

Importing this module, and no other of the package, changes other libraries, so that one line in a
config does it::

    custom_imports = dict(imports=['lzu_mm', 'lzu_mm.engine.stock_tools'])

Then `torch.load` of torch >= 2.6 reads mmengine's own checkpoints (:mod:`.checkpoint`), and the
nuScenes metric runs without a GPU and without detections (:mod:`.nuscenes`). Checkpoints are
written aside and renamed once they are whole (:mod:`.storage`).
"""

from .checkpoint import allow_mmengine_checkpoints
from .nuscenes import adapt_nuscenes_metric
from .storage import write_atomically

allow_mmengine_checkpoints()
write_atomically()
adapt_nuscenes_metric()
