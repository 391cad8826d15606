"""Alliance convergence and outcome: from session ratings to scores, models and a report."""
