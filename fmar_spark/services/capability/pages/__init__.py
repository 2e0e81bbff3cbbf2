"""Pages over the read API: rendered here, drawn by plotly's own file, for each role what its matrix grants."""
