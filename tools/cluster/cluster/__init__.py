"""Argo Workflows and Kubernetes: workflow templates and their steps, submitting, image pins, minikube."""
