"""The organization that is rehearsed on, and what is asked of it through public AWS APIs."""
