"""How the register's tables came about, step by step; run by ``scripts/register migrate``."""
