"""genrec over HTTP: `genrec serve`. FastAPI is imported here and nowhere else."""
