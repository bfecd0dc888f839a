"""The chat page: Gradio in its own process, behind the gateway."""
