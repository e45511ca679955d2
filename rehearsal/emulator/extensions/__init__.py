"""What the rehearsal adds to ministack inside the server process, one module per thing emulated."""
