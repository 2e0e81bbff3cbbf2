"""Messages of the Data Integration Platform: split, decoded, checked by named rules, arranged as meter-days."""
