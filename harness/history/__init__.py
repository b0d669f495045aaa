"""What earlier runs were: `past` reads one folder, `index` keeps what was read, `wanted` picks. No page, no wording."""
