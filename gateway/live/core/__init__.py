"""The vocabulary of the live socket: topic names, messages, frames; pure."""
