"""A cluster: submitting workflows, pinning images, minikube."""
