"""One process saves into a directory, another loads from it all the while."""

import os
import sys

from archivedb import load, save

place = sys.argv[1]
value = list(range(20))
save({"n": 0, "value": value}, place, "json")
child = os.fork()
if child == 0:
    for number in range(1, 300):
        save({"n": number, "value": value}, place, "json")
    os._exit(0)
last = 0
while os.waitpid(child, os.WNOHANG) == (0, 0):
    found = load(place)
    assert found["value"] == value
    assert found["n"] >= last, (found["n"], last)
    last = found["n"]
assert load(place)["n"] == 299
sys.stdout.write("sound\n")
