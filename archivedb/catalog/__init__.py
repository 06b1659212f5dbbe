"""
The catalog: SQL, and no files but the database's own.

`database` opens it, `schema` creates and upgrades it, `writing` applies
changes, `reading` answers, `dump` prints it canonically.
"""
