"""What carries requests: one small protocol, and a transport for each HTTP library.

May import: what `connector.delivery` may import.
"""

__all__ = ["base", "curl_handle", "deadline", "libcurl", "requests", "select"]
