"""The tunegate command, one file per command group."""
