"""What keeps a tool from being run. Standard library only."""


class CannotRun(Exception):
    """A tool cannot be run: where, what and how to fix it, and the exit code that says so."""

    def __init__(self, code: int, where: object, what: str, fix: str) -> None:
        self.code, self.where, self.what, self.fix = code, str(where), what, fix
        super().__init__(f"{where}: {what}; fix: {fix}")
