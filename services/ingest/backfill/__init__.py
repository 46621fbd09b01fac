"""Back-fill: what a gap may have lost, asked of the server's own history afterwards.

The collector says which gaps have ended; what the server still knows goes to topic
`backfill` and is stored beside what came live, each reading once. What it does not know
stays a declared gap.
"""
