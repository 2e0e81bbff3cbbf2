"""Whether a boundary meter shows what an asset meter declared."""
