"""The wire: what a client may send and what it gets.

Requests are validated by pydantic. Answers are built as plain JSON from our own frozen values: the models of answers
document them in OpenAPI, and a test holds both together.
"""
