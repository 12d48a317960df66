"""A cluster with Argo: what runs there is submitted, its images pinned, and minikube set up."""
