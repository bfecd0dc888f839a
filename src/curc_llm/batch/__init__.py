"""Many prompts through one session: nothing lost, nothing done twice."""
