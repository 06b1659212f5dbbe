"""Every harness, one after another: ``python -m tests.stress [--bounded]``."""

from tests.stress.crowding import crowding
from tests.stress.cutting import cutting
from tests.stress.failing import failing
from tests.stress.flipping import flipping, truncating
from tests.stress.killing import killing
from tests.stress.mutating import mutating
from tests.stress.toolkit import main

main(killing, failing, crowding, cutting, flipping, truncating, mutating)
