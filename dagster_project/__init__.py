"""The connector in Dagster: one asset a destination. Nothing about delivery is decided here."""
