"""The page at `/`: plain files of our own, nothing is fetched from elsewhere."""
