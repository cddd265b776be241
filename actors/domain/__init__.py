"""The pure core: one provider's time as a deterministic state machine."""
