"""Shims: memspan behind the interfaces of other libraries, a file each, named after the library.

Importing this package imports none of them.
"""
