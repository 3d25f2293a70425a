"""A receiver on this machine that answers as the platforms do, and a warehouse of sample conversions."""
