"""What is right and what is wrong: pairs, kinds of error, the confusion matrix."""
