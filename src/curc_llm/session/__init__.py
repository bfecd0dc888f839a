"""What a session keeps on disk: its folder, its record, its keys, and how sessions are found."""
