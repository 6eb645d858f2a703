"""The functions on arrays, which :mod:`nndl_fast.functional` names."""
