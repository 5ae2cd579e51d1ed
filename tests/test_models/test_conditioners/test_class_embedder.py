import pytest
import torch

from mmldm.models.conditioners import ClassEmbedder
from mmldm.structures import LDMDataSample

KEEP = torch.tensor([False, False])


@pytest.fixture
def samples(labelled):
    return [labelled(3), labelled(7)]


def test_a_label_is_its_row(samples):
    embedder = ClassEmbedder(10, 4)
    tokens = embedder(samples, KEEP)
    torch.testing.assert_close(
        tokens, embedder.embedding.weight[[3, 7]][:, None]
    )


def test_what_is_dropped_is_the_last_row(samples):
    embedder = ClassEmbedder(10, 4, slot='vector')
    vectors = embedder(samples, torch.tensor([True, False]))
    torch.testing.assert_close(vectors, embedder.embedding.weight[[10, 7]])


def test_a_dropped_sample_needs_no_label(samples):
    embedder = ClassEmbedder(10, 4)
    drop = torch.tensor([True, False])
    assert torch.equal(
        embedder([LDMDataSample(), samples[1]], drop), embedder(samples, drop)
    )


@pytest.mark.parametrize('label', [-1, 10])
def test_a_label_out_of_range_is_refused(labelled, label):
    """10 would be taken for 'no class'."""
    sample = labelled(label)
    sample.set_metainfo(dict(img_path='a.png'))
    with pytest.raises(
        ValueError,
        match=rf'label {label} of a.png is not in '
        r'\[0, 10\): set .*num_classes',
    ):
        ClassEmbedder(10, 4)([sample], torch.tensor([False]))


def test_a_missing_label_is_refused():
    with pytest.raises(ValueError, match='has no gt_label'):
        ClassEmbedder(10, 4)([LDMDataSample()], torch.tensor([False]))


def test_an_unknown_slot_is_refused():
    with pytest.raises(ValueError, match="did you mean 'tokens'"):
        ClassEmbedder(10, 4, slot='token')


def test_the_last_class_may_be_no_class(labelled):
    """It has no row of its own, and may be named."""
    embedder = ClassEmbedder(10, 4, null='last')
    assert len(embedder.embedding.weight) == 10
    tokens = embedder([LDMDataSample(), labelled(9)], ~KEEP)
    assert torch.equal(tokens, embedder([labelled(9)] * 2, KEEP))


def test_without_no_class_none_can_be_left_out(samples):
    embedder = ClassEmbedder(10, 4, null='none')
    assert len(embedder.embedding.weight) == 10
    torch.testing.assert_close(
        embedder(samples, KEEP)[:, 0], embedder.embedding.weight[[3, 7]]
    )
    with pytest.raises(ValueError, match="null='none'.*needs its class"):
        embedder(samples, torch.tensor([True, False]))


@pytest.mark.parametrize('null', ['last', 'none'])
def test_a_class_beyond_the_rows_is_refused(labelled, null):
    with pytest.raises(ValueError, match='label 10 of a data sample'):
        ClassEmbedder(10, 4, null=null)([labelled(10)], KEEP[:1])


def test_an_unknown_null_is_refused():
    with pytest.raises(ValueError, match="did you mean 'last'"):
        ClassEmbedder(10, 4, null='lest')
