"""Legal bases and objections as files and the consent service state them."""
