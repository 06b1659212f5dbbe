"""
Questions: what may be asked of records, as text and as a tree.

`parse` turns text into the nodes of `nodes`; `catalog` compiles them to SQL,
and `evaluate` answers them for a record that the index does not hold whole.
"""
