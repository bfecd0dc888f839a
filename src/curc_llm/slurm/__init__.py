"""Slurm: what it is asked for, the script it runs, what it answers. Everything that talks to Slurm is here."""
