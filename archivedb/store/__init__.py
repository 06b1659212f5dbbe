"""
Payload files on a disk; knows no SQL, and nothing of what is in the files.

::

    runs.payloads/
        archive.json            which archive these payloads belong to
        3f/<uuid7>-<digest>.h5  the payloads, for good
        tmp/                    payloads that are not in the catalog yet
        locks/                  files for flock, always empty
        quarantine/             damaged payloads that `repair` has replaced
"""
