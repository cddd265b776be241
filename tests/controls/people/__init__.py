"""Controls of accounts, rights and privacy: attacks with their guard taken away."""
