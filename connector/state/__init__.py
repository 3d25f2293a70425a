"""What has been recorded: the high-water mark, the ledger, the quarantine, the runs, and who may write them."""
