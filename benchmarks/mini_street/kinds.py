"""What a thing is called in each of the three data sets.

Cityscapes ids are the official `labelIds` (their `labelTrainIds` follow in `TRAIN_IDS`); nuScenes
names are the categories of the devkit's tables, Argoverse-HD's its eight classes. Cones and
barriers are 'static' (4) in Cityscapes, a trailer 'trailer' (30); both are ignored there.
"""

from __future__ import annotations

ARGOVERSE_CLASSES = (
    'person',
    'bicycle',
    'car',
    'motorcycle',
    'bus',
    'truck',
    'traffic_light',
    'stop_sign',
)

# kind: (Argoverse-HD class, Cityscapes label id, nuScenes category)
KINDS: dict[str, tuple[str | None, int, str | None]] = {
    'terrain': (None, 22, None),
    'road': (None, 7, None),
    'sidewalk': (None, 8, None),
    'building': (None, 11, None),
    'wall': (None, 12, None),
    'fence': (None, 13, None),
    'pole': (None, 17, None),
    'traffic_light': ('traffic_light', 19, None),
    'stop_sign': ('stop_sign', 20, None),
    'traffic_sign': (None, 20, None),
    'vegetation': (None, 21, None),
    'person': ('person', 24, 'human.pedestrian.adult'),
    'worker': ('person', 24, 'human.pedestrian.construction_worker'),
    'rider': ('person', 25, None),
    'car': ('car', 26, 'vehicle.car'),
    'truck': ('truck', 27, 'vehicle.truck'),
    'trailer': ('truck', 30, 'vehicle.trailer'),
    'construction': ('truck', 27, 'vehicle.construction'),
    'bus': ('bus', 28, 'vehicle.bus.rigid'),
    'motorcycle': ('motorcycle', 32, 'vehicle.motorcycle'),
    'bicycle': ('bicycle', 33, 'vehicle.bicycle'),
    'cone': (None, 4, 'movable_object.trafficcone'),
    'barrier': (None, 4, 'movable_object.barrier'),
}

SKY_LABEL = 23

# The 19 classes that Cityscapes evaluates; every other id is ignored (255).
TRAIN_IDS = {
    7: 0,
    8: 1,
    11: 2,
    12: 3,
    13: 4,
    17: 5,
    19: 6,
    20: 7,
    21: 8,
    22: 9,
    23: 10,
    24: 11,
    25: 12,
    26: 13,
    27: 14,
    28: 15,
    31: 16,
    32: 17,
    33: 18,
}
