"""``python -m nndl_fast`` is ``nndl-fast``."""

from .cli import main

main(prog_name="nndl-fast")
