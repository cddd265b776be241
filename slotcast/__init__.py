"""What people who use Slotcast from Python import. So far: the live client."""
