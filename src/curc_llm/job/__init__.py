"""The job: what runs on the node for as long as a session lives."""
