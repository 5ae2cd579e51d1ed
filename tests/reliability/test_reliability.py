"""The short form of every script; README.md has the long ones."""

import pytest

pytestmark = pytest.mark.slow


def test_killed_trainings_end_alike(run):
    status, printed = run('kills', '--runs', 4)
    assert status == 0, printed


def test_killed_tests_give_the_same(run):
    status, printed = run('killed_tests', '--runs', 3)
    assert status == 0, printed


def test_no_disk_costs_a_training(run):
    """All scenarios, by one process: it takes seconds to start."""
    status, printed = run('disks')
    assert status == 0, printed


def test_no_poison_is_executed(run):
    """A small part of the corpus, of every kind."""
    status, printed = run('poison', '--part', '5/120')
    assert status == 0, printed


def test_what_is_wrong_is_said_in_one_line(run):
    status, printed = run('fuzz', '--runs', 20)
    assert status == 0, printed


def test_memory_does_not_grow(run):
    status, printed = run('soak', '--minutes', 0.2, '--calls', 40)
    assert status == 0, printed
