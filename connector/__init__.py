"""Reverse ETL for Conversions APIs: conversions in a warehouse -> ad platforms, losing none.

    from connector.config.destination import load
    from connector.commands.sync import sync

    report = sync(load(Path("dagster_project/defs/acme_dsp/defs.yaml")))

Each verb of the command line is a function: `connector.commands.check.check`, `connector.commands.preview.preview`, `connector.commands.sync.sync`,
`connector.commands.status.status`, `connector.commands.rejected.rejected`, and `replay`, `reconcile`, `erase` in the modules of these names.
"""
