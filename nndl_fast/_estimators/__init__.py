"""What is behind the estimators for scikit-learn and Dask."""
