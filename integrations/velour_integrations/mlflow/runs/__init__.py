"""What a run gets, so that MLflow's own pages compare runs well."""
