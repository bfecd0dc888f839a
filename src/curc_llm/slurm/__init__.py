"""Slurm: what it is asked for, the script it runs, what it answers. All talk with Slurm is here."""
