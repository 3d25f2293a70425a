"""From request bytes to verdicts: transport, credentials, what answers mean, batches, retries."""
