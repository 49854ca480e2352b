"""``mlflow.models.evaluate(..., evaluators="velour")``: runs the model, evaluates and logs."""
