"""The pure centre: one provider's time as a deterministic state machine."""
