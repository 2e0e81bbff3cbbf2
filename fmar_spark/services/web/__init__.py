"""What all services share: tokens, roles, problem details, paging, limits."""
