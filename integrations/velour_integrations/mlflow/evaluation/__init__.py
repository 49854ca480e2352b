"""``mlflow.models.evaluate(..., evaluators="velour")``: what is asked, of whom, and what came."""
