"""The session in a notebook: widgets and magics."""
