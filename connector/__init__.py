"""Reverse ETL for Conversions APIs: conversions in a warehouse -> ad platforms, losing none.

    from connector.destination import load
    from connector.sync import sync

    report = sync(load(Path("dagster_project/defs/acme_dsp/defs.yaml")))

Each verb of the command line is a function: `connector.check.check`, `connector.preview.preview`, `connector.sync.sync`,
`connector.status.status`, `connector.rejected.rejected`, and `replay`, `reconcile`, `erase` in `connector.again`.
"""
