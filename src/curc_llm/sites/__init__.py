"""Sites: what a Slurm centre has, allows and charges."""
