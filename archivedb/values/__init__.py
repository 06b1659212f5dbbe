"""
Python value ⇄ skeleton and arrays.

`encode` turns a value into canonical JSON and a list of arrays, `decode` does
the inverse; everything below and beside them sees only these two.
"""
