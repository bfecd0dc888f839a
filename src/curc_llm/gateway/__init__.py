"""The one public port of a session: who may come in, which engine answers, and how the session is doing.

It runs as its own process (`python -m curc_llm.gateway`), started by the supervisor before anything else, so
that a person sees an answer within a second while a model may load for minutes.
"""
