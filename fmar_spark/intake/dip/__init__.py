"""Messages of the Data Integration Platform: cut, decoded, judged by named rules, laid out as meter-days."""
