"""The consent service: how it is asked, how it revokes, and a stand-in for it."""
