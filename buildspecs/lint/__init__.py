"""The checks that every template has to pass before anything is deployed."""
