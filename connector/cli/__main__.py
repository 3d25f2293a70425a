"""`python -m connector.cli` is `capi`."""

from connector.cli.app import main

main()
