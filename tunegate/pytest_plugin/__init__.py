"""pytest plugin: suites become ordinary test items."""
