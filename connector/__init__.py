"""Reverse ETL for Conversions APIs: conversions in a warehouse -> ad platforms, losing none.

    from connector.commands.sync import sync
    from connector.config.loader import load

    report = sync(load(Path("dagster_project/defs/acme_dsp/defs.yaml")))

Each verb of the command line is a function: `connector.commands.check.check`, `connector.commands.preview.preview`, `connector.commands.sync.sync`,
`connector.commands.status.status`, `connector.commands.rejected.rejected`, and `replay`, `reconcile`, `erase` in the modules of these names.
"""
