import pytest

from lzu_mm.datasets import SequenceSampler, sequence_sampler


class Videos:
    def __init__(self, ids):
        self.ids = ids

    def __len__(self):
        return len(self.ids)

    def get_data_info(self, index):
        return {'video_id': self.ids[index]} if self.ids[index] is not None else {}


def shares(monkeypatch, ids, world_size):
    found = []
    for rank in range(world_size):
        monkeypatch.setattr(sequence_sampler, 'get_dist_info', lambda rank=rank: (rank, world_size))
        found.append(list(SequenceSampler(Videos(ids))))
    return found


def test_each_process_gets_whole_videos_in_order(monkeypatch):
    ids = [5, 5, 5, 5, 2, 2, 9, 9, 9]
    one, two = shares(monkeypatch, ids, 2)
    assert one == [0, 1, 2, 3]
    assert two == [4, 5, 6, 7, 8]
    assert shares(monkeypatch, ids, 1) == [list(range(9))]


def test_bad_input(monkeypatch):
    with pytest.raises(ValueError, match='start fewer'):
        shares(monkeypatch, [1, 1], 2)
    with pytest.raises(ValueError, match='video_id'):
        shares(monkeypatch, [1, None], 1)
    with pytest.raises(ValueError, match='shuffle=False'):
        SequenceSampler(Videos([1]), shuffle=True)
