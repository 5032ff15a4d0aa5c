"""`python -m cxr`, which is `cxr` for those who start several processes of it."""

from .cli import main

main()
