"""Official packages of the platforms as judges: the same rows through them and through us.

`rows.py` has the rows. Each judge is a module that says of every row what its package would send;
`accepted.yaml` lists every difference that there may be, with the reason and the source. A
difference that is not listed fails, and so does a listed one that no longer occurs.

Looked at and without a say, because they know other APIs than the ones spoken here: bingads
13.0.30.1 (offline conversions of the Campaign Management API, no UET Conversions API) and
tiktok-business-api-sdk-official 1.1.3 (`pixel/track` of version 1, no `event/track`).
"""
