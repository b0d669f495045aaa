"""Questions on Georgia sections over short notes, with answers that may be absent."""
