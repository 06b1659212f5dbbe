"""Keeping an archive safe: good copies, what nobody needs, copies elsewhere."""
