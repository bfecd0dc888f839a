"""vLLM as a child process: told what to do, watched, understood and ended. vLLM is never imported."""
