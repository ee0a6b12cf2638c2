"""What one tests methods with: a model that recalls, tasks, and checks that every method keeps."""
