"""vLLM as a child process: how it is told what to do, watched, understood and ended. vLLM is never imported."""
