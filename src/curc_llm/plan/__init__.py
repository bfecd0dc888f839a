"""Plan: pure arithmetic from model, GPU and wish to a launch that works, or to the reason why none does."""
