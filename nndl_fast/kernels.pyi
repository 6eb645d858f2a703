# Nothing for Python: kernels.pxd has the functions for compiled callers.
