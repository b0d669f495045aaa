"""`python -m tunegate` is the command `tunegate`."""

from tunegate.cli.main import command

if __name__ == "__main__":
    command()
