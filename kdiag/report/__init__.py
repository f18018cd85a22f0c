"""The faces of a report: each module has a pure `render(report) -> str` and is imported only when needed."""
