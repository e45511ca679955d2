"""What happens in a deployed organization in every rehearsal: policies change, resources are restored."""
